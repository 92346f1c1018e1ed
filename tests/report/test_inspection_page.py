"""Findings about photos, in a binder and on a page of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from tests.report.pages import Page, rows

from classeur.data.facts import PhotoFacts
from classeur.data.inspect import findings
from classeur.data.records import Listing
from classeur.report.photos import PhotoCard
from classeur.report.render import render_inspection
from classeur.report.study_report import StudyReport

MakeStudy = Callable[..., StudyReport]


def test_three_hundred_unreadable_files_fold_away(study_page: Callable[..., Page]) -> None:
    page = study_page(unreadable=300)
    assert "Files that cannot be read (300)" in page.text
    assert "290 more unreadable files" in page.text
    assert page.html.count("is empty") == 300


def test_a_list_without_end_is_cut_with_its_count(study_page: Callable[..., Page]) -> None:
    page = study_page(unreadable=1500)
    assert "… and 500 more that are not listed here." in page.text
    assert page.html.count("is empty") == 1000


def test_contradictions_and_leaks_are_named(study_page: Callable[..., Page], evil: str) -> None:
    text = study_page().text
    assert "One picture, several labels (1)" in text
    assert f"cat, {evil} : a/1.jpg , b/1.jpg" in text
    assert "training, test : a/2.jpg , a/3.jpg" in text
    assert "Exact copies (2 pictures)" in text


def test_a_hundred_and_twenty_classes_fold_away(study_page: Callable[..., Page]) -> None:
    page = study_page(classes=120)
    assert "Photos of all 120 classes" in page.text
    assert "A few photos of each of 120 classes" in page.text
    assert len(rows(page, "in each split")) == 120


def test_the_inspection_is_a_page_of_its_own(
    study_report: MakeStudy, tmp_path: Path, evil: str
) -> None:
    report = study_report()
    cards: dict[str, list[PhotoCard]] = report.samples
    render_inspection(report.inspection, cards, tmp_path / "photos.html")
    page = Page(tmp_path / "photos.html")
    assert "1,234 photos of 6 classes" in page.text
    assert "<script" not in page.html
    assert evil in page.text
    assert rows(page, "Size of the photos")[0] == [
        "width", "20", "64", "224", "1,000", "4,000", "302",
    ]  # fmt: skip
    assert rows(page, "How the photos are stored") == [
        ["mean size", "302 × 302 pixels"],
        ["colour modes", "RGB: 1,200, L: 34"],
        ["file formats", "JPEG: 1,234"],
        ["passed over", "hidden or system files: 3"],
    ]
    assert len(page.named("img")) == 12


def test_photos_without_a_finding_are_said_to_be_fine(
    study_report: MakeStudy, tmp_path: Path
) -> None:
    inspection = dataclasses.replace(
        study_report(unreadable=0).inspection, duplicates=[], imbalance=1.0
    )
    render_inspection(inspection, {}, tmp_path / "photos.html")
    page = Page(tmp_path / "photos.html")
    assert "Nothing was found that calls for a decision" in page.text
    assert "Sample sheet" not in page.text
    assert "cannot be read" not in page.text


def test_groups_across_splits_are_named(tmp_path: Path) -> None:
    facts = [
        PhotoFacts(f"{n}.png", label, split, "<b>patient 7</b>", str(n), 8, 8, "L", "PNG", str(n))
        for n, (label, split) in enumerate([("a", "train"), ("b", "train"), ("a", "test")])
    ]
    found = findings(Listing(tmp_path, "table"), facts, [])
    render_inspection(found, {}, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<b>patient" not in page
    assert "&lt;b&gt;patient 7&lt;/b&gt;: 1 in test, 2 in train" in page
