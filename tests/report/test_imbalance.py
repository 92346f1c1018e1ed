"""Recall against class size: where there is something to see, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.report.pages import Page, rows

from classeur.evaluation.metrics import ClassFigures, Metrics
from classeur.report.imbalance import is_imbalanced, recall_against_size
from classeur.report.render import render_run
from classeur.report.run_report import RunReport
from classeur.report.study_report import StudyReport
from classeur.report.svg import Drawing
from classeur.report.words import describe_imbalance


def texts(drawing: Drawing) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing.inline).iter("text")]


@pytest.fixture
def metrics_of(metrics_from: Callable[..., Metrics]) -> Callable[..., Metrics]:
    """`metrics_of((9, 10), (3, 10))`: so many of so many test photos of c0, c1, … are right."""

    def make(*shares: tuple[int, int]) -> Metrics:
        metrics = metrics_from([[1, 0], [0, 1]])
        metrics.per_class[:] = [
            ClassFigures(f"c{i}", 0.5, right / support if support else 0.0, 0.5, support)
            for i, (right, support) in enumerate(shares)
        ]
        return metrics

    return make


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([100, 67], False), ([100, 66], True), ([3, 3], False), ([5, 0], True), ([], False)],
)
def test_classes_differ_noticeably_from_half_as_large_again(
    sizes: list[int], expected: bool
) -> None:
    assert is_imbalanced({str(i): size for i, size in enumerate(sizes)}) is expected


def test_each_class_stands_at_its_size(metrics_of: Callable[..., Metrics]) -> None:
    sizes = {"c0": 200, "c1": 20}
    drawing = recall_against_size(metrics_of((38, 40), (2, 4)), sizes)
    assert drawing is not None
    assert {"c0", "c1", "20", "50", "100", "training photos of the class"} <= set(texts(drawing))
    assert drawing.alt == (
        "Recall of 2 classes against their training photos: c0 95.0 % (200 photos); "
        "c1 50.0 % (20 photos)."
    )
    assert "var(--accent)" in drawing.inline
    assert "var(" not in drawing.file


def test_classes_of_about_the_same_size_have_no_figure(metrics_of: Callable[..., Metrics]) -> None:
    metrics = metrics_of((9, 10), (9, 10))
    assert recall_against_size(metrics, {"c0": 100, "c1": 80}) is None
    assert recall_against_size(metrics, {}) is None
    assert recall_against_size(metrics_of((9, 10), (0, 0)), {"c0": 100, "c1": 8}) is None


def test_of_many_classes_the_weakest_are_named(metrics_of: Callable[..., Metrics]) -> None:
    metrics = metrics_of(*((i, 40) for i in range(40)))
    drawing = recall_against_size(metrics, {f"c{i}": 3 + 25 * i for i in range(40)})
    assert drawing is not None
    named = [text for text in texts(drawing) if re.fullmatch(r"c\d+", text)]
    assert sorted(named) == ["c0", "c1", "c2", "c3", "c4"]
    assert "of 40 classes against their training photos, the weakest: c0 0.0 % (3" in drawing.alt


@pytest.mark.parametrize("sizes", [(3, 5), (30, 50), (7, 9000), (1, 2), (997, 1999)])
def test_the_axis_has_whole_numbers(
    metrics_of: Callable[..., Metrics], sizes: tuple[int, int]
) -> None:
    drawing = recall_against_size(metrics_of((9, 10), (9, 10)), {"c0": sizes[0], "c1": sizes[1]})
    assert drawing is not None
    ticks = [text.replace(",", "") for text in texts(drawing) if re.fullmatch(r"[\d,]+", text)]
    assert len(ticks) >= 2
    assert all(0.9 * sizes[0] <= int(tick) <= 1.8 * sizes[1] for tick in ticks)


def test_rare_classes_are_said_to_fare_worse(metrics_of: Callable[..., Metrics]) -> None:
    metrics = metrics_of((95, 100), (10, 20), (48, 50))
    assert describe_imbalance(metrics, {"c0": 300, "c1": 60, "c2": 150}) == [
        "Rare classes fare worse: of the test photos whose class has less than half the training "
        "photos of the largest, 50.0 % are right (95 % interval 27.2–72.8 %); of the others 95.3 % "
        "(90.6–98.1 %)."
    ]


@pytest.mark.parametrize(
    ("shares", "sizes"),
    [
        (((95, 100), (2, 4)), (300, 12)),  # too few to tell
        (((95, 100), (19, 20)), (300, 60)),  # as good
        (((50, 100), (20, 20)), (300, 60)),  # better
        (((95, 100), (10, 20)), (100, 50)),  # not rare
        (((95, 100), (0, 0)), (300, 6)),  # no test photo
    ],
)
def test_nothing_is_said_that_the_photos_do_not_show(
    metrics_of: Callable[..., Metrics],
    shares: tuple[tuple[int, int], ...],
    sizes: tuple[int, ...],
) -> None:
    named = {f"c{i}": size for i, size in enumerate(sizes)}
    assert describe_imbalance(metrics_of(*shares), named) == []


def test_a_sheet_shows_class_sizes_where_they_differ(
    run_page: Callable[..., Page], run_report: Callable[..., RunReport], tmp_path: Path
) -> None:
    names = run_report().metrics.class_names
    alike, apart = dict.fromkeys(names, 50), {name: 10 * 2**i for i, name in enumerate(names)}
    page = run_page(class_sizes=alike)
    assert "Rare and frequent classes" not in page.text
    assert len(rows(page, "Precision, recall and F1")[0]) == 6
    page = run_page(class_sizes=apart)
    assert "Rare and frequent classes" in page.text
    assert {"href": "#sizes"} in page.named("a")
    assert [row[-1] for row in rows(page, "Precision, recall and F1")] == [
        "10", "20", "40", "80", "160", "320",
    ]  # fmt: skip
    assert (tmp_path / "figures" / "recall.svg").is_file()


def test_markdown_has_a_column_of_class_sizes_where_they_differ(
    run_report: Callable[..., RunReport], tmp_path: Path
) -> None:
    names = run_report().metrics.class_names
    render_run(run_report(class_sizes={n: 10 + 400 * i for i, n in enumerate(names)}), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "](figures/recall.svg)" in text
    table = text.partition("| class | precision | recall | F1 | test photos | training photos |\n")
    lines = table[2].splitlines()[: 1 + len(names)]
    assert lines[0] == "|---|---:|---:|---:|---:|---:|"
    assert [line.split("|")[-2].strip() for line in lines[1:]] == [
        "10", "410", "810", "1,210", "1,610", "2,010",
    ]  # fmt: skip
    render_run(run_report(), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| class | precision | recall | F1 | photos |\n|---|---:|---:|---:|---:|\n" in text


def test_a_focal_loss_is_said_to_be_one(
    run_page: Callable[..., Page], run_report: Callable[..., RunReport]
) -> None:
    from classeur.section import override

    assert "focal" not in run_page().text.partition("For the record")[0]
    config = override(run_report().config, {"loss": "focal"})
    assert "as they were, and its loss is the focal one; validation" in run_page(config=config).text


def test_a_binder_shows_class_sizes_of_the_chosen_where_they_differ(
    study_page: Callable[..., Page], study_report: Callable[..., StudyReport], tmp_path: Path
) -> None:
    report = study_report()
    assert "Rare and frequent classes" not in study_page().text
    train = {name: 10 * 2**i for i, name in enumerate(report.class_names)}
    page = study_page(class_sizes=train)
    assert "Rare and frequent classes" in page.text
    assert {"href": "#sizes"} in page.named("a")
    assert (tmp_path / "figures" / "recall.svg").is_file()
    assert "](figures/recall.svg)" in (tmp_path / "report.md").read_text(encoding="utf-8")
