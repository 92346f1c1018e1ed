"""Recipe + manifest -> run folder."""
