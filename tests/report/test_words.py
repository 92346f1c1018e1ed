"""Sentences: exactly what the figures support."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from classeur.evaluation.comparison import Pair
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import Figure, Metrics
from classeur.evaluation.openings import Opening
from classeur.evaluation.slices import Slice
from classeur.report.words import (
    conclude,
    describe_few_mistakes,
    describe_fit,
    describe_openings,
    describe_rungs_with_few_mistakes,
    describe_slices,
    describe_split,
    describe_tuning,
    interval,
    most_confused,
    overfits,
    percent,
    points,
    signed,
    warn_of_openings,
)
from classeur.training.history import EpochRow

MakeFigure = Callable[..., Figure]
MakeMetrics = Callable[..., Metrics]


def pair(
    first: str, second: str, difference: float, *, differs: bool, more: int | None = None
) -> Pair:
    figure = Figure(difference, difference - 0.02, difference + 0.02)
    return Pair(first, second, figure, 9, 3, 0.01, 0.02 if differs else 0.4, more)


def run(
    train: Figure, val: Figure, metrics_from: MakeMetrics, confusion: list[list[int]]
) -> RunMetrics:
    splits = {
        "train": metrics_from(confusion, train),
        "val": metrics_from(confusion, val),
        "test": metrics_from(confusion),
    }
    return RunMetrics(["c0", "c1"], splits, 1, 1, 1.0)


def curve(*losses: tuple[float, float]) -> list[EpochRow]:
    return [EpochRow(i, train, 0.5, val, 0.5, 1e-3, 1) for i, (train, val) in enumerate(losses, 1)]


GOOD = [[50, 5], [5, 40]]


def test_numbers_are_written_one_way() -> None:
    assert percent(0.8734) == "87.3 %"
    assert percent(0.8734, 0) == "87 %"
    assert interval(Figure(0.87, 0.852, 0.891)) == "85.2–89.1 %"
    assert points(Figure(0.031, -0.01, 0.052)) == "+3.1 points (95 % interval −1.0 to +5.2)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.031, "+3.1"), (-0.031, "−3.1"), (0.0, "+0.0"), (-0.0001, "+0.0"), (-0.0006, "−0.1")],
)
def test_a_difference_has_a_sign_and_zero_has_no_minus(value: float, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(
    ("train", "val", "room", "expected"),
    [
        (0.90, 0.80, 0.02, True),
        (0.90, 0.80, 0.06, False),  # the intervals overlap
        (0.84, 0.80, 0.01, False),  # apart, but close
        (0.80, 0.90, 0.02, False),
    ],
)
def test_overfitting_needs_a_gap_and_intervals_apart(
    train: float, val: float, room: float, expected: bool,
    figure: MakeFigure, metrics_from: MakeMetrics,
) -> None:  # fmt: skip
    metrics = run(figure(train, room), figure(val, room), metrics_from, GOOD)
    assert overfits(metrics) is expected


def test_a_run_that_overfits_is_told_so(figure: MakeFigure, metrics_from: MakeMetrics) -> None:
    metrics = run(figure(0.95, 0.01), figure(0.8, 0.01), metrics_from, GOOD)
    history = curve((1.0, 1.0), (0.5, 0.8), (0.3, 1.2))
    assert describe_fit(history, metrics) == [
        "It overfits: 95.0 % of the training photos are right, but only 80.0 % of the validation "
        "photos. More photos, augmentation or dropout may help.",
        "After epoch 2 the training loss went on falling (0.50 to 0.30) while the validation loss "
        "rose (0.80 to 1.20).",
        "The weights of epoch 2 are kept: its validation accuracy was the highest.",
    ]


def test_a_gap_that_too_few_photos_show_is_no_verdict(
    figure: MakeFigure, metrics_from: MakeMetrics
) -> None:
    metrics = run(figure(0.9, 0.15), figure(0.7, 0.15), metrics_from, GOOD)
    assert describe_fit(curve((1.0, 1.0), (0.5, 0.8)), metrics)[0] == (
        "It may overfit; the photos are too few to tell: 90.0 % right on training photos, "
        "70.0 % on validation photos."
    )


def test_a_run_that_could_go_on_is_told_so(figure: MakeFigure, metrics_from: MakeMetrics) -> None:
    metrics = run(figure(0.91, 0.01), figure(0.9, 0.01), metrics_from, GOOD)
    assert describe_fit(curve((1.0, 1.0), (0.5, 0.8)), metrics) == [
        "No clear overfitting: 91.0 % right on training photos, 90.0 % on validation photos.",
        "The validation loss was still falling in the last epoch: more epochs may bring more.",
    ]


def test_a_plateau_is_no_rise(figure: MakeFigure, metrics_from: MakeMetrics) -> None:
    metrics = run(figure(0.91, 0.01), figure(0.9, 0.01), metrics_from, GOOD)
    sentences = describe_fit(curve((1.0, 1.0), (0.5, 0.80), (0.4, 0.82)), metrics)
    assert sentences[1] == (
        "The weights of epoch 2 are kept: its validation accuracy was the highest."
    )


def test_a_single_epoch_is_not_called_still_falling(
    figure: MakeFigure, metrics_from: MakeMetrics
) -> None:
    metrics = run(figure(0.91, 0.01), figure(0.9, 0.01), metrics_from, GOOD)
    assert describe_fit(curve((1.0, 1.0)), metrics)[1].startswith("The weights of epoch 1 are kept")


def test_a_run_no_better_than_the_most_frequent_class_is_told_so(
    figure: MakeFigure, metrics_from: MakeMetrics
) -> None:
    metrics = run(figure(0.56), figure(0.55), metrics_from, GOOD)
    assert describe_fit(curve((1.0, 1.0)), metrics)[-1] == (
        "It has learned nothing that shows: its validation accuracy cannot be told from that of "
        "always answering the most frequent class."
    )


def test_a_run_that_trained_nothing_is_not_judged(
    figure: MakeFigure, metrics_from: MakeMetrics
) -> None:
    assert describe_fit([], run(figure(0.5), figure(0.5), metrics_from, GOOD)) == []


def test_the_most_frequent_mistake_is_named(metrics_from: MakeMetrics) -> None:
    metrics = metrics_from([[8, 2, 0], [0, 9, 4], [1, 0, 5]])
    assert describe_split(metrics, ["c0", "c1", "c2"]) == [
        "The most frequent mistake: c1 taken for c2, 4 of 13 photos."
    ]
    assert most_confused(metrics, ["c0", "c1", "c2"], 2) == [("c1", "c2", 4), ("c0", "c1", 2)]


def test_no_mistake_is_said_to_be_none(metrics_from: MakeMetrics) -> None:
    assert describe_split(metrics_from([[8, 0], [0, 9]]), ["c0", "c1"]) == [
        "No photo was given a wrong class."
    ]


def test_a_conclusion_names_what_the_chosen_is_better_than_and_what_not(
    metrics_from: MakeMetrics,
) -> None:
    pairs = [
        pair("majority", "conv3", -0.6, differs=True),
        pair("conv3", "dense", 0.1, differs=True),
        pair("conv3", "conv1", 0.01, differs=False, more=2400),
        pair("dense", "majority", 0.5, differs=True),
    ]
    metrics = metrics_from([[541, 59], [60, 540]], Figure(0.901, 0.88, 0.92))
    assert conclude("conv3", pairs, metrics) == [
        "conv3 had the best validation accuracy and is chosen. Of the 1,200 test photos, "
        "which had no part in that, it gets 90.1 % right (95 % interval 88.0–92.0 %).",
        "It is better than majority (+60.0 points, 95 % interval +58.0 to +62.0) and dense "
        "(+10.0, +8.0 to +12.0).",
        "These test photos cannot tell it from conv1 (+1.0 points, 95 % interval −1.0 to +3.0): "
        "indistinguishable on this test set; about 2,400 more test photos would be needed.",
    ]


def test_a_choice_that_the_test_photos_do_not_bear_out_is_admitted(
    metrics_from: MakeMetrics,
) -> None:
    pairs = [pair("a", "b", -0.05, differs=True)]
    read = [Opening(f"2026-11-0{day}", "again", 100, "a") for day in (1, 2, 3)]
    metrics = metrics_from([[40, 10], [10, 40]])
    scored = [dataclasses.replace(read[0], accuracy=0.712), *read[1:]]
    said = "Its test split has been read 3 times; the first score, 71.2 %, counts."
    assert conclude("a", pairs, metrics, scored)[-1] == said
    assert conclude("a", pairs, metrics, read)[1:] == [
        "On the test photos it is worse than b (−5.0 points, 95 % interval −7.0 to −3.0): "
        "validation chose badly.",
        "Its test split has been read 3 times; the first score counts.",
    ]


def test_of_many_runs_a_conclusion_gives_the_names_alone(metrics_from: MakeMetrics) -> None:
    pairs = [pair("a", name, 0.1, differs=name != "f") for name in "bcdefg"]
    assert conclude("a", pairs, metrics_from([[40, 10], [10, 40]]))[1:] == [
        "It is better than b, c, d, e and g.",
        "These test photos cannot tell it from f (+10.0 points, 95 % interval +8.0 to +12.0): "
        "indistinguishable on this test set; no test set of reasonable size would tell.",
    ]


def test_a_single_run_is_compared_with_nothing(metrics_from: MakeMetrics) -> None:
    (said,) = conclude("a", [], metrics_from([[40, 10], [10, 40]]))
    assert said.startswith("a is the only approach. Of the 100 test photos, which had no part in ")


def test_a_choice_that_has_learned_nothing_is_not_praised(metrics_from: MakeMetrics) -> None:
    pairs = [pair("a", "b", 0.1, differs=False)]
    said = conclude("a", pairs, metrics_from([[30, 20], [29, 21]]))
    assert said[1] == (
        "That cannot be told from always answering the most frequent class: nothing was learned "
        "that these photos show."
    )


def test_what_fine_tuning_added_is_said():
    head = [EpochRow(1, 1, 0.5, 1, 0.8, 1e-3, 1), EpochRow(2, 1, 0.5, 2, 0.7, 1e-3, 1)]
    tuned = [EpochRow(1, 1, 0.5, 1, 0.9, 1e-3, 1)]
    assert describe_tuning(head, tuned) == [
        "The head alone, on the frozen backbone, got 80.0 % of the validation photos right; with "
        "the backbone learning too it is 90.0 %."
    ]
    assert describe_tuning([], tuned) == []


def test_the_log_loss_of_fewer_than_five_mistakes_has_too_short_an_interval(
    metrics_from: MakeMetrics,
) -> None:
    four, five = metrics_from([[20, 3], [1, 30]]), metrics_from([[20, 3], [2, 30]])
    assert (four.mistakes, five.mistakes) == (4, 5)
    assert describe_few_mistakes({"train": four, "val": five, "test": four}) == (
        "The interval of the log-loss is too short on training and test: there are fewer than five "
        "mistakes."
    )
    assert describe_few_mistakes({"train": five, "test": five}) == ""
    assert describe_rungs_with_few_mistakes({"a": five, "b": five}) == ""
    assert describe_rungs_with_few_mistakes({"a": four, "b": five}) == (
        "a makes fewer than five mistakes on test: the interval of such a log-loss is too short."
    )
    assert describe_rungs_with_few_mistakes({"a": four, "b": four}).startswith("a and b make fewer")


def _slice(value: str, accuracy: float, corrected: float) -> Slice:
    figure = Figure(accuracy, accuracy - 0.05, accuracy + 0.05)
    return Slice("brightness", value, 1200, figure, 0.9, corrected, corrected)


def test_a_slice_is_named_only_if_it_is_significantly_worse() -> None:
    low, lower = _slice("darkest third", 0.7, 0.01), _slice("middle third", 0.5, 0.06)
    assert describe_slices([low, lower]) == (
        "It is worst where brightness is “darkest third”: 70.0 % of 1,200 photos are right (95 % "
        "interval 65.0–75.0 %), of the others 90.0 %."
    )
    assert describe_slices([lower]) == (
        "The one slice is not worse than the other photos, as far as these photos tell."
    )
    assert describe_slices([lower, lower]) == (
        "None of the 2 slices is worse than the other photos, as far as these photos tell."
    )


def _opened(run: str, *networks: str) -> list[Opening]:
    return [Opening("2026-11-21", "why", 9, run, network) for network in networks]


def test_openings_are_counted_over_the_study() -> None:
    assert describe_openings([]) == []
    assert describe_openings(_opened("a", "1")) == [
        "The test split was opened 1 time, once for 1 run."
    ]
    assert describe_openings(_opened("a", "1") + _opened("b", "2")) == [
        "The test split was opened 2 times, once for each of 2 runs."
    ]


def test_the_same_network_again_does_no_harm_and_another_does() -> None:
    openings = [
        *_opened("a", "1", "1"), *_opened("b", "2", "3"), *_opened("c", "", "4"), *_opened("d", "5")
    ]  # fmt: skip
    warning = (
        "The test photos had been opened for b before, with another network: what is chosen after "
        "a look at them fits them too well, so its score is optimistic."
    )
    assert describe_openings(openings) == [
        "The test split was opened 7 times, more than once for a, b and c.",
        warning,
        "Whether the network of c was the same is not on record.",
        "The network of a was the same each time: that does no harm.",
    ]
    assert warn_of_openings(openings) == [warning]
    assert warn_of_openings(_opened("a", "1", "1")) == []
    both = _opened("a", "1", "2") + _opened("b", "1", "2")
    assert "for a and b before" in warn_of_openings(both)[0]
    assert "their scores are optimistic" in warn_of_openings(both)[0]
