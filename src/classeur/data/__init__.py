"""Photos -> manifest -> pixels."""
