"""Score a run: what is read when, and what is written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from classeur.data.manifest import Manifest
from classeur.errors import RunFolderError
from classeur.evaluation import evaluate
from classeur.evaluation.evaluate import (
    RunMetrics,
    evaluate_run,
    predict_rows,
    read_metrics,
    record_opening,
)
from classeur.evaluation.metrics import measure
from classeur.evaluation.openings import openings_of
from classeur.evaluation.predictions import read_predictions
from classeur.models.classifier import Classifier, count_parameters
from classeur.run_folder import RunFolder, read_json_lines


def test_evaluate_writes_predictions_and_metrics(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    result = evaluate_run(run, photos, manifest, reason="a test")
    assert sorted(p.name for p in run.path.iterdir()) == [
        "config.toml", "metrics.json", "model.json", "model.safetensors",
        "novelty.safetensors", "predictions.parquet", "test_openings.jsonl",
    ]  # fmt: skip
    assert read_metrics(run) == result
    classifier = Classifier.load(run)
    assert result.class_names == ["ape", "bee", "cat"]
    assert result.parameters == count_parameters(classifier.network)
    assert result.disk_bytes == run.weights.stat().st_size
    assert result.latency_ms > 0
    assert list(result.splits) == ["train", "val", "test"]
    assert (result.splits["val"].photos, result.splits["test"].photos) == (20, 11)
    assert result.splits["train"].photos == 20  # of 59: no more than of validation


def test_predictions_are_those_of_the_validation_and_test_photos_in_order(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    result = evaluate_run(run, photos, manifest, reason="a test")
    written = read_predictions(run.predictions)
    rows = [i for i, row in enumerate(manifest.rows) if row.split != "train"]
    assert written.paths == [manifest.rows[i].path for i in rows]
    assert written.splits == [manifest.rows[i].split for i in rows]
    names = [written.class_names[i] for i in written.labels]
    assert names == [manifest.rows[i].label for i in rows]
    classifier = Classifier.load(run)
    expected = classifier.probabilities(classifier.logits(photos[rows]))
    np.testing.assert_allclose(written.probabilities, expected, atol=1e-6)
    test = written.of_split("test")
    assert result.splits["test"] == measure(test.labels, test.probabilities, test.class_names)


class Witness:
    """Photos that note what was on record when their rows were read."""

    def __init__(self, photos: np.ndarray, run: RunFolder) -> None:
        self.photos, self.run = photos, run
        self.openings: list[int] = []

    def __getitem__(self, rows: Any) -> np.ndarray:
        self.openings.append(len(read_json_lines(self.run.test_openings)))
        return np.asarray(self.photos[rows])


def test_the_opening_is_on_record_before_a_photo_is_read(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    witness = Witness(photos, run)
    evaluate_run(run, witness, manifest, reason="a test")
    assert set(witness.openings) == {1}


def test_the_opening_stays_on_record_when_the_evaluation_fails(
    run: RunFolder, photos: np.ndarray, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(evaluate, "predict_rows", fail)
    with pytest.raises(MemoryError):
        evaluate_run(run, photos, manifest, reason="a test")
    (opening,) = read_json_lines(run.test_openings)
    assert opening["reason"] == "a test"
    assert opening["photos"] == 11
    assert opening["when"].endswith("+00:00")
    assert not run.metrics.exists()


def test_every_opening_is_a_line(run: RunFolder, photos: np.ndarray, manifest: Manifest) -> None:
    assert record_opening(run, "first", 11) == 1
    evaluate_run(run, photos, manifest, reason="second")
    assert record_opening(run, "third\nof them", 11) == 3
    lines = [line for line in read_json_lines(run.test_openings) if "of" not in line]
    assert [line["reason"] for line in lines] == ["first", "second", "third\nof them"]


def test_a_scoring_that_was_broken_off_goes_on_under_its_own_opening(
    run: RunFolder, photos: np.ndarray, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "predict_rows", fail)
        with pytest.raises(MemoryError):
            evaluate_run(run, photos, manifest, reason="end of training")
    assert [opening.accuracy for opening in openings_of(run)] == [None]
    metrics = evaluate_run(run, photos, manifest, reason="end of training")
    accuracy = metrics.splits["test"].accuracy.value
    assert [opening.accuracy for opening in openings_of(run)] == [accuracy]
    evaluate_run(run, photos, manifest, reason="end of training")
    assert [opening.accuracy for opening in openings_of(run)] == [accuracy, accuracy]


def test_a_run_without_weights_opens_nothing(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    run.weights.unlink()
    with pytest.raises(RunFolderError):
        evaluate_run(run, photos, manifest, reason="a test")
    assert not run.test_openings.exists()


def test_evaluating_twice_gives_the_same(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    first = evaluate_run(run, photos, manifest, reason="one", device=torch.device("cpu"))
    second = evaluate_run(run, photos, manifest, reason="two")
    assert first.splits == second.splits


def test_predict_rows_keeps_the_order_of_the_rows(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    classifier = Classifier.load(run)
    whole = predict_rows(classifier, photos, manifest, np.arange(90))
    some = predict_rows(classifier, photos, manifest, np.array([40, 3, 3]))
    assert some.paths == [manifest.rows[i].path for i in (40, 3, 3)]
    np.testing.assert_allclose(some.probabilities, whole.probabilities[[40, 3, 3]], atol=1e-6)


def test_metrics_that_are_not_there_yet(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match=r"unfinished run: it has no metrics\.json yet"):
        read_metrics(run)


@pytest.fixture
def scored(run: RunFolder) -> RunFolder:
    """A run with a metrics.json."""
    some = measure(np.array([0, 1, 2]), np.eye(3), ["ape", "bee", "cat"], resamples=10)
    RunMetrics(["ape", "bee", "cat"], {"val": some, "test": some}, 7, 8, 0.5).write(run)
    return run


def edit(run: RunFolder, changes: dict[str, object]) -> None:
    values = json.loads(run.metrics.read_text(encoding="utf-8"))
    run.metrics.write_text(json.dumps({**values, **changes}), encoding="utf-8")


def test_metrics_survive_the_disk(scored: RunFolder) -> None:
    found = read_metrics(scored)
    assert (found.class_names, found.parameters) == (["ape", "bee", "cat"], 7)
    assert (found.disk_bytes, found.latency_ms) == (8, 0.5)
    assert found.splits["val"].accuracy.value == 1.0


def test_metrics_of_another_version(scored: RunFolder) -> None:
    edit(scored, {"version": 2})
    with pytest.raises(RunFolderError) as raised:
        read_metrics(scored)
    assert str(raised.value) == (
        f"{scored.metrics} is of version 2; this Classeur reads version 1. Delete it, then score "
        f'the run again with: classeur train --resume "{scored.path}"'
    )


@pytest.mark.parametrize("changes", [{"splits": None}, {"splits": {"val": {}}}, {"speed": 3}])
def test_metrics_that_are_broken(scored: RunFolder, changes: dict[str, object]) -> None:
    edit(scored, changes)
    with pytest.raises(RunFolderError) as raised:
        read_metrics(scored)
    assert str(raised.value).startswith(f"{scored.metrics} is broken: ")
