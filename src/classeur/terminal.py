"""Text for a terminal that cannot drive it: a file's name may hold any character."""

from __future__ import annotations

import re
from typing import TextIO

# tqdm draws its bars with a carriage return in front, and moves up a line by ESC [ A.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[A)|(?<!\A)\r")
# Marks that make the text after them run the other way.
_TURNING = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Return a text with its control characters written out, as \\x1b; line ends and tabs stay."""
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return _TURNING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def make_harmless(stream: TextIO) -> None:
    """Let nothing through a stream that would drive a terminal.

    What is for programs, such as predictions in a pipe, is not touched: call it for stderr, and
    for stdout where that is a terminal.
    """
    write = stream.write
    stream.write = lambda text: write(harmless(text))  # type: ignore[method-assign]
