"""The binder of a study: everything it has to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.report.pages import Page, rows

from classeur.evaluation.openings import Opening
from classeur.report.study_report import RungSheet


def test_the_binder_names_every_rung_and_links_its_sheet(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=15)
    table = rows(page, "Sorted by validation accuracy")
    assert len(table) == 15
    links = [link["href"] for link in page.named("a") if link["href"].endswith("report.html")]
    assert "conv3/report.html" in links
    assert "%3Cscript%3Ealert%281%29%3C/script%3E/report.html" in links
    assert "rung%20number%2010/report.html" in links


def test_the_comparison_shows_scores_with_intervals(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet], tmp_path: Path
) -> None:
    first, second = sheet("conv3"), sheet("majority", 1)
    test = first.metrics.splits["test"]
    page = study_page(rungs=[first, second])
    cells = rows(page, "Sorted by validation accuracy")
    assert cells[0][0] == "conv3 chosen What conv3 is."
    value, low, high = (100 * getattr(first.test, name) for name in ("value", "low", "high"))
    assert cells[0][2].replace("\u00a0", " ") == f"{value:.1f} % {low:.1f}–{high:.1f} %"
    for cell, figure in zip(cells[0][4:6], (test.balanced_accuracy, test.macro_f1), strict=True):
        value, low, high = (100 * getattr(figure, name) for name in ("value", "low", "high"))
        assert cell.replace("\u00a0", " ") == f"{value:.1f} % {low:.1f}–{high:.1f} %"
    loss = test.log_loss
    assert cells[0][6] == f"{loss.value:.3f} {loss.low:.3f}–{loss.high:.3f}"
    written = (tmp_path / "report.md").read_text("utf-8")
    assert f"| {loss.value:.3f} ({loss.low:.3f}–{loss.high:.3f}) |" in written
    assert cells[0][7:] == ["6 (4)", "10 s", "89,930", "400.0 MB", "1.32 ms"]
    assert cells[1][7:9] == ["0", "0 s"]
    assert cells[1][0].startswith("majority overfits ")


def test_seeds_are_shown_beside_the_score_not_mixed_into_it(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet]
) -> None:
    assert "over seeds" not in study_page().text
    scores = {"conv3-seed0": 0.90, "conv3-seed1": 0.92, "conv3-seed2": 0.94}
    page = study_page(rungs=[sheet("conv3", seed_scores=scores), sheet("dense", 1)])
    cells = [cell.replace("\u00a0", " ") for cell in rows(page, "Sorted by validation accuracy")[0]]
    assert "92.0 ± 2.0 % 90.0–94.0 % 90.0 % , 92.0 % , 94.0 %" in cells
    assert "over seeds: mean ± s.d., range" in page.text
    links = {link["href"] for link in page.named("a")}
    assert {f"{folder}/report.html" for folder in scores} <= links


def test_folds_are_shown_beside_the_score_not_mixed_into_it(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet], tmp_path: Path
) -> None:
    assert "fold by fold" not in study_page().text
    scores = {"conv3-fold1": 0.92, "conv3-fold2": 0.875, "conv3-fold3": 0.94}
    rungs = [sheet("conv3", fold_scores=scores), sheet("dense", 1, fold_scores=scores)]
    page = study_page(rungs=rungs, folds=3)
    cells = [cell.replace("\u00a0", " ") for cell in rows(page, "Sorted by validation accuracy")[0]]
    assert "87.5–94.0 % 1 , 2 , 3" in cells
    assert "fold by fold" in page.text
    assert "How the 3 folds are pooled" in page.text
    assert {f"{folder}/report.html" for folder in scores} <= {a["href"] for a in page.named("a")}
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    header = next(line for line in markdown.splitlines() if line.startswith("| approach"))
    row = next(line for line in markdown.splitlines() if line.startswith("| [conv3]"))
    assert header.count("|") == row.count("|")
    assert row.split(" | ")[4].replace("\u00a0", " ") == "87.5–94.0 %"


def test_openings_are_a_column_only_if_there_were_several(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet]
) -> None:
    assert "openings of test" not in study_page().text
    assert "openings of test" in study_page(rungs=[sheet("a", openings=2), sheet("b")]).text


def test_pairs_say_whether_two_differ(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=2)
    assert rows(page, "All pairs") == [
        [
            "conv3", "&lt;script&gt;alert(1)&lt;/script&gt;", "+3.1", "+1.0 to +5.2", "12", "3",
            "&lt; 0.001", "0.400", "indistinguishable about 1,300 more photos would tell",
        ],
    ]  # fmt: skip


def test_the_chosen_is_compared_first(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=4)
    mine = rows(page, "conv3 against each of the others")
    assert [row[1] for row in mine][1:] == ["a|b", "majority"]
    same = "indistinguishable about 1,300 more photos would tell"
    assert [row[-1] for row in mine] == [same, "different", same]
    assert "All 6 pairs" in page.text
    comparison = rows(page, "Sorted by validation accuracy")
    assert [row[3] for row in comparison] == [
        "—", "indistinguishable", "worse", "indistinguishable",
    ]  # fmt: skip


def test_failed_rungs_have_their_reason(study_page: Callable[..., Page]) -> None:
    table = rows(study_page(), "did not finish")
    assert table == [["dense", "the loss | became nan &lt;script&gt;alert(1)&lt;/script&gt;"]]


def test_rungs_without_epochs_are_named_not_drawn(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=4)
    assert page.html.count('aria-label="majority: loss') == 0
    assert page.html.count('aria-label="conv3: loss') == 1
    assert "Nothing was trained for majority." in page.text


def test_the_binder_tells_how_to_predict(study_page: Callable[..., Page], tmp_path: Path) -> None:
    assert f"classeur predict {tmp_path}/conv3 PHOTOS" in study_page().text


def test_a_binder_in_which_nothing_finished_still_opens(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=[], pairs=[], conclusion=[])
    assert "0 approaches to 1,234 photos" in page.text
    assert "classeur predict" not in page.text
    assert rows(page, "did not finish")


def test_counts_stand_by_class_and_split(study_page: Callable[..., Page]) -> None:
    page = study_page()
    table = rows(page, "in each split")
    assert ["cat", "7", "7", "7", "21", ""] in table
    order = re.search(r"in each split.*?<thead>(.*?)</thead>", page.html, re.S)[1]
    assert re.findall(r"training|validation|test|in all", order) == [
        "training", "validation", "test", "in all",
    ]  # fmt: skip


def test_openings_of_a_changed_network_are_listed(study_page: Callable[..., Page]) -> None:
    openings = [
        Opening("2026-11-21T09:41:21+00:00", "end of training", 60, "conv3", "aaaaaaaaaaaa", 0.9),
        Opening("2026-11-22T09:41:21+00:00", "evaluate <b>", 60, "conv3", "bbbbbbbbbbbb"),
        Opening("2026-11-21T09:41:21+00:00", "end of training", 60, "dense", "cccccccccccc"),
    ]
    page = study_page(openings=openings)
    assert "The test split was opened 3 times, more than once for conv3." in page.text
    assert rows(page, "conv3: when its test photos were read") == [
        ["2026-11-21 09:41 UTC", "end of training", "60", "90.0 %", "aaaaaaaa"],
        ["2026-11-22 09:41 UTC", "evaluate &lt;b&gt;", "60", "—", "bbbbbbbb changed"],
    ]
    assert "dense: when its test photos" not in page.text
    assert "opened 1 time, once for 1 run" in study_page(openings=openings[2:]).text
