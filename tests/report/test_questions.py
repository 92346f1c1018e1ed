from __future__ import annotations

from classeur.evaluation.comparison import Pair
from classeur.evaluation.metrics import Figure
from classeur.report.questions import Answer, Question, answer_all

ASKED = Question("What does b bring?", "a", "b")


def pair(first, second, value, corrected):
    return Pair(first, second, Figure(value, value - 0.02, value + 0.02), 9, 3, 0.001, corrected)


def test_a_difference_is_seen_from_the_step_whatever_the_order_of_the_pair():
    (up,) = answer_all([ASKED], [pair("b", "a", 0.1, 0.001)], "ab", ())
    (turned,) = answer_all([ASKED], [pair("a", "b", -0.1, 0.001)], "ab", ())
    assert up == turned == Answer(ASKED, Figure(0.1, 0.08, 0.1 + 0.02), "b is better.")


def test_a_loss_and_what_cannot_be_told_apart():
    (down,) = answer_all([ASKED], [pair("a", "b", 0.1, 0.001)], "ab", ())
    assert (down.verdict, down.difference.value) == ("b is worse.", -0.1)
    (same,) = answer_all([ASKED], [pair("a", "b", -0.1, 0.2)], "ab", ())
    assert same.verdict == "The test photos cannot tell the two apart."


def test_a_missing_rung_is_named_only_if_it_was_asked_for():
    others = [pair("a", "c", 0.1, 0.001)]
    assert answer_all([ASKED], others, "ac", ["b"]) == [
        Answer(ASKED, None, "Not answered: b did not finish.")
    ]
    assert (
        answer_all([ASKED], others, "ac", ["a", "b"])[0].verdict
        == "Not answered: b did not finish."
    )
    assert answer_all([ASKED], [], "", ["a", "b"]) == [
        Answer(ASKED, None, "Not answered: a and b did not finish.")
    ]
    (alone,) = answer_all([ASKED], [], "a", ["b"])
    assert alone.verdict == "Not answered: b did not finish."
    assert answer_all([ASKED], others, "ac", ()) == []
