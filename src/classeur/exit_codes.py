"""What the `classeur` command ends with, besides 0 and click's own 2 for wrong usage."""

FAILED = 1
"""An error that was explained in one line."""

UNREADABLE = 3
"""Predict did its work, but some photos could not be read."""

BUG = 70
"""An error that nobody foresaw."""

INTERRUPTED = 130
"""Ctrl-C, or a request to end."""
