"""How far to trust the probabilities: sentences, figures, sheet and binder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.report.pages import Page, rows

from classeur.evaluation.abstention import Reached
from classeur.evaluation.calibration import Bin, Calibration, Reliability
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import Figure
from classeur.evaluation.risk import RiskCurve, risk_curve
from classeur.report.study_report import RungSheet
from classeur.report.trust import describe_confidence, describe_reached, describe_temperature

WELL = [Bin(0.7, 0.68, 50), Bin(0.91, 0.9, 50)]
REACHED = [
    Reached(0.02, 0.9, 200, 150, 1, 49, 2.4),
    Reached(0.05, 0.8, 200, 180, 5, 19, 1.8),
    Reached(0.1, 0.0, 200, 200, 12, 0, 0.0),
]


def calibration(bins: list[Bin] = WELL, temperature: float = 1.4, mistakes: int = 9) -> Calibration:
    figure = Figure(0.1234, 0.1, 0.15)
    before = Reliability(Figure(0.52, 0.4, 0.6), figure, [Bin(0.95, 0.8, 50), Bin(1.0, 0.93, 50)])
    after = Reliability(Figure(0.312, 0.3, 0.4), Figure(0.02, 0.0, 0.04), bins)
    return Calibration(temperature, 120, mistakes, before, after)


@pytest.fixture
def curve() -> RiskCurve:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 200)
    return risk_curve(confidence, random.random(200) < confidence)


@pytest.fixture
def trusted(run_metrics: Callable[..., RunMetrics]) -> RunMetrics:
    return dataclasses.replace(run_metrics(), calibration=calibration(), abstention=REACHED)


def test_too_sure_is_said_with_its_figures() -> None:
    said = describe_confidence(calibration([Bin(0.7, 0.7, 100), Bin(0.9, 0.7, 100)]))
    assert said[0] == (
        "It is too sure of itself: where it says 90 %, it is right 70 % of the time (100 photos, "
        "95 % interval 60.0–78.8 %)."
    )


def test_too_modest_is_said_too() -> None:
    (said, _) = describe_confidence(calibration([Bin(0.6, 0.9, 100), Bin(0.9, 0.91, 100)]))
    assert said.startswith("It is too modest: where it says 60 %, it is right 90 % of the time")


def test_a_bin_that_chance_explains_is_no_fault() -> None:
    (said, _) = describe_confidence(calibration([Bin(0.7, 0.6, 20), Bin(0.88, 0.8, 20)]))
    assert said.startswith("Where it says 88 %, it is right 80 % of the time (20 photos, ")
    assert said.endswith(": these test photos do not speak against its probabilities.")


def test_a_bin_of_few_groups_is_no_fault_where_as_many_photos_would_be() -> None:
    off = Bin(0.9, 0.7, 100)
    (photos, _), (groups, _) = (
        describe_confidence(calibration([Bin(0.7, 0.7, 100), some]))
        for some in (off, dataclasses.replace(off, effective=8.4))
    )
    assert photos.startswith("It is too sure of itself")
    assert groups == (
        "Where it says 90 %, it is right 70 % of the time (100 photos, 95 % interval 31.5–94.6 %): "
        "these test photos do not speak against its probabilities."
    )


@pytest.mark.parametrize(
    ("temperature", "mistakes", "said"),
    [
        (1.4, 9, "A temperature of 1.40, fitted on 120 validation photos, makes it less sure than "
         "the network alone; no answer changes by it."),
        (0.8, 9, "A temperature of 0.80, fitted on 120 validation photos, makes it more sure than "
         "the network alone; no answer changes by it."),
        (1.0, 9, "Its temperature is 1: the probabilities are as the network gives them."),
        (1.0, 0, "Its 120 validation photos hold no mistake, so no temperature can be fitted; it "
         "stays at 1."),
    ],
)  # fmt: skip
def test_what_the_temperature_did(temperature: float, mistakes: int, said: str) -> None:
    assert describe_temperature(calibration(WELL, temperature, mistakes)) == said


def test_what_abstaining_brings_in_words() -> None:
    assert describe_reached(REACHED[1]) == (
        "At most 5 % wrong: it answers 90.0 % of the photos (180 of 200), and 2.8 % of these "
        "answers are wrong (5; 95 % interval 0.9–6.4 %). Of the 20 unsure photos the label is "
        "among the possible ones for 95.0 %, of which there are 1.8 on average."
    )
    assert describe_reached(REACHED[2]).endswith("(12; 95 % interval 3.1–10.2 %).")
    nothing = Reached(0.05, 0.99, 8, 0, 0, 8, 2.0)
    assert describe_reached(nothing) == "At most 5 % wrong: it is unsure of all 8 photos."


def test_a_sheet_says_how_far_to_trust_it(
    run_page: Callable[..., Page], trusted: RunMetrics, curve: RiskCurve, tmp_path: Path
) -> None:
    page = run_page(metrics=trusted, curve=curve)
    table = rows(page, "before and after temperature scaling")
    assert [row[0] for row in table] == [
        "Temperature", "Expected calibration error", "Log-loss", "Area under risk and coverage",
    ]  # fmt: skip
    assert table[0][1:] == ["1", "1.40"]
    levels = rows(page, "Saying “unsure”")
    assert [row[0] for row in levels] == ["1 %", "5 %", "10 %"]
    assert levels[0][1] == "cannot be promised with 120 validation photos"
    assert levels[1][-1].startswith("19 of 20")
    assert levels[2][-1] == "—"
    assert "classeur predict … --max-error 5%" in page.text  # 1 % cannot be promised
    assert (tmp_path / "figures" / "reliability.svg").is_file()
    assert (tmp_path / "figures" / "risk.svg").is_file()
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| 1 % | cannot be promised with 120 validation photos | | | |" in markdown
    assert "| temperature | 1 | 1.40 |" in markdown


def test_a_sheet_names_the_groups_that_a_promise_takes(
    run_page: Callable[..., Page], trusted: RunMetrics, curve: RiskCurve
) -> None:
    val = dataclasses.replace(trusted.splits["val"], groups=40)
    grouped = dataclasses.replace(trusted, splits={**trusted.splits, "val": val})
    page = run_page(metrics=grouped, curve=curve)
    said = "cannot be promised with 40 groups of validation photos"
    assert rows(page, "Saying “unsure”")[0][1] == said
    assert "one photo from each of their groups, for a photo of a new group" in page.text


def test_a_sheet_of_an_older_run_does_without(run_page: Callable[..., Page]) -> None:
    assert "How far to trust" not in run_page().text


def test_a_binder_compares_how_far_to_trust_its_rungs(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet], trusted: RunMetrics,
    tmp_path: Path,
) -> None:  # fmt: skip
    assert "How far to trust" not in study_page(rungs=2).text
    rungs = [sheet("conv3", 0, metrics=trusted), sheet("dense", 1)]
    table = rows(study_page(rungs=rungs), "temperature and thresholds are from validation")
    assert len(table) == 1
    assert table[0][:3] == ["conv3", "1.40", "0.520 → 0.312"]
    assert table[0][4:6] == ["—", "—"]
    assert "| conv3 | 1.40 | 0.520 | 0.312 |" in (tmp_path / "report.md").read_text("utf-8")
