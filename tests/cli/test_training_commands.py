"""The commands that train, from photos to what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_train(classeur: Command, photos: Path) -> None:
    shown = classeur("-q", "train", photos, "--recipe", "majority", "--size", 8)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("test split of runs/majority: 8 photos\n")
    assert "accuracy           0.5000" in shown.out
    assert shown.out.endswith("\nreport: runs/majority/report.html\n")
    assert Path("runs/majority/report.html").is_file()

    again = classeur("-q", "train", "--resume", "runs/majority")  # finished: nothing left to do
    assert (again.code, again.out) == (0, shown.out)
    taken = classeur("train", photos, "--recipe", "majority", "--to", "runs/majority")
    assert taken.code == 1
    assert taken.err == (
        'error: runs/majority is there already. Go on with it by --resume "runs/majority", or '
        "choose another folder with --to.\n"
    )


def test_train_reports_its_epochs_on_stderr(classeur: Command, photos: Path) -> None:
    asked = ("train", photos, "--recipe", "dense", "--size", 8, "--epochs", 1)
    shown = classeur(*asked)
    assert shown.code == 0
    assert "epoch 1: loss " in shown.err
    assert "epoch" not in shown.out
    again = classeur(*asked)
    assert "runs/dense is there already: this run is runs/dense-2\n" in again.err
    assert again.out.endswith("\nreport: runs/dense-2/report.html\n")


def test_train_says_where_its_trackers_write(
    classeur: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    trackers = ("--track", "tensorboard", "--track", "mlflow")
    shown = classeur("train", photos, "--recipe", "majority", "--size", 8, *trackers)
    database = Path("runs/mlflow.db").resolve()
    assert shown.out.splitlines()[-2:] == [
        "tensorboard: runs/majority/tensorboard",
        f"mlflow: sqlite:///{database}",
    ]
    assert database.is_file()
    assert list(Path("runs/majority/tensorboard").iterdir())


def test_an_interrupted_training_says_how_to_go_on(
    classeur: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("classeur.training.loop.validate", interrupt)
    shown = classeur("train", photos, "--recipe", "dense", "--size", 8)
    assert (shown.code, shown.out) == (130, "")
    assert shown.err.splitlines()[-1] == (
        'interrupted; go on with: classeur train --resume "runs/dense"'
    )


def test_photos_too_small_for_the_network(classeur: Command, photos: Path) -> None:
    shown = classeur("-q", "train", photos, "--recipe", "conv3", "--size", 8)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == (
        "error: conv3 needs photos of at least 22×22 pixels, received 8×8. "
        "Choose a larger size, or conv1.\n"
    )


@pytest.mark.usefixtures("here")
def test_study_goes_on_after_a_rung_that_fails(classeur: Command, photos: Path) -> None:
    shown = classeur("-q", "study", photos, "--rungs", "majority,conv3", "--size", 8)
    assert shown.code == 1
    lines = shown.out.splitlines()
    assert lines[0].split()[:3] == ["rung", "validation", "test"]
    assert lines[2].split()[:3] == ["majority", "0.5000", "0.5000"]
    assert lines[-2:] == [
        "binder: binder/index.html",
        'predict with the best: classeur predict "binder/majority" PHOTOS',
    ]
    assert shown.err.splitlines()[-1].startswith("failed: conv3: conv3 needs photos of at least")
    assert Path("binder/index.html").is_file()
    assert json.loads(Path("binder/comparison.json").read_text())


def test_study_refuses_what_cannot_be(classeur: Command, photos: Path) -> None:
    shown = classeur("study", photos, "--rungs", "dense,dense,conv9", "--seeds", 0)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.count("\n") == 1
    for problem in (
        "seeds must be at least 1, received 0.",
        "rungs names dense twice.",
        'unknown recipe "conv9".',
    ):
        assert problem in shown.err
    assert list(Path.cwd().iterdir()) == []
