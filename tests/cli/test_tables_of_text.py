"""Aligned tables for a terminal."""

from __future__ import annotations

from classeur.cli.tables import table


def test_text_to_the_left_and_figures_to_the_right() -> None:
    assert table(("name", "photos"), [("cat", 7), ("crocodile", 1234)]) == (
        "name       photos\n"
        "─────────  ──────\n"
        "cat             7\n"
        "crocodile    1234"
    )  # fmt: skip


def test_figures_with_signs_and_separators() -> None:
    assert table(("n", "x"), [("1,234", "a"), ("-5", "b")]).splitlines()[2:] == [
        "1,234  a", "   -5  b",
    ]  # fmt: skip


def test_wide_and_combining_characters() -> None:
    lines = table(("class", "n"), [("猫", 1), ("e\u0301te\u0301", 1), ("dog", 1)]).splitlines()
    assert lines[2:] == ["猫     1", "e\u0301te\u0301    1", "dog    1"]


def test_no_rows() -> None:
    assert table(("a", "bb"), []) == "a  bb\n─  ──"
