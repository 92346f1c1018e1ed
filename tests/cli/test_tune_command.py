"""classeur tune, as a user meets it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
SMALL = ("--recipe", "dense", "--size", 8, "--epochs", 1)


def test_tune(classeur: Command, photos: Path) -> None:
    shown = classeur("tune", photos, *SMALL, "--trials", 2, "--search", "learning_rate,dropout")
    assert shown.code == 0
    head, _, first, second, *_ = shown.out.splitlines()
    assert head.split() == [
        "trial", "validation", "log-loss", "epoch", "learning_rate", "dropout", "time"
    ]  # fmt: skip
    assert {first.split()[0], second.split()[0]} == {"0", "1"}
    assert "The test split was not opened." in shown.out
    assert shown.out.splitlines()[-3:] == [
        "recipe: tune/best.toml",
        "page:   tune/index.html",
        f"compare on the test split: classeur study {photos} --rungs dense,tune/best.toml "
        "--size 8 --epochs 1",
    ]
    lines = shown.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["[1/2] trial 0", "[2/2] trial 1"]

    study = classeur("-q", "train", photos, "--recipe", "tune/best.toml")
    assert study.code == 0
    assert Path("runs/dense-tuned/report.html").is_file()


def test_an_interrupted_search_says_how_to_go_on(
    classeur: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("classeur.training.loop.validate", interrupt)
    shown = classeur("tune", photos, *SMALL)
    assert (shown.code, shown.out) == (130, "")
    assert shown.err == "interrupted; the same command goes on where it stopped\n"


def test_without_optuna(classeur: Command, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    shown = classeur("tune", photos, *SMALL)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == (
        'error: a search needs Optuna. Install it with: pip install "classeur[tune]"\n'
    )
