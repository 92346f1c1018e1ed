from __future__ import annotations

from classeur.config import RunConfig
from classeur.evaluation.comparison import Pair
from classeur.evaluation.metrics import Figure
from classeur.report.questions import Answer, Question, answer_all, differing
from classeur.section import override

ASKED = Question("What does b bring?", "a", "b")


def pair(first, second, value, corrected):
    return Pair(first, second, Figure(value, value - 0.02, value + 0.02), 9, 3, 0.001, corrected)


def asked(*names):
    """A config for each rung, the seed of the weights aside all different."""
    return {
        name: override(RunConfig(recipe=name), {"dropout": number / 10, "epochs": 10 + number})
        for number, name in enumerate(names)
    }


def test_a_difference_is_seen_from_the_step_whatever_the_order_of_the_pair():
    (up,) = answer_all([ASKED], [pair("b", "a", 0.1, 0.001)], asked("a", "b"), ())
    (turned,) = answer_all([ASKED], [pair("a", "b", -0.1, 0.001)], asked("a", "b"), ())
    assert (
        up
        == turned
        == Answer(ASKED, Figure(0.1, 0.08, 0.1 + 0.02), "b is better.", ("dropout", "epochs"))
    )


def test_a_loss_and_what_cannot_be_told_apart():
    (down,) = answer_all([ASKED], [pair("a", "b", 0.1, 0.001)], asked("a", "b"), ())
    assert (down.verdict, down.difference.value) == ("b is worse.", -0.1)
    (same,) = answer_all([ASKED], [pair("a", "b", -0.1, 0.2)], asked("a", "b"), ())
    assert same.verdict == (
        "The test photos cannot tell the two apart; no test set of reasonable size would tell."
    )


def test_a_missing_rung_is_named_only_if_it_was_asked_for():
    others = [pair("a", "c", 0.1, 0.001)]
    assert answer_all([ASKED], others, asked("a", "c"), ["b"]) == [
        Answer(ASKED, None, "Not answered: b did not finish.")
    ]
    assert (
        answer_all([ASKED], others, asked("a", "c"), ["a", "b"])[0].verdict
        == "Not answered: b did not finish."
    )
    assert answer_all([ASKED], [], {}, ["a", "b"]) == [
        Answer(ASKED, None, "Not answered: a and b did not finish.")
    ]
    (alone,) = answer_all([ASKED], [], asked("a"), ["b"])
    assert alone.verdict == "Not answered: b did not finish."
    assert answer_all([ASKED], others, asked("a", "c"), ()) == []


def test_two_rungs_that_options_have_made_the_same_answer_nothing():
    same = dict.fromkeys("ab", RunConfig())
    (answer,) = answer_all([ASKED], [pair("a", "b", 0.1, 0.001)], same, ())
    assert answer.difference is None
    assert answer.verdict == "Not answered: with the options given, the two rungs are the same."


def test_what_two_rungs_differ_in():
    one, other = RunConfig(seed=1), override(RunConfig(), {"name": "dense", "flip": 0.5, "zca": 3})
    assert differing(one, other) == ("network", "zca", "flip")
