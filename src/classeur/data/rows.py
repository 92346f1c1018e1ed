"""Rows of text as CSV, for every file name that a disk may hold."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO


class RowWriter:
    """Writes a header, if there is one, and then rows of as many values."""

    def __init__(self, file: TextIO, columns: Sequence[str] = ()) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if columns:
            self.write(columns)

    def write(self, values: Iterable[object]) -> None:
        """Write a row."""
        texts = [str(value) for value in values]
        # The module's reader ends a line at a bare carriage return, its writer does not quote one.
        writer = self._quoted if any("\r" in text for text in texts) else self._plain
        writer.writerow(texts)


def write_rows(file: TextIO, columns: Sequence[str], rows: Iterable[object]) -> None:
    """Write a header, and a line of the named attributes for each row."""
    writer = RowWriter(file, columns)
    for row in rows:
        writer.write(getattr(row, name) for name in columns)
