"""Score a trained run: predictions, figures of merit, and what it costs to run."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.data.manifest import Manifest
from classeur.data.near_findings import Copies
from classeur.errors import RunFolderError
from classeur.evaluation.leaks import LeakEffect, measure_leaks
from classeur.evaluation.metrics import Metrics, measure
from classeur.evaluation.predictions import Predictions
from classeur.models.classifier import Classifier, count_parameters, logits_of
from classeur.run_folder import (
    RunFolder,
    append_json_line,
    now,
    read_json,
    read_json_lines,
    write_json,
)  # fmt: skip

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
    leaks: LeakEffect | None = None
    """What copies of training photos among the test photos do to its accuracy. None: no copies."""

    def write(self, run: RunFolder) -> None:
        """Write metrics.json."""
        splits = {name: metrics.to_dict() for name, metrics in self.splits.items()}
        leaks = {"leaks": asdict(self.leaks) if self.leaks else None}
        write_json(
            run.metrics, {"version": METRICS_VERSION, **vars(self), "splits": splits, **leaks}
        )


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
        leaks = values.pop("leaks", None)  # there was none once
        effect = LeakEffect.from_dict(leaks) if leaks else None
        return RunMetrics(splits=splits, leaks=effect, **values)
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
    copies: Copies | None = None,
) -> RunMetrics:
    """Score a run on its own splits; write predictions.parquet and metrics.json.

    The opening of the test split is recorded before a photo of it is read.

    Args:
        run: a trained run.
        photos: (N, H, W, C) uint8, in the order of the manifest.
        manifest: the run's own.
        reason: why the test split is opened.
        device: where to compute; None: the CPU.
        batch_size: photos for each pass through the network.
        copies: test photos that have a copy among the training photos. None: not known.
    """
    classifier = Classifier.load(run, device)
    record_opening(run, reason, len(manifest.indices("test")))
    scored = predict_rows(
        classifier, photos, manifest, _rows(manifest, ("val", "test")), batch_size
    )
    scored.write(run.predictions)
    train = manifest.indices("train")
    step = math.ceil(len(train) / max(1, len(manifest.indices("val"))))
    seen = predict_rows(classifier, photos, manifest, train[::step], batch_size)
    by_split = {"train": seen, "val": scored.of_split("val"), "test": scored.of_split("test")}
    result = RunMetrics(
        classifier.class_names,
        {name: measure_predictions(some) for name, some in by_split.items()},
        count_parameters(classifier.network),
        run.weights.stat().st_size,
        latency(classifier),
        measure_leaks(by_split["test"], copies) if copies else None,
    )
    result.write(run)
    return result


def measure_predictions(predictions: Predictions) -> Metrics:
    """Return the figures of merit of predictions."""
    return measure(predictions.labels, predictions.probabilities, predictions.class_names)


def predict_rows(
    classifier: Classifier,
    photos: NDArray[np.uint8],
    manifest: Manifest,
    rows: NDArray[np.int64],
    batch_size: int = BATCH_SIZE,
) -> Predictions:
    """Return the predictions for rows of a manifest."""
    index = {name: i for i, name in enumerate(classifier.class_names)}
    logits = torch.cat(list(logits_of(classifier, photos, rows, batch_size)))
    return Predictions(
        [manifest.rows[i].path for i in rows],
        [manifest.rows[i].split for i in rows],
        np.array([index[manifest.rows[i].label] for i in rows], np.int64),
        classifier.probabilities(logits),
        classifier.class_names,
    )


def record_opening(run: RunFolder, reason: str, photos: int) -> int:
    """Record that the test split is read now; return how often it has been."""
    append_json_line(run.test_openings, {"when": now(), "reason": reason, "photos": photos})
    return len(read_json_lines(run.test_openings))


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
