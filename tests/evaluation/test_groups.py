"""Photos that come in groups: intervals and tests are over the groups."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest

from classeur.data.manifest import Manifest
from classeur.data.near_findings import Copies, CopiesAcross
from classeur.evaluation.comparison import compare, mcnemar, sign_flip
from classeur.evaluation.evaluate import evaluate_run, read_metrics
from classeur.evaluation.intervals import exact_interval
from classeur.evaluation.metrics import ClassFigures, Figure, Metrics, measure
from classeur.evaluation.predictions import Predictions, read_predictions
from classeur.evaluation.resampling import Units
from classeur.run_folder import RunFolder

NAMES = ["ape", "bee"]


def test_photos_without_a_group_are_groups_of_their_own() -> None:
    units = Units.of(["x", "", "y", "x", ""], 5)
    assert (units.count, units.grouped) == (4, True)
    assert units.of_photo.tolist() == [0, 1, 2, 0, 3]
    assert units.sizes.tolist() == [2, 1, 1, 1]


@pytest.mark.parametrize("groups", [[], ["", "", ""], ["a", "b", "c"], ["1", "", ""]])
def test_groups_of_one_photo_are_photos(groups: list[str]) -> None:
    """The name of a group is never taken for the place of a photo without one."""
    units = Units.of(groups, 3)
    assert (units.count, units.grouped) == (3, False)


def test_units_of_some_photos_are_those_they_are_in() -> None:
    units = Units.of(["x", "", "y", "x", ""], 5)
    some = units.among(np.array([3, 0, 4]))
    assert (some.of_photo.tolist(), some.count, some.grouped) == ([0, 0, 1], 2, True)
    masked = units.among(np.array([True, True, True, False, False]))
    assert (masked.count, masked.grouped) == (3, False)


def test_a_resample_draws_as_many_units_as_there_are() -> None:
    units = Units.of(["a", "a", "b", "c"], 4)
    weights = np.concatenate(list(units.resample(500, np.random.default_rng(0))))
    assert weights.shape == (500, 3)
    assert set(weights.sum(axis=1)) == {3.0}
    assert weights.mean(axis=0) == pytest.approx(np.ones(3), abs=0.1)


def copies(times: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Forty photos, each so many times: as a careless person counts them."""
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    of_label = random.uniform(0.2, 1.0, 40)
    probabilities = np.stack([of_label, 1 - of_label], axis=1)
    probabilities[labels == 1] = probabilities[labels == 1][:, ::-1]
    groups = [f"photo {i}" for i in range(40)]
    return labels.repeat(times), probabilities.repeat(times, axis=0), sorted(groups * times)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"])
def test_copies_of_photos_make_no_interval_shorter(name: str) -> None:
    labels, probabilities, _ = copies(1)
    groups = [f"photo {i}" for i in range(40) for _ in range(10)]
    once = getattr(measure(labels, probabilities, NAMES), name)
    labels, probabilities, _ = copies(10)
    ten = getattr(measure(labels, probabilities, NAMES, groups=groups), name)
    naive = getattr(measure(labels, probabilities, NAMES), name)
    assert once.value == pytest.approx(ten.value)
    assert ten.high - ten.low == pytest.approx(once.high - once.low, rel=0.1)
    assert naive.high - naive.low < 0.4 * (ten.high - ten.low)


def test_a_perfect_run_on_few_groups_claims_little() -> None:
    labels = np.array([0] * 50 + [1] * 50)
    groups = [f"{i // 10}" for i in range(100)]
    found = measure(labels, np.eye(2)[labels], NAMES, groups=groups)
    assert (found.groups, found.over) == (10, "groups")
    for figure in (found.accuracy, found.balanced_accuracy, found.macro_f1):
        assert (figure.value, figure.high) == (1.0, 1.0)
        assert figure.low == pytest.approx(0.025 ** (1 / 10))
    assert found.per_class[0].recall_interval.low == pytest.approx(0.025 ** (1 / 5))
    assert measure(labels, np.eye(2)[labels], NAMES).over == "photos"


def test_a_single_group_says_next_to_nothing() -> None:
    labels = np.arange(20) % 2
    probabilities = np.eye(2)[labels] * 0.6 + 0.2
    probabilities[:3] = probabilities[:3, ::-1]
    found = measure(labels, probabilities, NAMES, groups=["patient"] * 20)
    for figure in (found.accuracy, found.balanced_accuracy, found.macro_f1):
        assert figure.low < 0.1
        assert figure.high > 0.99
    assert (found.log_loss.low, found.log_loss.high) == (0.0, pytest.approx(16.118, abs=1e-3))


def test_metrics_of_earlier_versions_are_over_photos() -> None:
    labels = np.arange(30) % 2
    found = measure(labels, np.eye(2)[labels], NAMES, resamples=10)
    old = json.loads(json.dumps(found.to_dict()))
    del old["groups"]
    for row in old["per_class"]:
        del row["effective"], row["worth_precision"], row["worth_f1"]
    read = Metrics.from_dict(old)
    assert (read.groups, read.over) == (0, "photos")
    assert read.per_class[0].recall_interval == found.per_class[0].recall_interval
    assert ClassFigures("c", 1, 1, 1, 9).independent == 9


def test_predictions_keep_their_groups(tmp_path) -> None:
    some = Predictions(
        ["a", "b", "c"], ["val", "test", "test"], np.array([0, 1, 1]),
        np.eye(2, dtype=np.float32)[[0, 1, 0]], NAMES, ["x", "", "y"],
    )  # fmt: skip
    some.write(tmp_path / "p.parquet")
    assert read_predictions(tmp_path / "p.parquet").groups == ["x", "", "y"]
    assert some.of_split("test").groups == ["", "y"]


def test_a_run_is_scored_over_the_groups_of_its_manifest(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    rows = [dataclasses.replace(row, group=f"day {i // 6}") for i, row in enumerate(manifest.rows)]
    evaluate_run(run, photos, Manifest(rows), reason="a test")
    test = read_metrics(run).splits["test"]
    assert test.groups == len({row.group for row in rows if row.split == "test"}) < test.photos
    scored = {row.path: row.group for row in rows}
    written = read_predictions(run.predictions)
    assert written.groups == [scored[path] for path in written.paths]


@pytest.mark.parametrize("gains", [[3, 1, -2], [1, 1, 1, 1, 1], [2, -2, 0], [5, 4, 4, -1, 2, 1, 3]])
def test_the_sign_flip_test_counts_all_ways_to_give_signs(gains: list[int]) -> None:
    ways = [
        abs(sum(sign * gain for sign, gain in zip(signs, gains, strict=True)))
        for signs in itertools.product([1, -1], repeat=len(gains))
    ]
    expected = np.mean(np.array(ways) >= abs(sum(gains)))
    assert sign_flip(np.array(gains, float)) == pytest.approx(expected)


@pytest.mark.parametrize(("first", "second"), [(10, 2), (0, 0), (700, 640), (1, 0)])
def test_the_sign_flip_test_is_mcnemars_where_groups_are_photos(first: int, second: int) -> None:
    gains = np.array([1.0] * first + [-1.0] * second + [0.0] * 5)
    assert sign_flip(gains) == pytest.approx(mcnemar(first, second))


def test_one_group_of_many_photos_proves_nothing() -> None:
    first, second = np.ones(60, np.bool_), np.ones(60, np.bool_)
    second[:20] = False  # all of one patient's photos
    groups = [f"patient {i // 20}" for i in range(60)]
    (naive,) = compare({"a": first, "b": second})
    (pair,) = compare({"a": first, "b": second}, groups=groups)
    assert (naive.differs, naive.groups) == (True, 0)
    assert (pair.differs, pair.groups, pair.p_value) == (False, 3, 1.0)
    assert pair.difference.low < 0 < naive.difference.low
    assert pair.more_photos is not None
    assert pair.more_photos >= 60


def figures_in(value: object, path: str = "") -> dict[str, Figure]:
    """Every interval inside a value, by where it is; those that are worked out as well."""
    if isinstance(value, Figure):
        return {path: value}
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = ((str(i), item) for i, item in enumerate(value))
    elif dataclasses.is_dataclass(value):
        worked_out = [
            name for name, kind in vars(type(value)).items() if isinstance(kind, property)
        ]
        names = [field.name for field in dataclasses.fields(value)] + worked_out
        parts = ((name, getattr(value, name)) for name in names)
    else:
        return {}
    return {k: v for name, part in parts for k, v in figures_in(part, f"{path}/{name}").items()}


def test_every_interval_of_a_run_whose_photos_have_groups_is_over_the_groups(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    """Scored once with groups and once without: same figures, and no interval may be the same."""
    test = [row.path for row in manifest.rows if row.split == "test"]
    number = dict.fromkeys(manifest.class_names, 0)
    rows = []
    for row in manifest.rows:
        number[row.label] += 1
        rows.append(dataclasses.replace(row, group=f"{row.split} {number[row.label] % 2}"))
    none = Copies([], [])
    copies = CopiesAcross(Copies(test[:1], test[1:2]), none, none)
    grouped, naive = (
        figures_in(evaluate_run(run, photos, Manifest(some), reason="a test", copies=copies))
        for some in (rows, manifest.rows)
    )
    assert grouped.keys() == naive.keys()
    assert {name.split("/")[1] for name in grouped} == {"splits", "calibration", "leaks"}
    for name, figure in grouped.items():
        assert figure.value == naive[name].value, name
        if (figure.low, figure.high) != exact_interval(figure.value, 1):  # of a single photo
            assert (figure.low, figure.high) != (naive[name].low, naive[name].high), name
