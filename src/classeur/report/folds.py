"""A cross-validated rung in the binder: its folds' predictions pooled, their spread beside it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from classeur.config import DataConfig, RunConfig
from classeur.data.manifest import Manifest
from classeur.evaluation.calibration import (
    Calibration,
    describe_calibration,
    without_temperature,
)
from classeur.evaluation.evaluate import RunMetrics, measure_predictions, read_metrics
from classeur.evaluation.metrics import Figure
from classeur.evaluation.openings import openings_of
from classeur.evaluation.pooling import joined, pool_test, pool_val
from classeur.evaluation.predictions import Predictions, read_predictions
from classeur.report.study_report import RungSheet
from classeur.report.words import interval, overfits, percent
from classeur.run_folder import RunFolder, read_json

Splits = dict[str, dict[str, int]]
"""split -> label -> photos"""


def tested(runs: Sequence[RunFolder], stands: RunFolder) -> Predictions:
    """Return the test predictions of a rung: pooled over its folds, else of the run that stands
    for it."""
    if _is_folded(stands):
        return pool_test([read_predictions(run.predictions) for run in runs])
    return read_predictions(stands.predictions).of_split("test")


def in_folds(sheet: RungSheet, runs: Sequence[RunFolder]) -> RungSheet:
    """Return the sheet of a rung with the figures of all its folds; one without folds as it is.

    Test figures are of the pooled predictions, every photo once; validation figures of each photo
    that validates in some fold. What is of one network has no place among them: promises, parts of
    the test photos, strangeness. `folder`, the curves, the epochs and `temperature` stay those of
    the fold that validation likes best; time is that of all.
    """
    stands = next(run for run in runs if run.path.name == sheet.folder)
    if not _is_folded(stands):
        return sheet
    predictions = [read_predictions(run.predictions) for run in runs]
    metrics = [read_metrics(run) for run in runs]
    training = [read_json(run.training) for run in runs]
    splits = {
        "val": measure_predictions(pool_val(predictions)),
        "test": measure_predictions(pool_test(predictions)),
    }
    calibration = _pooled_calibration(sheet, predictions, metrics, splits["test"].log_loss)
    return dataclasses.replace(
        sheet,
        metrics=dataclasses.replace(
            sheet.metrics,
            splits=splits,
            calibration=calibration,
            abstention=[],
            slices=[],
            novelty=None,
        ),
        fold_temperatures=[each.calibration.temperature for each in metrics if each.calibration],
        calibration_error=calibration.after.error if calibration else None,
        seconds=sum(each["seconds"] for each in training),
        peak_memory=max(each["peak_memory"] for each in training),
        overfits=2 * sum(map(overfits, metrics)) > len(metrics),
        openings=max(len(openings_of(run)) for run in runs),
        seed_scores={},
        fold_scores={
            run.path.name: each.splits["test"].accuracy.value
            for run, each in zip(runs, metrics, strict=True)
        },
    )


def _pooled_calibration(
    sheet: RungSheet, folds: Sequence[Predictions], metrics: Sequence[RunMetrics], log_loss: Figure
) -> Calibration | None:
    """Return what the temperatures did, each to its own fold; None if a fold has none."""
    temperatures = [each.calibration.temperature for each in metrics if each.calibration]
    if sheet.temperature is None or len(temperatures) < len(folds):
        return None
    raw = [without_temperature(*each) for each in zip(folds, temperatures, strict=True)]
    unscaled, scaled = (joined([pool_val(some), pool_test(some)]) for some in (raw, folds))
    return describe_calibration(sheet.temperature, unscaled, scaled, log_loss)


def counts_of(manifest: Manifest, folds: Sequence[Manifest]) -> Splits:
    """Return the photos in each split; of folds, in the test split of each."""
    if folds:
        tests = enumerate((fold.counts()["test"] for fold in folds), 1)
        return {f"fold {number}": dict(sorted(labels.items())) for number, labels in tests}
    return {split: dict(sorted(labels.items())) for split, labels in manifest.counts().items()}


def training_sizes(manifest: Manifest, folds: Sequence[Manifest]) -> dict[str, int]:
    """Return the training photos of each class; of folds, their mean, rounded."""
    every = [split.counts()["train"] for split in (folds or [manifest])]
    total = sum(every, Counter())
    return {label: round(total[label] / len(every)) for label in sorted(total)}


def conclude_folds(sheet: RungSheet, conclusion: Sequence[str], *, alone: bool) -> list[str]:
    """Return a conclusion that says how a cross-validated rung was scored; others as they are.

    Args:
        sheet: of the chosen rung.
        conclusion: as of a study with one test split.
        alone: whether it is the only rung.
    """
    scores = sheet.fold_scores.values()
    if not scores:
        return list(conclusion)
    test, photos = sheet.test, sheet.metrics.splits["test"].photos
    why = "is the only approach" if alone else "had the best validation accuracy and is chosen"
    return [
        f"{sheet.name} {why}. Of all {photos:,} photos, each tested by the network of the one fold "
        f"that kept it out of training, it gets {percent(test.value)} right (95 % interval "
        f"{interval(test)}); fold by fold, {percent(min(scores))} to {percent(max(scores))}.",
        *conclusion[1:],
    ]


def describe_fold(data: DataConfig) -> list[str]:
    """Say on the sheet of one fold that it is one."""
    if not data.folds:
        return []
    return [
        f"This is fold {data.fold} of {data.folds}: its test split is one part of the photos, and "
        "the binder pools the test splits of all folds."
    ]


def _is_folded(run: RunFolder) -> bool:
    return RunConfig.from_toml(run.config).data.folds > 0
