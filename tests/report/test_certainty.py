"""What is said of how far figures can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.report.pages import Page, rows

from classeur.cli.show import show_metrics
from classeur.evaluation.comparison import Pair
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import Figure, Metrics
from classeur.report.binder import comparison
from classeur.report.certainty import (
    SeedSpread,
    describe_missing,
    describe_test,
    interval_basis,
    missing_photos,
)
from classeur.report.study_report import RungSheet, StudyReport


def pair(more: int | None = None, *, p: float = 0.4, groups: int = 0) -> Pair:
    return Pair("a", "b", Figure(0.01, -0.01, 0.03), 9, 3, p, p, more, groups)


@pytest.mark.parametrize(
    ("some", "said"),
    [
        ({"b": 2400}, "about 2,400 more test photos would be needed"),
        ({"b": None}, "no test set of reasonable size would tell"),
        ({"b": None, "c": None}, "no test set of reasonable size would tell"),
        ({"b": 2400, "c": 90}, "about 90 more test photos would be needed for c, 2,400 for b"),
        (
            {"b": 2400, "c": None, "d": None},
            "about 2,400 more test photos would be needed for b; "
            "no test set of reasonable size would do for c or d",
        ),
        (
            {"b": 2400, "c": 90, "d": 100, "e": 3, "f": 80_000},
            "about 3 to 80,000 more test photos would be needed",
        ),
        (
            {"b": 90, "c": 90, "d": 90, "e": None, "f": None},
            "about 90 more test photos would be needed, and for 2 of them no test set of "
            "reasonable size would do",
        ),
    ],
)
def test_how_many_photos_are_missing_is_said(some: dict[str, int | None], said: str) -> None:
    assert describe_missing([(name, pair(more)) for name, more in some.items()]) == said


def test_photos_that_come_in_groups_are_missing_in_groups() -> None:
    assert describe_missing([("b", pair(700, groups=9))]) == (
        "about 700 more test photos, in groups like these, would be needed"
    )


def test_what_stands_beside_a_verdict() -> None:
    assert missing_photos(pair(p=0.01)) == ""
    assert missing_photos(pair(1300)) == "about 1,300 more photos would tell"
    assert missing_photos(pair(1)) == "about 1 more photo would tell"
    assert missing_photos(pair()) == "no test set of reasonable size would tell"


def test_the_test_is_named() -> None:
    assert "exact McNemar test" in describe_test([pair()])
    assert "sign-flip test looks at what one of them gains over the other in each of the 9" in (
        describe_test([pair(groups=9)])
    )  # fmt: skip


def test_the_spread_between_seeds() -> None:
    assert SeedSpread.of([0.9]) is None
    assert SeedSpread.of([0.9, 0.94, 0.92]) == SeedSpread(
        pytest.approx(0.92), pytest.approx(0.02), 0.9, 0.94
    )


@pytest.fixture
def grouped(sheet: Callable[..., RungSheet]) -> Callable[..., RungSheet]:
    """`grouped("conv3")`: a rung whose test photos are in twelve groups."""

    def make(name: str, rank: int = 0, **changes: object) -> RungSheet:
        rung = sheet(name, rank, **changes)
        splits = dict(rung.metrics.splits)
        splits["test"] = dataclasses.replace(splits["test"], groups=12)
        metrics = dataclasses.replace(rung.metrics, splits=splits)
        return dataclasses.replace(rung, metrics=metrics)

    return make


def test_the_binder_says_what_intervals_are_over(
    study_page: Callable[..., Page], grouped: Callable[..., RungSheet], tmp_path: Path
) -> None:
    assert "Intervals are 95 %, over the photos: they say" in study_page().text
    assert "Intervals are 95 %, over the photos." in (tmp_path / "report.md").read_text("utf-8")
    page = study_page(rungs=[grouped("a"), grouped("b", 1)], pairs=[pair(1300, groups=12)])
    basis = "over the 12 groups that the photos are in (given, or copies of one picture)"
    assert f"{basis}: they say" in page.text
    assert "sign-flip" in page.text
    assert "McNemar" not in page.text
    assert rows(page, "All pairs")[0][-1] == "indistinguishable about 1,300 more photos would tell"
    text = (tmp_path / "report.md").read_text("utf-8")
    assert f"{basis}." in text
    assert "indistinguishable: about 1,300 more photos would tell |" in text


def test_a_sheet_says_what_intervals_are_over(
    run_page: Callable[..., Page], run_metrics: Callable[..., RunMetrics], tmp_path: Path
) -> None:
    assert "The intervals, over the photos, say" in run_page().text
    assert "in groups" not in run_page().text
    metrics = run_metrics()
    metrics.splits["test"] = dataclasses.replace(metrics.splits["test"], groups=12)
    page = run_page(metrics=metrics)
    assert "On 60 test photos of 6 classes in 12 groups. They had no part" in page.text
    assert rows(page, "The same figures")[-1] == ["in groups", "—", "—", "12", ""]
    assert "on 60 photos in 12 groups; all intervals are over the 12 groups that the photos" in (
        tmp_path / "report.md"
    ).read_text("utf-8")


def test_comparison_json_holds_the_spread_between_seeds_and_what_intervals_are_over(
    study_report: Callable[..., StudyReport], grouped: Callable[..., RungSheet]
) -> None:
    scores = {"a-seed0": 0.9, "a-seed1": 0.94, "a-seed2": 0.92}
    first, second = comparison(
        study_report(rungs=[grouped("a", seed_scores=scores), grouped("b", 1)])
    )["rungs"]
    assert first["seed_spread"] == pytest.approx(
        {"mean": 0.92, "standard_deviation": 0.02, "minimum": 0.9, "maximum": 0.94}
    )
    assert (first["seed_scores"], second["seed_spread"]) == (scores, None)
    assert (first["intervals_over"], first["groups"]) == ("groups", 12)


def test_comparison_json_holds_how_far_to_trust_probabilities(
    study_report: Callable[..., StudyReport], sheet: Callable[..., RungSheet]
) -> None:
    error = Figure(0.03, 0.01, 0.05)
    first, older = comparison(
        study_report(rungs=[sheet("a", 0, calibration_error=error), sheet("b", 1)])
    )["rungs"]
    assert first["test_calibration_error"] == {"value": 0.03, "low": 0.01, "high": 0.05}
    assert (older["test_calibration_error"], older["temperature"]) == (None, None)


TOO_SHORT = "The interval of the log-loss is too short on test: there are fewer than five mistakes."


@pytest.mark.parametrize(("wrong", "said"), [(4, True), (5, False)])
def test_a_sheet_says_where_the_interval_of_the_log_loss_is_too_short(
    run_page: Callable[..., Page], run_metrics: Callable[..., RunMetrics],
    metrics_from: Callable[..., Metrics], tmp_path: Path, wrong: int, said: bool,
) -> None:  # fmt: skip
    metrics = run_metrics(2)
    metrics.splits["test"] = metrics_from([[30 - wrong, wrong], [0, 30]])
    for name in ("train", "val"):
        metrics.splits[name] = metrics_from([[21, 9], [0, 30]])
    page = run_page(metrics=metrics)
    assert (TOO_SHORT in page.text) is said
    assert (TOO_SHORT in (tmp_path / "report.md").read_text("utf-8")) is said


@pytest.mark.parametrize(("wrong", "said"), [(4, True), (5, False)])
def test_a_binder_names_the_rungs_whose_log_loss_has_too_short_an_interval(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet],
    run_metrics: Callable[..., RunMetrics], metrics_from: Callable[..., Metrics], tmp_path: Path,
    wrong: int, said: bool,
) -> None:  # fmt: skip
    few, many = run_metrics(2), run_metrics(2)
    few.splits["test"] = metrics_from([[30 - wrong, wrong], [0, 30]])
    many.splits["test"] = metrics_from([[21, 9], [0, 30]])
    page = study_page(rungs=[sheet("conv3", 0, metrics=few), sheet("dense", 1, metrics=many)])
    sentence = "conv3 makes fewer than five mistakes on test: the interval of such a log-loss"
    assert (sentence in page.text) is said
    assert (sentence in (tmp_path / "report.md").read_text("utf-8")) is said


def test_the_terminal_says_what_intervals_are_over(metrics_from: Callable[..., Metrics]) -> None:
    found = metrics_from([[9, 1], [2, 8]])
    assert show_metrics(found).startswith("20 photos\n")
    grouped = dataclasses.replace(found, groups=7)
    assert show_metrics(grouped).startswith(
        "20 photos in 7 groups (given, or copies of one picture); intervals are over the groups\n"
    )
    assert interval_basis(found) == "over the photos"
