"""Report values made by hand: nothing is trained here."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.pages import Page

from classeur.config import DataConfig, RunConfig
from classeur.data.inspect import Duplicates, Inspection, Spread
from classeur.data.records import Unreadable
from classeur.evaluation.comparison import Pair
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import ClassFigures, Figure, Metrics, measure
from classeur.models.summary import Layer
from classeur.report.photos import PhotoCard
from classeur.report.render import render_run, render_study
from classeur.report.run_report import RunReport
from classeur.report.study_report import RungSheet, StudyReport
from classeur.training.history import EpochRow

EVIL = "<script>alert(1)</script>"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def _names(count: int) -> list[str]:
    return sorted(["a|b", EVIL, "cat", "dög"] + [f"class {i:03d}" for i in range(count - 4)])[
        :count
    ]


def _metrics(
    class_names: list[str], skill: float = 3.0, seed: int = 0, photos: int = 60
) -> Metrics:
    random = np.random.default_rng(seed)
    labels = np.arange(photos) % len(class_names)
    logits = random.normal(0, 1, (photos, len(class_names)))
    logits[np.arange(photos), labels] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return measure(labels, probabilities, class_names, resamples=20)


def _run_metrics(class_names: list[str], skill: float = 3.0, seed: int = 0) -> RunMetrics:
    splits = {
        "train": _metrics(class_names, skill + 1, seed),
        "val": _metrics(class_names, skill, seed + 1),
        "test": _metrics(class_names, skill, seed + 2),
    }
    return RunMetrics(class_names, splits, 89_930, 360_448, 1.32)


def _history(epochs: int) -> list[EpochRow]:
    return [
        EpochRow(e, 2 / e, 1 - 0.5 / e, 1.9 / e + 0.02 * e, 0.9 - 0.5 / e, 1e-3, 1.5)
        for e in range(1, epochs + 1)
    ]


def _card(i: int, label: str, prediction: str = "") -> PhotoCard:
    return PhotoCard(PIXEL, f"{label}/photo {i}.jpg", label, prediction, 0.87, 0.02, True)


def _inspection(names: list[str], unreadable: int) -> Inspection:
    sizes = Spread(20, 64.0, 224.0, 1000.0, 4000, 301.5)
    return Inspection(
        photos=f"/photos/{EVIL}",
        layout="class-folders",
        total=1234,
        counts={"": {name: 10 + i for i, name in enumerate(names)}},
        imbalance=3.4,
        widths=sizes,
        heights=sizes,
        modes={"RGB": 1200, "L": 34},
        formats={"JPEG": 1234},
        passed_over={"hidden or system files": 3},
        unreadable=[Unreadable(f"{EVIL}/{i}.jpg", "is empty") for i in range(unreadable)],
        duplicates=[
            Duplicates(["a/1.jpg", "b/1.jpg"], ["cat", EVIL], ["train"]),
            Duplicates(["a/2.jpg", "a/3.jpg"], ["cat"], ["train", "test"]),
        ],
        samples={},
    )


def _sheet(name: str, rank: int, names: list[str], **changes: Any) -> RungSheet:
    epochs = 0 if name == "majority" else 6
    values: dict[str, Any] = {
        "name": name,
        "description": f"What {name} is.",
        "folder": name,
        "metrics": _run_metrics(names, 3.5 - 0.3 * rank, rank),
        "history": _history(epochs),
        "epochs": epochs,
        "best_epoch": max(0, epochs - 2),
        "stopped": "all 6 epochs were done",
        "seconds": 10.0 * 3**rank if epochs else 0.0,
        "peak_memory": 400_000_000,
        "overfits": rank == 1,
        "openings": 1,
    }
    return RungSheet(**values | changes)


@pytest.fixture
def evil() -> str:
    """A label that is a script if anybody lets it."""
    return EVIL


@pytest.fixture
def figure() -> Callable[..., Figure]:
    """`figure(0.9)`: a figure of merit with an interval of ±0.05."""
    return lambda value, room=0.05: Figure(value, value - room, value + room)


@pytest.fixture
def metrics_from() -> Callable[..., Metrics]:
    """`metrics_from([[9, 1], [2, 8]])`: metrics with that confusion matrix."""

    def make(confusion: list[list[int]], accuracy: Figure | None = None) -> Metrics:
        total, right = sum(map(sum, confusion)), sum(row[i] for i, row in enumerate(confusion))
        value = Figure(right / total, right / total - 0.03, right / total + 0.03)
        rows = [ClassFigures(f"c{i}", 0.5, 0.5, 0.5, sum(row)) for i, row in enumerate(confusion)]
        return Metrics(
            total, accuracy or value, value, value, Figure(0.5, 0.4, 0.6), None, 0, rows, confusion
        )

    return make


@pytest.fixture
def run_metrics() -> Callable[..., RunMetrics]:
    """`run_metrics(classes)`: figures of a run on so many classes."""
    return lambda classes=6, skill=3.0: _run_metrics(_names(classes), skill)


@pytest.fixture
def history() -> Callable[[int], list[EpochRow]]:
    """`history(6)`: so many epochs; the validation loss turns up at the end of long ones."""
    return _history


@pytest.fixture
def sheet() -> Callable[..., RungSheet]:
    """`sheet("conv3", rank, seconds=2.0)`: a rung."""
    return lambda name, rank=0, **changes: _sheet(name, rank, _names(6), **changes)


@pytest.fixture
def run_report() -> Callable[..., RunReport]:
    """`run_report(classes=6, mistakes=[])`: a sheet with anything changed."""

    def make(classes: int = 6, **changes: Any) -> RunReport:
        names = _names(classes)
        values: dict[str, Any] = {
            "name": f"conv3 {EVIL}",
            "config": RunConfig("conv3", data=DataConfig(photos="/p", classes=(EVIL, "x```y"))),
            "description": "Three convolutions.",
            "layers": [
                Layer("0", "Conv2d 3→32, 3×3", (32, 30, 30), 896),
                Layer("1", EVIL, (6,), 7),
            ],
            "history": _history(6),
            "metrics": _run_metrics(names),
            "training": {
                "epochs": 6, "best_epoch": 4, "seconds": 200.4, "peak_memory": 434_294_784,
                "stopped": "all 6 epochs were done",
            },
            "environment": {"packages": {"classeur": "0.1.0"}, "memory_bytes": 25_276_514_304},
            "test_openings": [
                {"when": "2026-11-21T09:41:21+00:00", "reason": f"end {EVIL}", "photos": 60}
            ],
            "sentences": [f"It confuses {EVIL} in 12 % of cases."],
            "examples": [_card(0, "cat", "cat"), _card(1, EVIL, "cat")],
            "mistakes": [_card(2, "cat", EVIL)],
        }  # fmt: skip
        return RunReport(**values | changes)

    return make


@pytest.fixture
def study_report() -> Callable[..., StudyReport]:
    """`study_report(rungs=5, unreadable=2)`: a binder with anything changed."""

    def make(
        rungs: int | list[RungSheet] = 4, classes: int = 6, unreadable: int = 2, **changes: Any
    ) -> StudyReport:
        names = _names(classes)
        if isinstance(rungs, int):
            every = ["conv3", EVIL, "a|b", "majority", *(f"rung number {i}" for i in range(rungs))]
            rungs = [_sheet(name, rank % 5, names) for rank, name in enumerate(every[:rungs])]
        difference = Figure(0.031, 0.01, 0.052)
        pairs = [
            Pair(
                a.name,
                b.name,
                difference,
                12,
                3,
                0.0004,
                0.0012 if (i + j) % 2 else 0.4,
                None if (i + j) % 2 else 1300,
            )
            for i, a in enumerate(rungs)
            for j, b in enumerate(rungs[i + 1 :])
        ]
        values: dict[str, Any] = {
            "title": f"Study of {EVIL}",
            "photos": "/photos",
            "settings": {"size": 48, "seeds": [0, 1], "nested": {"on": True, "off": None}},
            "class_names": names,
            "splits": {split: dict.fromkeys(names, 7) for split in ("test", "train", "val")},
            "inspection": _inspection(names, unreadable),
            "samples": {name: [_card(i, name) for i in range(2)] for name in names},
            "rungs": rungs,
            "failed": {"dense": f"the loss | became\nnan {EVIL}"},
            "pairs": pairs,
            "conclusion": ["conv3 is chosen at 90.1 %.", f"Better than {EVIL}."],
            "environment": {"packages": {"classeur": "0.1.0"}, "device": "cpu"},
        }
        return StudyReport(**values | changes)

    return make


@pytest.fixture
def guessing() -> Callable[[int], float]:
    """`guessing(classes)`: the log-loss of giving every class the same probability."""
    return math.log


@pytest.fixture
def run_page(run_report: Callable[..., RunReport], tmp_path: Path) -> Callable[..., Page]:
    def make(**changes: object) -> Page:
        render_run(run_report(**changes), tmp_path)
        return Page(tmp_path / "report.html")

    return make


@pytest.fixture
def study_page(study_report: Callable[..., StudyReport], tmp_path: Path) -> Callable[..., Page]:
    def make(**changes: object) -> Page:
        render_study(study_report(**changes), tmp_path)
        return Page(tmp_path / "index.html")

    return make
