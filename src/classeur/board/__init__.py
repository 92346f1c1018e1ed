"""A folder of runs as pages that follow what happens there."""
