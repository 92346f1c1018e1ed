"""Parse, build a config, one call, print, exit code. Nothing else."""
