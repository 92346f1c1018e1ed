"""What copies of training photos among the test photos do to a score."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from classeur.data.near_findings import Copies, CopiesAcross
from classeur.evaluation.evaluate import evaluate_run, measure_predictions, read_metrics
from classeur.evaluation.leaks import LeakEffect, ValLeaks, measure_leaks, without_copies
from classeur.evaluation.predictions import Predictions

NONE = Copies([], [])


def across(test=NONE, val=NONE, test_in_val=NONE):
    return CopiesAcross(test, val, test_in_val)


def predictions(right, count=10):
    labels = np.zeros(count, np.int64)
    probabilities = np.full((count, 2), 0.3, np.float32)
    probabilities[np.arange(count), np.where(np.arange(count) < right, 0, 1)] = 0.7
    return Predictions(
        [f"{i}.png" for i in range(count)], ["test"] * count, labels, probabilities, ["a", "b"]
    )


def test_with_and_without():
    effect = measure_leaks(predictions(right=6), Copies(["0.png"], ["1.png", "2.png"]))
    assert (effect.exact, effect.near, effect.photos) == (1, 2, 7)
    assert effect.accuracy.value == 0.6
    assert effect.without.value == 3 / 7
    assert effect.without.low < 3 / 7 < effect.without.high


def test_with_and_without_are_over_the_groups():
    scored = dataclasses.replace(
        predictions(right=30, count=60), groups=[f"{i // 6}" for i in range(60)]
    )
    effect = measure_leaks(scored, Copies([f"{i}.png" for i in range(6)], []))
    naive = measure_leaks(predictions(right=30, count=60), Copies(["0.png"], []))
    assert effect.accuracy == measure_predictions(scored).accuracy
    for found in (effect.accuracy, effect.without):
        assert found.high - found.low > 2 * (naive.accuracy.high - naive.accuracy.low)


def test_no_copies():
    assert measure_leaks(predictions(6), Copies([], [])) is None


def test_nothing_but_copies():
    effect = measure_leaks(predictions(6), Copies([f"{i}.png" for i in range(10)], []))
    assert (effect.photos, effect.without) == (0, None)
    assert LeakEffect.from_dict(dataclasses.asdict(effect)) == effect


def test_it_is_part_of_the_metrics(run, photos, manifest):
    test = [row.path for row in manifest.rows if row.split == "test"]
    result = evaluate_run(
        run, photos, manifest, reason="a test", copies=across(Copies(test[:2], test[2:3]))
    )
    assert (result.leaks.exact, result.leaks.near, result.leaks.photos) == (2, 1, 8)
    assert result.leaks.accuracy == result.splits["test"].accuracy
    assert read_metrics(run) == result


def test_metrics_of_an_older_run_have_none(run, photos, manifest):
    evaluate_run(run, photos, manifest, reason="a test")
    values = json.loads(run.metrics.read_text())
    del values["leaks"]
    run.metrics.write_text(json.dumps(values))
    assert read_metrics(run).leaks is None


def test_thresholds_do_without_validation_photos_that_were_learned(run, photos, manifest):
    val = [row.path for row in manifest.rows if row.split == "val"]
    test = [row.path for row in manifest.rows if row.split == "test"]
    every = evaluate_run(run, photos, manifest, reason="a test")
    assert (every.calibration.fitted_on, every.val_leaks) == (len(val), None)
    copies = across(val=Copies(val[:1], val[1:3]), test_in_val=Copies([], test[:2]))
    found = evaluate_run(run, photos, manifest, reason="a test", copies=copies)
    assert found.val_leaks == ValLeaks(3, len(val), 2)
    assert found.calibration.fitted_on == len(val) - 3
    assert found.splits["val"].photos == len(val)
    assert read_metrics(run) == found


def test_where_all_validation_photos_are_copies_there_is_nothing_else(run, photos, manifest):
    val = [row.path for row in manifest.rows if row.split == "val"]
    found = evaluate_run(run, photos, manifest, reason="a test", copies=across(val=Copies(val, [])))
    assert found.calibration.fitted_on == found.val_leaks.copied == len(val)


def test_only_validation_photos_are_left_out():
    mixed = dataclasses.replace(predictions(6), splits=["val"] * 5 + ["test"] * 5)
    copies = across(test=Copies(["9.png"], []), val=Copies(["0.png"], ["1.png"]))
    assert without_copies(mixed, copies) == list(range(2, 10))
    assert without_copies(mixed, None) == list(range(10))
