"""Odd photos, what trivial features tell, and suspicious labels, on the pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tests.report.pages import Page

from classeur.data.facts import PhotoFacts
from classeur.data.manifest import Manifest, ManifestRow
from classeur.data.quality import Odd
from classeur.evaluation.suspicious import Suspect
from classeur.evaluation.trivial import TrivialRung, trivial_rung
from classeur.report.binder import comparison
from classeur.report.odd import SHOWN, odd_sheet
from classeur.report.render import render_inspection, render_study
from classeur.report.study_report import StudyReport
from classeur.report.suspicious import build_suspicious_page, write_suspicious_page

MakeStudy = Callable[..., StudyReport]


def pictures(root: Path, *names: str) -> Path:
    for n, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 80), (n, 9, 9)).save(root / name)
    return root


SPLIT = ("train", "train", "val", "test", "test")
TURNED = ("test", "test", "train", "val", "train")


def rung(told: bool = True, folds: Sequence[Sequence[str]] = (SPLIT,)) -> TrivialRung:
    """`a` is wider than `b`, or nothing differs."""
    facts = [
        PhotoFacts(
            f"{n}", "ab"[n % 2], "", "", f"{n}", 9 + (n % 2 if told else 0), 9, "L", "PNG", f"{n}"
        )
        for n in range(200)
    ]
    return trivial_rung(
        facts,
        [
            Manifest([ManifestRow.of(f, fold[n // 40]) for n, f in enumerate(facts)])
            for fold in folds
        ],
    )


def test_the_trivial_rung_is_scored_on_the_test_photos() -> None:
    found = rung()
    assert found.found.photos == found.splits["test"].photos == 80
    assert found.splits["test"].accuracy.value == found.found.accuracy == 1
    assert found.splits["val"].photos == 40
    assert found.found.feature == "image size"
    assert found.found.tells
    assert found.predictions.splits == ["val"] * 40 + ["test"] * 80
    assert np.allclose(found.predictions.probabilities.sum(axis=1), 1)
    nothing = rung(told=False)
    assert not nothing.found.tells
    assert nothing.splits["test"].accuracy.value == nothing.found.majority == 0.5
    assert nothing.found.p_value == 1


def test_on_folds_each_photo_is_scored_by_the_tree_that_never_saw_it() -> None:
    both = rung(told=False, folds=(SPLIT, TURNED))
    parts = [rung(told=False, folds=[fold]).predictions for fold in (SPLIT, TURNED)]
    assert both.found.photos == both.splits["test"].photos == 160
    for name in ("val", "test"):
        pooled = both.predictions.of_split(name)
        alone = [part.of_split(name) for part in parts]
        assert pooled.paths == [path for part in alone for path in part.paths]
        expected = np.concatenate([part.probabilities for part in alone])
        assert np.array_equal(pooled.probabilities, expected)


def test_it_is_a_row_below_the_rungs(study_report: MakeStudy, tmp_path: Path) -> None:
    report = study_report(trivial=rung())
    render_study(report, tmp_path)
    page, text = Page(tmp_path / "index.html"), (tmp_path / "report.md").read_text()
    assert "trivial features No network: a decision tree" in page.text
    assert "gets 100.0 % (95.5–100.0 %) of the test photos right" in text.replace("\xa0", " ")
    written = comparison(report)["trivial"]
    assert written["test_accuracy"]["value"] == 1
    assert written["tells"] is True
    assert comparison(study_report())["trivial"] is None


def test_odd_photos_are_shown(study_report: MakeStudy, tmp_path: Path, evil: str) -> None:
    names = [f"{n}.png" for n in range(SHOWN + 3)]
    root = pictures(tmp_path / "photos", *names[:-1])
    inspection = dataclasses.replace(
        study_report().inspection, photos=str(root), odd=[Odd("dark", [evil, *names])]
    )
    cards = odd_sheet(inspection)
    assert [card.path for card in cards["dark"]] == names[: SHOWN - 1]  # the first has gone
    render_inspection(inspection, {}, tmp_path / "page.html", cards)
    page = Page(tmp_path / "page.html")
    assert f"Dark {SHOWN + 4} photos; the oddest are shown" in page.text
    assert len(page.named("img")) == SHOWN - 1
    assert "<script" not in page.html


def test_suspicious_labels(tmp_path: Path, evil: str) -> None:
    root = pictures(tmp_path / "photos", "a/1.png", "a/2.png")
    suspects = [
        Suspect("a/1.png", "a", evil, 0.01, 0.02, 0.97),
        Suspect("a/gone.png", "a", "b", 0.1, 0.2, 0.7),
        *[Suspect("a/2.png", "a", "b", 0.2, 0.3, 0.6)] * 250,
    ]
    page = build_suspicious_page(root, 1234, suspects, "a test", "suspicious.csv")
    write_suspicious_page(page, tmp_path / "page.html")
    shown = Page(tmp_path / "page.html")
    assert "252 labels may be wrong, of 1,234 photos" in shown.text
    assert "The 199 most suspicious" in shown.text
    assert len(shown.named("img")) == 199
    assert "<script" not in shown.html
    assert f"a 2 % {evil} 97 %" in shown.text


def test_no_label_is_suspicious(tmp_path: Path) -> None:
    page = build_suspicious_page(tmp_path, 10, [], "a test", "suspicious.csv")
    write_suspicious_page(page, tmp_path / "page.html")
    assert "No label is suspicious" in Page(tmp_path / "page.html").text
