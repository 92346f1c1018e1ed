"""Writes reference.md from the code: `make reference`. A test says when it is out of date.

Commands come from the command line's own help pages, recipes from the ladder, Python from the
docstrings.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click
from click.testing import CliRunner

import classeur
from classeur.cli.main import classeur as command_line
from classeur.training.recipes import RECIPES

TARGET = Path(__file__).with_name("reference.md")


def reference() -> str:
    """Return the page."""
    parts = [
        "# Reference",
        "Generated from the code by `make reference`; see also [How to](how-to.md).",
        "## Commands",
        _command(),
        *(_command(name) for name in _names()),
        "## Recipes",
        _recipes(),
        "## Python",
        "`import classeur` brings these, by the same words as the command line. Shapes, defaults "
        "and errors are in their docstrings: `help(classeur.train)`.",
        _python(),
    ]
    return "\n\n".join(parts) + "\n"


def _names() -> list[str]:
    return command_line.list_commands(click.Context(command_line))


def _command(*words: str) -> str:
    shown = CliRunner().invoke(
        command_line,
        [*words, "--help"],
        prog_name="classeur",
        terminal_width=100,
        max_content_width=100,
    )
    title = " ".join(["classeur", *words])
    return f"### `{title}`\n\n```\n{shown.output.rstrip()}\n```"


def _recipes() -> str:
    rows = ["| recipe | network | what it is |", "|---|---|---|"]
    rows += [f"| `{r.name}` | `{r.model.name}` | {r.description} |" for r in RECIPES.values()]
    return "\n".join(rows)


def _python() -> str:
    rows = ["| name | what it is |", "|---|---|"]
    for name in classeur.__all__:
        value = getattr(classeur, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            rows.append(f"| `{name}` | {(inspect.getdoc(value) or '').partition(chr(10))[0]} |")
    return "\n".join(rows)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
