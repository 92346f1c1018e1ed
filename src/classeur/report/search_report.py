"""The page of a search, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from classeur.report.units import plain, quantity
from classeur.report.words import percent, signed

Outcome = Literal["finished", "pruned", "failed"]


@dataclass(frozen=True)
class TrialSheet:
    """One training of a search."""

    number: int
    outcome: Outcome
    values: dict[str, Any]
    """Option -> its value, for what is searched."""
    accuracy: float | None
    """On the validation split, the highest of its epochs. None: it had no epoch."""
    loss: float | None
    """Validation log-loss of that epoch."""
    best_epoch: int
    epochs: int
    """Epochs done."""
    seconds: float
    """Spent in training."""
    reason: str = ""
    """Why it failed."""

    @property
    def rank(self) -> tuple[float, float]:
        """What the best trial has the most of: accuracy, then a low loss."""
        return (self.accuracy or 0.0, -(self.loss if self.loss is not None else float("inf")))


@dataclass(frozen=True)
class SearchReport:
    """All that the page of a search shows."""

    recipe: str
    photos: str
    """Where the photos are."""
    trials: list[TrialSheet]
    """In the order of their numbers. One that was interrupted goes on under another number."""
    own: dict[str, Any]
    """The recipe's own value of each option that is searched: those of the first trial."""
    logarithmic: frozenset[str]
    """Options that are drawn on a logarithmic scale."""
    choices: dict[str, tuple[Any, ...]]
    """Option -> its values, for those that take one of a few."""
    validation_photos: int
    importance: dict[str, float]
    """Option -> its share of what moved the accuracy. Empty: too few trials to say."""
    needed: int
    """Finished trials from which importance is estimated."""
    settings: dict[str, Any]
    environment: dict[str, Any]
    command: str
    """What to run next."""

    @property
    def finished(self) -> list[TrialSheet]:
        """The trials that trained to their end."""
        return [trial for trial in self.trials if trial.outcome == "finished"]

    @property
    def ranking(self) -> list[TrialSheet]:
        """The finished trials, the best first; of equals the earlier one."""
        return sorted(self.finished, key=lambda trial: trial.rank, reverse=True)

    @property
    def best(self) -> TrialSheet:
        """The finished trial with the highest validation accuracy, of equals the lower loss."""
        return self.ranking[0]

    @property
    def of_recipe(self) -> TrialSheet | None:
        """The finished trial of the recipe's own values, if there is one."""
        return next((trial for trial in self.finished if trial.values == self.own), None)

    @property
    def conclusion(self) -> list[str]:
        """What the search found, and what that does not say."""
        return [_found(self), _caution(self)]


def values_in_words(values: Mapping[str, Any]) -> str:
    """Return `learning_rate 0.001, dropout 0.3`."""
    return ", ".join(f"{name} {plain(value)}" for name, value in values.items())


def _found(report: SearchReport) -> str:
    best, own = report.best, report.of_recipe
    right = f"{percent(best.accuracy or 0)} of the validation photos right"
    if own is None:
        return f"The best of {_trials(report)} is number {best.number}, with {right}."
    if own.number == best.number:
        return (
            f"None of {_trials(report)} was better than {report.recipe} as it stands, with {right}."
        )
    gain = (best.accuracy or 0) - (own.accuracy or 0)
    if not gain:
        return (
            f"The best of {_trials(report)} is number {best.number}, with {right}: as many as "
            f"{report.recipe} as it stands, at a lower loss."
        )
    return (
        f"The best of {_trials(report)} is number {best.number}, with {right}: "
        f"{signed(gain)} points on {report.recipe} as it stands."
    )


def _caution(report: SearchReport) -> str:
    step = 100 / max(1, report.validation_photos)
    return (
        f"The best of many is partly the luckiest: its validation accuracy, on "
        f"{quantity(report.validation_photos, 'photo', 'photos')} of {step:.3g} points each, is "
        "optimistic. The test split was not opened. A study of both recipes opens it once, "
        "and says whether they differ."
    )


def _trials(report: SearchReport) -> str:
    return quantity(len(report.trials), "trial", "trials")
