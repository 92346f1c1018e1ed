"""The list of pre-trained networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classeur.models import weights

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vgg11.safetensors").touch()
    monkeypatch.setenv(weights.FOLDER, str(tmp_path))


def test_a_pattern(classeur: Command, cache: Path) -> None:
    shown = classeur("models", "--filter", "vgg1[13]")
    assert shown.code == 0
    lines = [line.split() for line in shown.out.splitlines()]
    assert [line[0] for line in lines[2:]] == ["vgg11", "vgg13"]
    assert lines[2][1:] == ["128.8", "M", "224", "at", "hand", "bsd-3-clause"]
    assert lines[3][4:6] == ["on", "the"]
    assert len(list(cache.glob("parameters-timm-*.json"))) == 1


def test_at_hand(classeur: Command) -> None:
    shown = classeur("models", "--filter", "vgg1*", "--at-hand")
    assert [line.split()[0] for line in shown.out.splitlines()[2:]] == ["vgg11"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--filter", "no-such*"], 'timm has no network that matches "no-such*".'),
        (["--filter", "vgg16", "--at-hand"], "no weights are at hand; see --weights and "),
    ],
)
def test_nothing_to_list(classeur: Command, arguments: list[str], message: str) -> None:
    shown = classeur("models", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert message in shown.err
