"""Rows of text as CSV, for every file name that a disk may hold."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO


def write_rows(file: TextIO, columns: Sequence[str], rows: Iterable[object]) -> None:
    """Write a header, and a line of the named attributes for each row."""
    plain = csv.writer(file, lineterminator="\n")
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(columns)
    for row in rows:
        values = [str(getattr(row, name)) for name in columns]
        # The module's reader ends a line at a bare carriage return, its writer does not quote one.
        writer = quoted if any("\r" in value for value in values) else plain
        writer.writerow(values)
