"""Where a run is weak: what is scored, what is named, and how often chance alone is named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from classeur.data.manifest import Manifest, ManifestRow
from classeur.evaluation.comparison import holm
from classeur.evaluation.evaluate import evaluate_run, read_metrics
from classeur.evaluation.metrics import share_of, share_over
from classeur.evaluation.photo_features import brightness_of, of_column, photo_features
from classeur.evaluation.resampling import Units
from classeur.evaluation.slices import (
    FEWEST,
    Feature,
    Slice,
    score_slices,
    slice_p_values,
    worst_slice,
)
from classeur.run_folder import RunFolder, read_json, write_json


def row(width: int = 10, height: int = 10, **attributes: str) -> ManifestRow:
    return ManifestRow("1.jpg", "a", "test", "0", width, height, "", attributes)


def values(feature: Feature) -> list[str]:
    return [feature.values[place] for place in feature.places]


class TestFeatures:
    def by_name(self, rows: list[ManifestRow], size: int = 100) -> dict[str, list[str]]:
        return {f.name: values(f) for f in photo_features(rows, [0.0] * len(rows), size)}

    def test_size_is_told_by_what_the_network_sees(self) -> None:
        rows = [row(99, 500), row(100, 500), row(500, 200), row(201, 500)]
        assert self.by_name(rows)["shorter side"] == [
            "below 100 pixels: enlarged", "100 to 200 pixels", "100 to 200 pixels",
            "above 200 pixels: much reduced",
        ]  # fmt: skip

    def test_shape(self) -> None:
        rows = [row(4, 5), row(81, 100), row(124, 100), row(5, 4)]
        assert self.by_name(rows)["shape"] == ["upright", "about square", "about square", "wide"]

    def test_brightness_in_thirds(self) -> None:
        found = photo_features([row()] * 6, [9.0, 1.0, 5.0, 8.0, 2.0, 4.0], 10)[2]
        assert values(found) == [
            "brightest third", "darkest third", "middle third", "brightest third",
            "darkest third", "middle third",
        ]  # fmt: skip

    def test_a_column_may_be_called_like_one_of_ours(self) -> None:
        found = self.by_name([row(brightness="low", mode="L"), row(brightness="", mode="RGB")])
        assert found["brightness (column)"] == ["low", "no value"]
        assert found["mode"] == ["L", "RGB"]

    def test_numbers_in_thirds_and_those_that_are_missing(self) -> None:
        (found,) = of_column("age", [str(age) for age in range(30)] + [""])
        assert values(found) == (
            ["up to 9.667"] * 10 + ["9.667 to 19.33"] * 10 + ["above 19.33"] * 10 + ["no value"]
        )

    def test_few_values_one_by_one_and_free_text_not_at_all(self) -> None:
        (found,) = of_column("day", [str(day % 20) for day in range(40)])
        assert set(values(found)) == {str(day) for day in range(20)}
        assert of_column("note", [f"note {i}" for i in range(21)]) == []

    def test_luminance_weighs_colours_as_the_eye_does(self) -> None:
        photos = np.zeros((4, 2, 2, 3), np.uint8)
        photos[0], photos[1, ..., 0], photos[2, ..., 1], photos[3, ..., 2] = 200, 200, 200, 200
        rows = np.array([3, 2, 1, 0])
        found = brightness_of(photos, rows, batch_size=3)
        assert found == pytest.approx([22.8, 117.4, 59.8, 200])
        assert brightness_of(photos[..., :1], np.array([0, 2])) == [200, 0]


def test_without_groups_the_test_is_fishers() -> None:
    random = np.random.default_rng(0)
    for _ in range(10):
        inside, correct = random.random(80) < 0.4, random.random(80) < 0.8
        table = [
            [(inside & ~correct).sum(), (inside & correct).sum()],
            [(~inside & ~correct).sum(), (~inside & correct).sum()],
        ]
        expected = fisher_exact(table, alternative="greater").pvalue
        assert slice_p_values([inside], correct) == pytest.approx([expected])


def test_every_slice_that_is_large_enough_is_scored() -> None:
    feature = Feature("f", ("a", "b", "c"), [0] * 20 + [1] * 19 + [2] * 61)
    correct = np.array([False] * 10 + [True] * 90)
    found = score_slices([feature, Feature("all", ("x",), [0] * 100)], correct)
    assert [(s.feature, s.value, s.photos) for s in found] == [("f", "a", 20), ("f", "c", 61)]
    assert found[0].accuracy.value == 0.5
    assert found[0].accuracy.low == pytest.approx(0.272, abs=1e-3)
    assert found[0].others == 1.0
    assert found[0].corrected_p == pytest.approx(2 * found[0].p_value)


def test_the_worst_slice_is_the_least_accurate_of_those_that_are_worse() -> None:
    places = np.repeat([0, 1], [50, 450])
    correct = np.arange(500) % 10 > 0
    correct[:20] = False
    found = score_slices([Feature("f", ("weak", "rest"), places)], correct)
    worst = worst_slice(found)
    assert worst is not None
    assert (worst.value, worst.is_worse) == ("weak", True)
    assert [s.is_worse for s in found] == [True, False]
    assert worst_slice(found[1:]) is None


def test_photos_of_one_group_are_no_independent_witnesses() -> None:
    """Forty wrong photos of one patient say little of a camera; of forty patients, much."""
    places = np.repeat([0, 1], [80, 320])
    correct = np.ones(400, bool)
    correct[:40] = False
    feature = Feature("camera", ("A", "B"), places)
    patients = [f"p{i // 40}" for i in range(400)]
    assert worst_slice(score_slices([feature], correct)) is not None
    assert worst_slice(score_slices([feature], correct, patients)) is None
    assert worst_slice(score_slices([feature], correct, [f"p{i}" for i in range(400)])) is not None
    own = ["", *(f"p{i // 2}" for i in range(1, 400))]
    assert worst_slice(score_slices([feature], correct, own)) is not None


def test_the_interval_of_a_slice_is_over_its_groups() -> None:
    correct = np.arange(400) % 80 < 60
    feature = Feature("camera", ("A", "B"), np.repeat([0, 1], [80, 320]))
    groups = [f"p{i // 20}" for i in range(400)]
    (naive, _), (found, _) = (score_slices([feature], correct, g) for g in ([], groups))
    assert found.accuracy.value == naive.accuracy.value == 0.75
    assert naive.accuracy == share_of(60, 80)
    expected = share_over(correct[:80], Units.of(groups[:80], 80))
    assert found.accuracy == expected
    assert expected.low < 0.3 < naive.accuracy.low  # four groups, one of them all wrong


def test_a_slice_of_one_group_is_never_named() -> None:
    correct = np.array([False] * 30 + [True] * 70)
    feature = Feature("f", ("a", "b"), [0] * 30 + [1] * 70)
    groups = ["one"] * 30 + [str(i // 2) for i in range(70)]
    assert score_slices([feature], correct, groups)[0].p_value == 1.0


@pytest.mark.parametrize(("photos", "group"), [(120, 1), (300, 1), (300, 5)])
def test_chance_alone_names_a_slice_in_at_most_5_percent_of_data_sets(
    photos: int, group: int
) -> None:
    random = np.random.default_rng(0)
    named, sets = 0, 200
    for _ in range(sets):
        features = [
            Feature(str(kinds), tuple(map(str, range(kinds))), random.integers(0, kinds, photos))
            for kinds in (2, 3, 3, 5)
        ]
        of_groups = random.beta(1.6, 0.4, photos // group)  # accuracy 0.8, unlike between groups
        correct = random.random(photos) < (np.repeat(of_groups, group) if group > 1 else 0.8)
        groups = [str(i // group) for i in range(photos)] if group > 1 else []
        slices = [f.places == k for f in features for k in range(len(f.values))]
        large = [inside for inside in slices if FEWEST <= inside.sum() <= photos - FEWEST]
        named += min(holm(slice_p_values(large, correct, groups))) < 0.05
    assert named / sets <= 0.05


def test_metrics_keep_the_slices_and_older_ones_have_none(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    test = Manifest([ManifestRow(f"{i}", "abc"[i % 3], "test", "", 8, 8, "", {"lamp": "on" if i % 2
                     else "off"}) for i in range(50)])  # fmt: skip
    rows = [ManifestRow(r.path, {"a": "ape", "b": "bee", "c": "cat"}[r.label], r.split, r.sha256,
                        8, 8, "", r.attributes) for r in test.rows]  # fmt: skip
    more = Manifest([*rows, *(r for r in manifest.rows if r.split != "test")])
    pixels = np.random.default_rng(0).integers(0, 256, (len(more.rows), 8, 8, 1), np.uint8)
    result = evaluate_run(run, pixels, more, reason="a test")
    assert [(s.feature, s.value) for s in result.slices if s.feature == "lamp"] == [
        ("lamp", "off"), ("lamp", "on"),
    ]  # fmt: skip
    assert all(isinstance(found, Slice) for found in result.slices)
    assert read_metrics(run) == result
    about = read_json(run.metrics)
    assert about["slices"][0].keys() >= {"feature", "value", "photos", "accuracy", "is_worse"}
    del about["slices"]
    write_json(run.metrics, about)
    assert read_metrics(run).slices == []
