"""Messages on stderr that do not break a progress bar."""

from __future__ import annotations

import logging
import sys

from tqdm import tqdm


class _BarSafeHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def show_log(level: int = logging.INFO) -> None:
    """Show what Classeur logs, as plain lines on stderr. A second call changes the level only."""
    logger = logging.getLogger("classeur")
    logger.setLevel(level)
    if not any(isinstance(handler, _BarSafeHandler) for handler in logger.handlers):
        handler = _BarSafeHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
