"""When a network says "unsure" instead of a label, and which labels are possible then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.errors import ConfigError, InferenceError

LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Shares of wrong answers for which a run keeps a threshold."""

DELTA = 0.05
"""Probability, over the draw of the validation photos, that a promised level does not hold."""


@dataclass(frozen=True)
class Rule:
    """When to be unsure."""

    below: float
    """Unsure of a photo whose most probable class has a probability below this."""
    possible_from: float | None = None
    """Of such a photo the classes with at least this probability are possible, and the most
    probable one. None: the most probable ones that together have the probability `below`."""

    def unsure(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Return whether each of the photos, (N, num_classes), gets no answer, (N,)."""
        result: NDArray[np.bool_] = probabilities.max(axis=1) < self.below
        return result

    def possible(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Return which classes are possible for unsure photos, (N, num_classes) for both."""
        if self.possible_from is None:
            return _first_to(probabilities, self.below)
        result: NDArray[np.bool_] = probabilities >= self.possible_from
        result[np.arange(len(result)), probabilities.argmax(axis=1)] = True
        return result


@dataclass(frozen=True)
class Level:
    """What the validation photos allow to promise about one share of wrong answers."""

    max_error: float
    """Share of the answered photos that may be wrong."""
    below: float | None
    """Unsure below this probability. None: nothing can be promised."""
    possible_from: float
    """Classes with at least this probability are possible; 0: all."""
    answered: int
    """Validation photos at or above the threshold; without one, those it was tried on first. Where
    photos have groups, one photo of each is counted."""
    wrong: int
    """Mistakes among them."""
    needed: int
    """Without a threshold: validation photos, or groups of them, that may allow one; 0: no number
    of them."""


@dataclass(frozen=True)
class Abstention:
    """The thresholds of a run, from its validation photos; they travel with the weights."""

    photos: int
    """Validation photos they come from."""
    levels: tuple[Level, ...]
    """From the strictest to the laxest."""
    delta: float = DELTA
    """Probability that the promise of a level does not hold."""
    groups: int = 0
    """Groups that the photos are in, where any two share one: one photo of each was used. 0: all
    photos were."""

    def level(self, max_error: float) -> Level:
        """Return the laxest level that is not above `max_error`; a stricter promise holds, too.

        Raises:
            ConfigError: if the share is no share, or below every level.
        """
        check_share("max_error", max_error)
        kept = [level for level in self.levels if level.max_error <= max_error * (1 + 1e-9)]
        if not kept:
            raise ConfigError(
                [f"max_error must be at least {_percent(LEVELS[0])}, received {max_error!r}."]
            )
        return kept[-1]

    def rule(self, max_error: float) -> Rule:
        """Return the rule whose answers are wrong in at most that share of photos.

        Raises:
            ConfigError: if the share is no share, or below every level.
            InferenceError: if the validation photos cannot promise it.
        """
        level = self.level(max_error)
        if level.below is None:
            raise InferenceError(self._refusal(level))
        return Rule(level.below, level.possible_from)

    def _refusal(self, level: Level) -> str:
        """Say why a level cannot be promised, what would be needed, and what can be."""
        asked = _percent(level.max_error)
        count = self.groups or self.photos
        what = "groups of validation photos" if self.groups else "validation photos"
        if count < least_photos(level.max_error, self.delta):
            reason = f"needs at least {level.needed:,} {what}; this run has {count:,}."
        else:
            which = ", one photo of each group," if self.groups else ","
            surest = f"the {level.answered:,} it is surest of{which}"
            verb = "is" if level.wrong == 1 else "are"
            reason = (
                f"is more than its validation photos allow: of {surest} {level.wrong:,} {verb} "
                "wrong. "
            )
            reason += (
                f"At that rate it takes about {level.needed:,} {what}, not {count:,}."
                if level.needed
                else "At that rate no number of photos is enough."
            )
        laxer = [other.max_error for other in self.levels if other.below is not None]
        hint = (
            f"The strictest it can promise is {_percent(laxer[0])}."
            if laxer
            else "It can promise nothing; give a threshold of your own (abstain_below)."
        )
        return f"a promise of at most {asked} wrong answers {reason} {hint}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for model.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Abstention:
        """Build from what `to_dict` returned.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        levels = tuple(Level(**level) for level in values["levels"])
        numbers = [n for level in levels for n in (level.below, level.possible_from)]
        if not all(n is None or 0 <= n <= 1 for n in numbers):
            raise ValueError("abstention: a probability is not from 0 to 1")
        groups = int(values.get("groups", 0))  # absent in older runs
        return cls(int(values["photos"]), levels, float(values["delta"]), groups)


def _first_to(probabilities: NDArray[np.floating[Any]], share: float) -> NDArray[np.bool_]:
    """Return the most probable classes, as few as have the share together, (N, num_classes)."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ordered = np.take_along_axis(probabilities.astype(np.float64), order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    result = np.empty(probabilities.shape, np.bool_)
    np.put_along_axis(result, order, before < share, axis=1)
    return result


def least_photos(max_error: float, delta: float = DELTA) -> int:
    """Return how many answers without a mistake it takes to promise a share of wrong ones.

    So many that a network whose answers are wrong more often has a streak like that with a
    probability of at most `delta`: 299 for 1 %, 59 for 5 %.
    """
    return math.ceil(math.log(delta) / math.log1p(-max_error))


def check_share(name: str, value: float) -> None:
    """Raise ConfigError unless the value is above 0 and below 1."""
    if not 0 < value < 1:
        raise ConfigError(
            [f"{name} must be above 0 and below 1 (1 % is 0.01), received {value!r}."]
        )


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
