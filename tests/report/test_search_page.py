"""The page of a search."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.report.pages import Page, rows

from classeur.report.render import render_search
from classeur.report.search_figures import accuracy_over_trials, importances, option_scatters
from classeur.report.search_report import SearchReport, TrialSheet

EVIL = "<b>bold</b>"
OWN = {"learning_rate": 0.001, "batch_size": 32, "optimizer": "adam"}
CHOICES = {"batch_size": (16, 32, 64), "optimizer": ("adam", "sgd")}


def trial(number: int, accuracy: float | None, outcome="finished", loss=0.5, **values):
    reason = f"the loss became nan. {EVIL}" if outcome == "failed" else ""
    epochs = 0 if accuracy is None else 4
    return TrialSheet(
        number, outcome, {**OWN, **values}, accuracy, None if accuracy is None else loss,
        min(epochs, 3), epochs, 65.0, reason,
    )  # fmt: skip


TRIALS = (
    trial(0, 0.8),
    trial(1, 0.7, "pruned", learning_rate=0.01),
    trial(2, 0.85, learning_rate=0.0003, batch_size=64),
    trial(4, None, "failed", learning_rate=0.03, optimizer="sgd"),
    trial(5, 0.85, loss=0.6, learning_rate=0.0005),
)


def report(*trials: TrialSheet, **changes: object) -> SearchReport:
    made = SearchReport(
        recipe="conv3",
        photos=f"/photos/{EVIL}",
        trials=list(trials or TRIALS),
        own=OWN,
        logarithmic=frozenset({"learning_rate"}),
        choices=CHOICES,
        validation_photos=80,
        importance={},
        needed=10,
        settings={"size": 64},
        environment={},
        command="classeur study photos --rungs conv3,tune/best.toml",
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def page(tmp_path: Path):
    def make(*trials: TrialSheet, **changes: object) -> Page:
        render_search(report(*trials, **changes), tmp_path / "index.html")
        return Page(tmp_path / "index.html")

    return make


def test_it_says_what_was_found_and_what_that_does_not_say(page):
    text = page().text
    assert (
        "The best of 5 trials is number 2, with 85.0 % of the validation photos right: +5.0 points "
        "on conv3 as it stands."
    ) in text.replace("\u00a0", " ")
    assert (
        "its validation accuracy, on 80 photos of 1.25 points each, is optimistic. The test split "
        "was not opened."
    ) in text
    assert "classeur study photos --rungs conv3,tune/best.toml" in text
    assert "estimated from 10 finished trials on, if their accuracies differ; 3 trials have" in text


def test_a_row_for_each_trial_the_best_first(page):
    found = rows(page(), "Finished trials, best first")
    assert [row[0].split()[0] for row in found] == ["2", "5", "0", "1", "4"]
    assert found[0] == ["2 best", "85.0 %", "0.500", "4 (3)", "1 min 05 s", "0.0003", "64", "adam"]
    assert found[2][0] == "0 as it stands"
    assert found[3][0] == "1 ended early"
    assert found[4][0] == "4 failed: the loss became nan. &lt;b&gt;bold&lt;/b&gt;"
    assert found[4][1:4] == ["", "", "0"]


def test_it_is_one_file_without_scripts(page):
    shown = page(importance={"learning_rate": 0.9, "batch_size": 0.1})
    assert "<script" not in shown.html
    assert EVIL not in shown.html
    assert "http" not in shown.html.replace("http://www.w3.org", "")
    figures = [svg["aria-label"] for svg in shown.named("svg") if "aria-label" in svg]
    assert len(figures) == 1 + 3 + 1
    assert "failed" in shown.text


@pytest.mark.parametrize(
    ("trials", "sentence"),
    [
        (
            (trial(0, 0.8), trial(1, 0.7, learning_rate=0.01)),
            "None of 2 trials was better than conv3 as it stands, with 80.0 % of the validation "
            "photos right.",
        ),
        (
            (trial(0, 0.8), trial(1, 0.8, loss=0.4, learning_rate=0.01)),
            "The best of 2 trials is number 1, with 80.0 % of the validation photos right: as many "
            "as conv3 as it stands, at a lower loss.",
        ),
        (
            (trial(0, None, "failed"), trial(1, 0.8, learning_rate=0.01)),
            "The best of 2 trials is number 1, with 80.0 % of the validation photos right.",
        ),
    ],
)
def test_the_verdict_is_no_stronger_than_the_figures(trials, sentence):
    assert report(*trials).conclusion[0] == sentence


def test_of_equals_the_lower_loss_then_the_earlier_is_best():
    assert report().best.number == 2
    assert report(trial(3, 0.8), trial(7, 0.8)).best.number == 3


def test_figures_have_a_mark_for_each_trial():
    made = report()
    history = accuracy_over_trials(made)
    assert history.alt == (
        "Validation accuracy of 5 trials: conv3 as it stands 80.0 %; the best, trial 2, 85.0 %."
    )
    assert history.inline.count("<use") >= len(made.trials)
    scatters = option_scatters(made)
    assert list(scatters) == list(OWN)
    for drawing in scatters.values():
        assert drawing.inline.count("<use") >= len(made.trials)
    assert ">adam<" in scatters["optimizer"].inline
    assert ">0.001<" in scatters["learning_rate"].inline


def test_a_single_trial_has_its_figures(page):
    assert "None of 1 trial was better" in page(trial(0, 0.8)).text


def test_importance_is_drawn_where_it_is_known():
    assert importances({}) is None
    drawing = importances({"learning_rate": 0.75, "batch_size": 0.25})
    assert drawing is not None
    assert drawing.alt == "Share of what moved the accuracy. learning_rate 75 %; batch_size 25 %."
