"""Score a trained run: predictions, figures of merit, and what it costs to run."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.data.manifest import Manifest
from classeur.data.near_findings import CopiesAcross
from classeur.errors import RunFolderError
from classeur.evaluation.abstention import Reached, reached_levels
from classeur.evaluation.calibration import Calibration, calibrate, describe_calibration
from classeur.evaluation.leaks import (
    LeakEffect,
    ValLeaks,
    count_val_leaks,
    measure_leaks,
    without_copies,
)
from classeur.evaluation.metrics import Metrics, measure
from classeur.evaluation.novelty import distances_of_shuffled, novelty_of, remember
from classeur.evaluation.openings import record_opening, record_score
from classeur.evaluation.photo_features import brightness_of, photo_features
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.slices import Slice, score_slices
from classeur.models.classifier import Classifier, count_parameters, logits_of
from classeur.models.novelty import Novelty, measuring
from classeur.run_folder import RunFolder, read_json, write_json

METRICS_VERSION = 1

BATCH_SIZE = 64
"""Photos for each pass through the network, where nothing else is asked for."""


@dataclass(frozen=True)
class RunMetrics:
    """metrics.json as a value."""

    class_names: list[str]
    splits: dict[str, Metrics]
    """`train` (at most as many photos as validation has), `val` and `test`."""
    parameters: int
    """Trainable parameters."""
    disk_bytes: int
    """Size of the weights."""
    latency_ms: float
    """Time to classify one prepared photo, in milliseconds: the fastest quarter of 40 tries."""
    slices: list[Slice] = field(default_factory=list)
    """Accuracy on parts of the test photos. None: too few photos, or an older run."""
    calibration: Calibration | None = None
    """Of the test photos; None for a run that was scored before there was such a thing."""
    abstention: list[Reached] = field(default_factory=list)
    """What each level that validation can promise brings on the test photos."""
    leaks: LeakEffect | None = None
    """What copies of training photos among the test photos do to its accuracy. None: no copies."""
    novelty: float | None = None
    """How well own photos are told from the same cut up, as an area under the curve. None: nothing
    can be said of strange photos, or an older run."""
    val_leaks: ValLeaks | None = None
    """Copies that concern the validation photos. None: there are none, or an older run."""

    def write(self, run: RunFolder) -> None:
        """Write metrics.json."""
        splits = {name: metrics.to_dict() for name, metrics in self.splits.items()}
        own = {
            "splits": splits,
            "slices": [found.to_dict() for found in self.slices],
            "calibration": asdict(self.calibration) if self.calibration else None,
            "abstention": [some.to_dict() for some in self.abstention],
            "leaks": asdict(self.leaks) if self.leaks else None,
            "val_leaks": asdict(self.val_leaks) if self.val_leaks else None,
        }
        write_json(run.metrics, {"version": METRICS_VERSION, **vars(self), **own})


def read_metrics(run: RunFolder) -> RunMetrics:
    """Read metrics.json.

    Raises:
        RunFolderError: if it is missing, broken or of another version.
    """
    run.require(run.metrics)
    values: dict[str, Any] = read_json(run.metrics)
    try:
        version = values.pop("version")
        if version != METRICS_VERSION:
            raise RunFolderError(
                f"{run.metrics} is of version {version}; this Classeur reads version "
                f"{METRICS_VERSION}. Delete it, then score the run again with: "
                f'classeur train --resume "{run.path}"'
            )
        splits = {name: Metrics.from_dict(split) for name, split in values.pop("splits").items()}
        if (calibration := values.pop("calibration", None)) is not None:
            values["calibration"] = Calibration.from_dict(calibration)
        values["abstention"] = [Reached.from_dict(some) for some in values.pop("abstention", [])]
        values["slices"] = [Slice.from_dict(found) for found in values.pop("slices", [])]
        if (leaks := values.pop("leaks", None)) is not None:
            values["leaks"] = LeakEffect.from_dict(leaks)
        if (val_leaks := values.pop("val_leaks", None)) is not None:
            values["val_leaks"] = ValLeaks(**val_leaks)
        return RunMetrics(splits=splits, **values)
    except (AttributeError, KeyError, TypeError) as error:
        raise RunFolderError(f"{run.metrics} is broken: {error!r}.") from error


def evaluate_run(
    run: RunFolder,
    photos: NDArray[np.uint8],
    manifest: Manifest,
    *,
    reason: str,
    device: torch.device | None = None,
    batch_size: int = BATCH_SIZE,
    copies: CopiesAcross | None = None,
) -> RunMetrics:
    """Score a run on its own splits; write predictions.parquet and metrics.json.

    The temperature and the thresholds for abstaining are found on the validation photos, from
    logits that nothing has scaled, and saved in model.json; scoring a run again finds the same.

    The opening of the test split is recorded before a photo of it is read.

    Args:
        run: a trained run.
        photos: (N, H, W, C) uint8, in the order of the manifest.
        manifest: the run's own.
        reason: why the test split is opened.
        device: where to compute; None: the CPU.
        batch_size: photos for each pass through the network.
        copies: photos that have a copy in another split. None: not known. Validation photos with a
            copy in training have no part in the temperature and the thresholds.
    """
    classifier = Classifier.load(run, device)
    unseen = not run.metrics.is_file()
    record_opening(run, reason, len(manifest.indices("test")), may_go_on=unseen)
    unscaled, scored, novelty = _scored(run, classifier, photos, manifest, batch_size, copies)
    scored.write(run.predictions)
    train = manifest.indices("train")
    step = math.ceil(len(train) / max(1, len(manifest.indices("val"))))
    seen = predict_rows(classifier, photos, manifest, train[::step], batch_size)
    by_split = {"train": seen, "val": scored.of_split("val"), "test": scored.of_split("test")}
    splits = {name: measure_predictions(some) for name, some in by_split.items()}
    result = RunMetrics(
        classifier.class_names,
        splits,
        count_parameters(classifier.network),
        run.weights.stat().st_size,
        latency(classifier),
        slices_of(by_split["test"], photos, manifest, classifier.preprocessing.geometry.size),
        describe_calibration(
            classifier.temperature,
            unscaled,
            scored.of_rows(without_copies(scored, copies)),
            splits["test"].log_loss,
        ),
        reached_levels(by_split["test"], classifier.abstention),
        measure_leaks(by_split["test"], copies.test) if copies else None,
        novelty.auroc if novelty else None,
        count_val_leaks(splits["val"].photos, copies) if copies else None,
    )
    result.write(run)
    record_score(run, splits["test"].accuracy.value)
    return result


def _scored(
    run: RunFolder, classifier: Classifier, photos: NDArray[np.uint8], manifest: Manifest,
    batch_size: int, copies: CopiesAcross | None,
) -> tuple[Predictions, Predictions, Novelty | None]:  # fmt: skip
    """Return predictions for the validation and test photos, before and after calibration.

    And what tells strange photos, if anything does.

    Writes what the run needs to calibrate, to abstain and to tell what is strange.
    """
    rows = _rows(manifest, ("val", "test"))
    known = remember(classifier, photos, manifest, batch_size)
    distances: list[NDArray[np.float32]] = []
    with ExitStack() as watch:
        if known is not None:
            distances = watch.enter_context(measuring(classifier.network, known))
        logits = _logits(classifier, photos, rows, batch_size)
    classifier.temperature = 1.0  # whatever an earlier scoring found
    unscaled = _predictions(classifier, logits, manifest, rows)
    own = without_copies(unscaled, copies)
    calibrate(classifier, logits[own], unscaled.of_rows(own))
    classifier.save_facts(run)
    scored = _predictions(classifier, logits, manifest, rows)
    if known is None:
        return unscaled, scored, None
    shuffled = distances_of_shuffled(classifier, known, photos, manifest, batch_size)
    novelty, scored = novelty_of(known, scored, np.concatenate(distances), shuffled)
    novelty.save(run)
    return unscaled, scored, novelty


def measure_predictions(predictions: Predictions) -> Metrics:
    """Return the figures of merit of predictions; intervals are over groups if there are any."""
    return measure(
        predictions.labels,
        predictions.probabilities,
        predictions.class_names,
        groups=predictions.groups,
    )


def predict_rows(
    classifier: Classifier,
    photos: NDArray[np.uint8],
    manifest: Manifest,
    rows: NDArray[np.int64],
    batch_size: int = BATCH_SIZE,
) -> Predictions:
    """Return the predictions for rows of a manifest."""
    logits = _logits(classifier, photos, rows, batch_size)
    return _predictions(classifier, logits, manifest, rows)


def _logits(
    classifier: Classifier, photos: NDArray[np.uint8], rows: NDArray[np.int64], batch_size: int
) -> torch.Tensor:
    return torch.cat(list(logits_of(classifier, photos, rows, batch_size)))


def _predictions(
    classifier: Classifier, logits: torch.Tensor, manifest: Manifest, rows: NDArray[np.int64]
) -> Predictions:
    index = {name: i for i, name in enumerate(classifier.class_names)}
    return Predictions(
        [manifest.rows[i].path for i in rows],
        [manifest.rows[i].split for i in rows],
        np.array([index[manifest.rows[i].label] for i in rows], np.int64),
        classifier.probabilities(logits),
        classifier.class_names,
        [manifest.rows[i].unit for i in rows],
    )


def slices_of(
    predictions: Predictions, photos: NDArray[np.uint8], manifest: Manifest, size: int
) -> list[Slice]:
    """Return the accuracy on every slice of predictions for photos of a manifest.

    Args:
        predictions: of one split.
        photos: (N, H, W, C) uint8, in the order of the manifest.
        manifest: with all that is known of the photos.
        size: side of the square that the network sees, in pixels.
    """
    place = {row.path: i for i, row in enumerate(manifest.rows)}
    indices = np.array([place[path] for path in predictions.paths], np.int64)
    rows = [manifest.rows[i] for i in indices]
    features = photo_features(rows, brightness_of(photos, indices), size)
    return score_slices(features, predictions.correct, [row.unit for row in rows])


def latency(classifier: Classifier) -> float:
    """Return the milliseconds one photo takes; a low quantile, as other programs only add to it."""
    pixels = np.zeros((1, *classifier.preprocessing.geometry.shape), np.uint8)
    times = []
    for _ in range(40):
        started = time.perf_counter()
        classifier.probabilities(classifier.logits(pixels))
        times.append(time.perf_counter() - started)
    return 1000 * float(np.quantile(times, 0.25))


def _rows(manifest: Manifest, splits: tuple[str, ...]) -> NDArray[np.int64]:
    return np.sort(np.concatenate([manifest.indices(name) for name in splits]))
