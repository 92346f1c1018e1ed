"""The sheet of one run, as a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classeur.config import RunConfig
from classeur.data.manifest import Manifest, read_manifest
from classeur.data.store import Store
from classeur.evaluation.evaluate import RunMetrics, read_metrics
from classeur.evaluation.openings import openings_of
from classeur.evaluation.predictions import Predictions, read_predictions
from classeur.evaluation.risk import RiskCurve, risk_curve
from classeur.evaluation.slices import worst_slice
from classeur.models.classifier import Classifier
from classeur.models.summary import Layer, summarize
from classeur.report.confused import ConfusedPair, confused_pairs
from classeur.report.folds import describe_fold
from classeur.report.heat import Warmth, warmth_of
from classeur.report.leaks import describe_leaks, describe_val_leaks
from classeur.report.photos import Album, PhotoCard, data_uri, is_small
from classeur.report.strange import Strange, strange_photos
from classeur.report.unseen import part_of_test
from classeur.report.words import (
    describe_fit,
    describe_imbalance,
    describe_slices,
    describe_split,
    describe_tuning,
)
from classeur.run_folder import RunFolder, printable, read_json
from classeur.training.history import EpochRow, read_history
from classeur.training.transfer import head_stage

EXAMPLES = 20
"""Test photos shown with their predictions."""

MISTAKES = 12
"""Test photos shown whose label had the smallest probability."""


SMALL_TEST = 200
"""Test photos of a second confusion matrix, drawn at random, where there are five times as many."""


@dataclass(frozen=True)
class RunReport:
    """All that a sheet shows."""

    name: str
    config: RunConfig
    description: str
    """Of the recipe; empty for one that is not ours."""
    layers: list[Layer]
    history: list[EpochRow]
    metrics: RunMetrics
    training: dict[str, Any]
    """training.json: why it stopped, best epoch, seconds, peak memory."""
    environment: dict[str, Any]
    test_openings: list[dict[str, Any]]
    sentences: list[str]
    """What the figures say, in words."""
    examples: list[PhotoCard]
    mistakes: list[PhotoCard]
    backbone: dict[str, str] = field(default_factory=dict)
    """Name, source, licence and photos of the pre-trained weights it began with; empty: none."""
    class_sizes: dict[str, int] = field(default_factory=dict)
    """Class -> its training photos."""
    small_test: list[list[int]] = field(default_factory=list)
    """Confusion matrix of `SMALL_TEST` test photos; empty where there are few anyway."""
    curve: RiskCurve | None = None
    """Risk against coverage on the test photos."""
    pairs: list[ConfusedPair] = field(default_factory=list)
    """The classes that are confused most."""
    strange: Strange | None = None
    """Test photos that resemble nothing the run has seen; None: the run cannot tell."""
    binder: str = ""
    """Address of the binder it belongs to, relative to the run folder. Empty: none."""

    @property
    def part_of_test(self) -> list[str]:
        """What part the test photos had in training and in choices, in sentences."""
        return part_of_test(self.config.data.folds, self.metrics.leaks, self.test_openings)


def build_run_report(run: RunFolder, root: Path, store: Store | None) -> RunReport:
    """Read a finished run and return its sheet.

    Args:
        run: trained and evaluated.
        root: the folder that the manifest's paths are relative to.
        store: its prepared photos, shown where a file is no longer there.
    """
    metrics = read_metrics(run)
    config = RunConfig.from_toml(run.config)
    history = read_history(run.history)
    classifier = Classifier.load(run)
    height, width, channels = classifier.preprocessing.geometry.shape
    predictions = read_predictions(run.predictions)
    test = predictions.of_split("test")
    manifest = read_manifest(run.manifest)
    counts = manifest.counts()["train"]
    class_sizes = {name: counts.get(name, 0) for name in metrics.class_names}
    album = _Pictures(root, store, manifest)
    warmth = warmth_of(classifier)
    return RunReport(
        name=run.path.name,
        config=config,
        description=config.description,
        layers=summarize(classifier.network, (channels, height, width)),
        history=history,
        metrics=metrics,
        training=read_json(run.training),
        environment=read_json(run.environment),
        test_openings=[asdict(opening) for opening in openings_of(run)],
        sentences=[
            *describe_fold(config.data),
            *describe_fit(history, metrics),
            *describe_tuning(read_history(head_stage(run).history), history),
            *describe_split(metrics.splits["test"], metrics.class_names),
            *describe_imbalance(metrics.splits["test"], class_sizes),
            *([describe_slices(metrics.slices)] if worst_slice(metrics.slices) else []),
            *describe_leaks(metrics.leaks),
            *describe_val_leaks(metrics.val_leaks),
        ],
        examples=[album.card(test, row) for row in _spread(test, EXAMPLES)],
        mistakes=[album.card(test, row, warmth) for row in _worst(test, MISTAKES)],
        backbone=classifier.backbone,
        class_sizes=class_sizes,
        small_test=small_test(test),
        curve=risk_curve(test.confidence, test.correct, test.groups),
        pairs=confused_pairs(test, album.card),
        strange=strange_photos(test, predictions.of_split("val"), album.card, metrics.novelty),
        binder="../index.html" if (run.path.parent / "study.toml").is_file() else "",
    )


def write_run_report(run: RunFolder, root: Path, store: Store | None = None) -> RunReport:
    """Build the sheet of a run and write README.md, report.md and report.html."""
    from classeur.report.model_card import build_model_card
    from classeur.report.render import render_card, render_run

    report = build_run_report(run, root, store)
    card = build_model_card(report, read_manifest(run.manifest), root, store)
    render_card(card, run.card)
    render_run(report, run.path)
    return report


def small_test(predictions: Predictions) -> list[list[int]]:
    """Return the confusion matrix of `SMALL_TEST` photos; empty for fewer than five times that."""
    count, classes = len(predictions.paths), len(predictions.class_names)
    if count < 5 * SMALL_TEST:
        return []
    rows = _spread(predictions, SMALL_TEST)
    cells = predictions.labels[rows] * classes + predictions.predicted[rows]
    matrix: list[list[int]] = (
        np.bincount(cells, minlength=classes**2).reshape(classes, classes).tolist()
    )
    return matrix


class _Pictures:
    """Cards for rows of predictions."""

    def __init__(self, root: Path, store: Store | None, manifest: Manifest) -> None:
        self._album = Album(root)
        self._hashes = {row.path: row.sha256 for row in manifest.rows}
        self._store = store
        # Predictions hold paths as printable text; the disk wants them as they are.
        self._rows = {printable(path): i for i, path in enumerate(store.paths())} if store else {}
        self._paths = store.paths() if store else []

    def card(self, predictions: Predictions, row: int, warmth: Warmth | None = None) -> PhotoCard:
        path, prepared = predictions.paths[row], None
        at = path
        if self._store is not None and path in self._rows:
            at = self._paths[self._rows[path]]
            prepared = np.asarray(self._store.photos[self._rows[path]])
        image, stands_in = self._album.picture(at, prepared, self._hashes.get(at, ""))
        label, predicted = int(predictions.labels[row]), int(predictions.predicted[row])
        heat = ""
        if warmth is not None and prepared is not None:
            heat = data_uri(warmth.over(image, prepared, predicted, is_square=stands_in))
        strangeness = predictions.strangeness
        return PhotoCard(
            data_uri(image),
            path,
            predictions.class_names[label],
            predictions.class_names[predicted],
            float(predictions.confidence[row]),
            float(predictions.probabilities[row, label]),
            is_small(image),
            heat,
            None if strangeness is None else float(strangeness[row]),
        )


def _spread(predictions: Predictions, number: int) -> list[int]:
    """Return rows drawn at random, the same for every run on the same split, in their order."""
    random = np.random.default_rng(0)
    count = len(predictions.paths)
    return sorted(random.permutation(count)[:number].tolist())


def _worst(predictions: Predictions, number: int) -> list[int]:
    """Return the wrong rows whose label had the smallest probability, the worst first."""
    of_label = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    wrong = np.flatnonzero(~predictions.correct)
    order: list[int] = wrong[np.argsort(of_label[wrong], kind="stable")][:number].tolist()
    return order
