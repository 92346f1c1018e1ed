"""Messages on stderr that do not break a progress bar."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm


class _BarSafeHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


QUIET = "CLASSEUR_QUIET"
"""Environment variable that a quiet command sets, for itself and the processes it starts."""


def show_log() -> None:
    """Show what Classeur logs, as plain lines on stderr; errors only where QUIET is set."""
    # tqdm's watching thread may hold stderr while the interpreter ends, which CPython calls fatal.
    tqdm.monitor_interval = 0
    logger = logging.getLogger("classeur")
    logger.setLevel(logging.ERROR if os.environ.get(QUIET) else logging.INFO)
    if not any(isinstance(handler, _BarSafeHandler) for handler in logger.handlers):
        handler = _BarSafeHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False


@contextmanager
def without_training_log(name: str = "classeur.training") -> Iterator[None]:
    """Keep the lines of trainings back, or of one part of them, that nobody asked to follow."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
