"""Score a finished run again: on its own splits, or on other labelled photos."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classeur.config import DataConfig
from classeur.data.manifest import read_manifest
from classeur.data.reader import PhotoReader
from classeur.data.records import SPLITS, Listing, Unreadable
from classeur.data.scan import scan
from classeur.errors import EvaluationError, did_you_mean, unknown
from classeur.evaluation.abstention import Reached, reached
from classeur.evaluation.evaluate import measure_predictions, predict_rows, slices_of
from classeur.evaluation.metrics import Metrics
from classeur.evaluation.openings import is_changed, openings_of, record_opening, record_score
from classeur.evaluation.photo_features import of_column
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.slices import Slice, score_slices
from classeur.inference.predictor import Predictor
from classeur.models.classifier import Classifier
from classeur.models.device import choose_device
from classeur.models.novelty import Novelty
from classeur.run_folder import RunFolder
from classeur.study.train import store_of

_GROUPS = ("group_from", "group_column")


@dataclass(frozen=True)
class Score:
    """Figures of merit of a run on some photos."""

    metrics: Metrics
    predictions: Predictions
    unreadable: list[Unreadable]
    """Files left out of every figure, and why."""
    openings: int = 0
    """How often the run's test split has been read, this time included; 0 if it was not."""
    known: dict[str, int] = field(default_factory=dict)
    """Of other photos: how many are the run's own, by the split they are in there."""
    changed: bool = False
    """Whether the network is another than at an earlier reading of the test split."""
    slices: list[Slice] = field(default_factory=list)
    """Accuracy on parts of the photos; of other photos, by the columns of their table."""
    reached: Reached | None = None
    """With `max_error`: how many of the photos are answered, and how many of these wrongly."""


def evaluate(
    run: Path | str,
    data: Path | str | None = None,
    *,
    split: str = "test",
    device: str = "cpu",
    max_error: float | None = None,
    **options: Any,
) -> Score:
    """Score a run.

    Args:
        run: a finished run.
        data: labelled photos in any layout. None: the run's own, in `split`.
        split: `train`, `val` or `test`. Reading the test split is recorded in the run.
        device: `cpu`, `cuda`, `mps` or `auto`.
        max_error: share of wrong answers to abstain for, 0.01 for 1 %, as for `predict`. None: the
            score of all answers alone.
        options: how to read `data`, as for `scan`: `layout`, `label_from`, `classes`, …. With
            `group_from` or `group_column`, intervals are over the groups.

    Raises:
        EvaluationError: if the split is unknown, or the photos have classes the run does not know.
        ConfigError: if `max_error` is not above 0 and below 1, or both options name groups.
        InferenceError: if the run cannot promise `max_error`.
        RunFolderError: if the run is not finished, or has no thresholds.
        DataError: if the photos are gone, have changed or cannot be read.
    """
    folder = RunFolder(Path(run))
    folder.require(folder.training)
    if split not in SPLITS:
        raise EvaluationError(unknown("split", split, SPLITS))
    DataConfig(**{name: options[name] for name in _GROUPS if name in options})  # says what is wrong
    classifier = Classifier.load(folder, choose_device(device))
    rule = None if max_error is None else classifier.rule(max_error)
    score = (
        _evaluate_split(folder, classifier, split)
        if data is None
        else _evaluate_on(folder, _predictor(folder, classifier), scan(data, **options))
    )
    if rule is None:
        return score
    return dataclasses.replace(score, reached=reached(score.predictions, rule, max_error or 0.0))


def _evaluate_split(folder: RunFolder, classifier: Classifier, split: str) -> Score:
    store, _ = store_of(folder)
    manifest = read_manifest(folder.manifest)
    rows = manifest.indices(split)
    openings = record_opening(folder, "evaluate", len(rows)) if split == "test" else 0
    predictions = predict_rows(classifier, store.photos, manifest, rows)
    metrics = measure_predictions(predictions)
    if openings:
        record_score(folder, metrics.accuracy.value)
    return Score(
        metrics,
        predictions,
        [],
        openings,
        changed=openings > 0 and is_changed(openings_of(folder)),
        slices=slices_of(predictions, store.photos, manifest, store.geometry.size),
    )


def _predictor(folder: RunFolder, classifier: Classifier) -> Predictor:
    return Predictor(classifier, Novelty.load(folder, classifier.network))


def _evaluate_on(run: RunFolder, predictor: Predictor, listing: Listing) -> Score:
    _check_classes(listing.labels(), predictor.class_names)
    known = _known(run, listing)
    openings = 0
    if known.get("test"):
        openings = record_opening(run, "evaluate on photos of the test split", known["test"])
    reader = PhotoReader(listing.root)
    contents = (functools.partial(reader.read_same, record) for record in listing.records)
    records, rows, unreadable = [], [], list(listing.unreadable)
    strangeness: list[float] = []
    for record, (_, row, error, strange) in zip(
        listing.records, predictor.rows(contents), strict=True
    ):
        if row is None:
            unreadable.append(Unreadable(record.path, error))
            continue
        records.append(record)
        rows.append(row)
        if strange is not None:
            strangeness.append(strange)
    if not records:
        raise EvaluationError(f"none of the photos at {listing.root} can be read.")
    index = {name: i for i, name in enumerate(predictor.class_names)}
    predictions = Predictions(
        [record.path for record in records],
        [record.split for record in records],
        np.array([index[record.label] for record in records], np.int64),
        np.stack(rows),
        predictor.class_names,
        [record.group for record in records],
        np.array(strangeness, np.float32) if predictor.tells_strange else None,
    )
    features = [
        feature
        for name, values in listing.columns.items()
        for feature in of_column(name, [values.get(record.path, "") for record in records])
    ]
    return Score(
        measure_predictions(predictions),
        predictions,
        unreadable,
        openings,
        known,
        openings > 0 and is_changed(openings_of(run)),
        score_slices(features, predictions.correct, [record.group for record in records]),
    )


def _known(run: RunFolder, listing: Listing) -> dict[str, int]:
    """Count the photos that the run has seen before, byte for byte, by their split there."""
    splits = {row.sha256: row.split for row in read_manifest(run.manifest).rows}
    return dict(Counter(splits[r.sha256] for r in listing.records if r.sha256 in splits))


def _check_classes(labels: Sequence[str], class_names: Sequence[str]) -> None:
    strangers = [label for label in labels if label not in class_names]
    if strangers:
        raise EvaluationError(
            f"the run does not know the classes {', '.join(strangers)}. "
            f"It knows: {', '.join(class_names)}.{did_you_mean(strangers[0], class_names)}"
        )
