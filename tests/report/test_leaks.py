"""Copies of training photos among the test photos, in words, tables and pictures."""

from __future__ import annotations

import dataclasses

from tests.data.pictures import cropped, picture, save
from tests.report.pages import Page, rows

from classeur.data.inspect import inspect_listing
from classeur.data.scan import scan
from classeur.evaluation.leaks import LeakEffect, ValLeaks
from classeur.evaluation.metrics import Figure
from classeur.report import leaks as module
from classeur.report.inspection import write_inspection_page
from classeur.report.leaks import describe_leaks, describe_val_leaks, leaking_pairs
from classeur.report.render import render_study

EFFECT = LeakEffect(3, 37, 960, Figure(0.72, 0.69, 0.75), Figure(0.704, 0.675, 0.731))


def test_in_words():
    assert describe_leaks(EFFECT) == [
        "40 of the 1,000 test photos have copies among the training photos (3 exact, 37 near). "
        "With them 72.0 % are right, without them 70.4 % (95 % interval 67.5–73.1 %)."
    ]
    one = dataclasses.replace(EFFECT, exact=0, near=1, photos=999)
    assert describe_leaks(one)[0].startswith(
        "1 of the 1,000 test photos has a copy among the training photos (1 near)"
    )
    assert describe_leaks(dataclasses.replace(EFFECT, photos=0, without=None))[0].endswith(
        "No test photo is left without one: the score says nothing of new photos."
    )
    assert describe_leaks(None) == []


def test_copies_of_validation_photos_in_words():
    assert describe_val_leaks(None) == []
    assert describe_val_leaks(ValLeaks(3, 40, 1)) == [
        "3 of the 40 validation photos have copies among the training photos: validation, which "
        "chose the epoch, is too good on them. Temperature and thresholds were found without them.",
        "1 test photo has a copy among the validation photos, which chose the epoch: test figures "
        "may be a little too good.",
    ]
    (one,) = describe_val_leaks(ValLeaks(1, 1, 0))
    assert one.startswith("1 of the 1 validation photos has a copy among")
    assert one.endswith("There are no others, so temperature and thresholds are from them, too.")


def test_in_the_binder(study_report, tmp_path):
    report = study_report()
    sheets = [
        dataclasses.replace(s, metrics=dataclasses.replace(s.metrics, leaks=EFFECT))
        for s in report.rungs
    ]
    render_study(dataclasses.replace(report, rungs=sheets), tmp_path)
    table = rows(Page(tmp_path / "index.html"), "with and without the 40 photos")
    assert len(table) == len(sheets)
    assert table[0][0] == sheets[0].name
    assert table[0][-1] == "−1.6"
    assert "With and without copies" in (tmp_path / "report.md").read_text()


def test_nothing_without_leaks(study_page):
    assert "without copies" not in study_page().text


def leaking(tmp_path):
    for label, name in (("cup", "coffee"), ("sky", "rocket"), ("cat", "chelsea")):
        save(picture(name), tmp_path / "train" / label / "1.png")
        save(cropped(picture(name)), tmp_path / "test" / label / "2.png")
    return inspect_listing(scan(tmp_path))


def test_pairs_side_by_side(tmp_path):
    found = leaking(tmp_path / "photos")
    write_inspection_page(found, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert "3 pairs show nearly the same picture on two sides of the split" in page.text
    assert page.html.count("<figcaption><span><strong>test</strong>") == 3
    assert "are here" not in page.text


def test_some_of_many_pairs(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_PAIRS", 2)
    found = leaking(tmp_path / "photos")
    assert len(leaking_pairs(found)) == 2
    write_inspection_page(found, tmp_path / "page.html")
    assert "The 2 most alike are here" in Page(tmp_path / "page.html").text


def test_a_pair_that_has_gone_is_not_shown(tmp_path):
    found = leaking(tmp_path)
    (tmp_path / "test" / "cup" / "2.png").unlink()
    assert len(leaking_pairs(found)) == 2
