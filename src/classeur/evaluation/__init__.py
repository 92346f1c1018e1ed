"""Run folder -> predictions -> figures of merit. Knows no trainer."""
