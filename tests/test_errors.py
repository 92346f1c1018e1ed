"""The exception tree, and the words that errors share."""

from __future__ import annotations

import errno
import inspect
import os
import re

import pytest

from classeur import errors
from classeur.errors import ClasseurError, ConfigError, did_you_mean, system_error, unknown


def test_the_tree_is_drawn_as_it_is():
    drawn, above = {}, {}
    for line in errors.__doc__.splitlines():
        match = re.match(r"^ {4}([│├└─ ]*)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            above[depth] = match[2]
            drawn[match[2]] = above[depth - 1] if depth else "Exception"
    actual = {
        name: kind.__base__.__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ClasseurError)
    }
    assert drawn == actual
    assert len(drawn) > 10


def test_a_config_error_keeps_every_problem():
    error = ConfigError(["epochs is wrong.", "size is wrong."])
    assert error.problems == ["epochs is wrong.", "size is wrong."]
    assert str(error) == "epochs is wrong. size is wrong."


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("epoch", ["epochs", "size"], ' Did you mean "epochs"?'),
        ("szie", ["epochs", "size"], ' Did you mean "size"?'),
        ("CHIHUAHUA", ["Pug", "Chihuahua"], ' Did you mean "Chihuahua"?'),
        ("adamW", ["adam", "adamw"], ' Did you mean "adamw"?'),
        ("xyz", ["epochs", "size"], ""),
        ("", ["epochs"], ""),
        ("epochs", [], ""),
    ],
)
def test_did_you_mean(word, known, hint):
    assert did_you_mean(word, known) == hint


def test_unknown():
    assert unknown("optimizer", "adma", iter(["adam", "sgd"])) == (
        'unknown optimizer "adma". Did you mean "adam"? Expected one of: adam, sgd.'
    )
    assert unknown("device", "x", ["cpu"]) == 'unknown device "x". Expected one of: cpu.'


@pytest.mark.parametrize(
    ("number", "where", "said"),
    [
        (
            errno.ENOSPC,
            "/d/out.csv",
            "No space left on device: /d/out.csv. Free some space; the same command then goes on "
            "from what is there.",
        ),
        (
            errno.EROFS,
            "/d",
            "Read-only file system: /d. Choose a place that may be written.",
        ),
        (
            errno.EACCES,
            "/d",
            "Permission denied: /d. Choose another place, or ask for the right to use this one.",
        ),
        (errno.EIO, None, "Input/output error."),
    ],
)
def test_what_the_system_refused(number, where, said):
    assert system_error(OSError(number, os.strerror(number), where)) == said
