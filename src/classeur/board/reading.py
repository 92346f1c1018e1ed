"""How much is read of the files of a run, whatever somebody has put there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from classeur.board.finding import Found
from classeur.errors import RunFolderError

LARGEST = {
    "config.toml": 64 << 10,
    "study.toml": 64 << 10,
    "search.toml": 64 << 10,
    "history.csv": 2 << 20,
    "training.json": 4 << 20,
    "comparison.json": 4 << 20,
    "failure.json": 1 << 20,
    "metrics.json": 32 << 20,  # with the confusion matrices of a thousand classes and more
    "manifest.csv": 32 << 20,
}
"""Bytes of a file that is read; a larger one is none that Classeur has written. Files that are
not here are streamed, or looked at before they are read."""

DEEPEST_KEY = 32
"""Parts of a dotted key in TOML, at most."""

_PART = r"""(?:(?<![\w-])[\w-]++|(?<!\\)"(?:[^"\\\n]|\\.){0,200}+"|'[^'\n]{0,200}+')"""
_DEEP_KEY = re.compile(rf"(?:{_PART}[ \t]*+\.[ \t]*+){{{DEEPEST_KEY}}}")


def check_files(one: Found) -> None:
    """Raise RunFolderError if a file is larger than any that Classeur writes."""
    for name, (_, size) in one.files.items():
        most = LARGEST.get(name, size)
        if size > most:
            raise RunFolderError(
                f"{name} has {size:,} bytes; that of a run or study has at most {most:,}."
            )
    if one.head and one.head[1] > LARGEST["history.csv"]:
        raise RunFolderError(f"head/history.csv has {one.head[1]:,} bytes.")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of a run or study.

    `tomllib` is written in Python, and quadratic in the parts of a dotted key.

    Raises:
        RunFolderError: if it has grown too large since it was found, or has too deep a key.
        OSError, ValueError: if it cannot be read, or is no TOML.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST[path.name] + 1)
    if len(content) > LARGEST[path.name]:
        raise RunFolderError(f"{path.name} has more than {LARGEST[path.name]:,} bytes.")
    text = content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if _DEEP_KEY.search(text):
        raise RunFolderError(f"{path.name} has a key of more than {DEEPEST_KEY} parts.")
    return tomllib.loads(text)
