"""The whole way from an upright photo to probabilities as one torch module, for exports."""
