"""Plain aligned tables for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as aligned columns; columns of numbers stand to the right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(header))]
    right = [
        bool(rows) and all(isinstance(row[i], (int, float)) or _is_figure(row[i]) for row in rows)
        for i in range(len(header))
    ]
    lines = [
        "  ".join(_pad(cell, width, to) for cell, width, to in zip(row, widths, right, strict=True))
        for row in cells
    ]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Return the columns a text takes: none for combining marks, two for wide characters."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _is_figure(value: Any) -> bool:
    return isinstance(value, str) and value[:1] in "0123456789+-–" and value != ""
