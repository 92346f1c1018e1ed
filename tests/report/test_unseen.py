"""What is said of the part that the test photos had before they were scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from tests.report.pages import Page

from classeur.config import DataConfig, RunConfig
from classeur.evaluation.leaks import LeakEffect
from classeur.evaluation.metrics import Figure
from classeur.report.unseen import part_of_test

NONE = "They had no part in training or in any choice."
FOLD = "This fold neither learned from them nor chose by them; the other 1 fold did."
AGAIN = (
    "They were scored more than once, and not by one network for certain: they may have had a part "
    "in a choice."
)


def leaks(exact: int, near: int) -> LeakEffect:
    return LeakEffect(exact, near, 50, Figure(0.9, 0.8, 1.0), None)


def opened(*networks: str) -> list[dict[str, str]]:
    return [{"when": "2026", "network": network} for network in networks]


@pytest.mark.parametrize(
    ("folds", "effect", "openings", "said"),
    [
        (0, None, [], [NONE]),
        (0, None, opened("a", "a"), [NONE]),
        (0, None, opened(""), [NONE]),
        (0, leaks(1, 0), [], ["1 of them has a copy among the training photos."]),
        (0, leaks(2, 1000), [], ["1,002 of them have copies among the training photos."]),
        (2, None, [], [FOLD]),
        (0, None, opened("a", "b"), [AGAIN]),
        (0, None, opened("", ""), [AGAIN]),
    ],
)  # fmt: skip
def test_what_is_said(
    folds: int, effect: LeakEffect | None, openings: list[dict[str, str]], said: list[str]
) -> None:
    assert part_of_test(folds, effect, openings) == said


def test_every_fact_is_said() -> None:
    assert len(part_of_test(5, leaks(1, 1), opened("a", "b"))) == 3


def test_the_sheet_of_a_fold_claims_no_more_than_is_so(
    run_page: Callable[..., Page],
) -> None:
    assert NONE in run_page().text
    fold = dataclasses.replace(DataConfig(photos="/p"), folds=5, fold=2)
    text = run_page(config=RunConfig("conv3", data=fold)).text
    assert NONE not in text
    assert "This fold neither learned from them nor chose by them; the other 4 folds did." in text
