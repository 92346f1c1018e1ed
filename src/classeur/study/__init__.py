"""Training + evaluation + report, for one recipe or a ladder of them."""
