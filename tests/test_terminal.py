"""No text drives a terminal."""

from __future__ import annotations

import io

import pytest
from tqdm import tqdm

from classeur.terminal import harmless, make_harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a name\twith a tab\n", "a name\twith a tab\n"),
        ("chat d\u2019\u00e9t\u00e9 \U0001f408", "chat d\u2019\u00e9t\u00e9 \U0001f408"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("back\b\b\x7f", "back\\x08\\x08\\x7f"),
        ("fine\rerror", "fine\\x0derror"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
    ],
)
def test_what_is_written_out(text, shown):
    assert harmless(text) == shown


def test_a_progress_bar_is_drawn_as_ever():
    plain, guarded = io.StringIO(), io.StringIO()
    make_harmless(guarded)
    for stream in (plain, guarded):
        outer = tqdm(range(2), file=stream, bar_format="{desc}{bar:3}", position=0, mininterval=0)
        for _ in outer:
            list(tqdm(range(2), file=stream, bar_format="{bar:3}", position=1, mininterval=0))
    assert "\x1b[A" in plain.getvalue()
    assert guarded.getvalue() == plain.getvalue()
