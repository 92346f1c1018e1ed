"""Answer less, err less: thresholds with a promise, and what they bring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from classeur.evaluation.metrics import Figure, exact_share, worth_of
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.resampling import Units
from classeur.models.abstention import DELTA, LEVELS, Abstention, Level, Rule, least_photos

FIRST = 0.2
"""Share of the validation photos, the surest of them, on which a level is tried first."""

LATER = {0.5: 0.1, 1.0: 0.1}
"""Share of the photos on which a level is tried anew -> part of DELTA that is spent there. What is
not spent is for the first try."""

_STEP = 1.05
"""Each try has about so many times as many photos as the one before."""

_TRIES = math.ceil(math.log(1 / FIRST, _STEP))

_MOST_MISTAKES = 2000


@dataclass(frozen=True)
class Reached:
    """What abstaining brought on some photos."""

    max_error: float
    """That was asked for; 0: a threshold of one's own."""
    below: float
    """Unsure of photos below this probability."""
    photos: int
    answered: int
    """Photos that got an answer and no "unsure"."""
    wrong: int
    """Mistakes among them."""
    held: int
    """Unsure photos whose label is among the possible ones."""
    size: float
    """Mean number of possible labels of an unsure photo; 0 if there is none."""
    worth: float = 0.0
    """Independent photos that the share of answers is worth, fewer where photos have groups; 0:
    as many as there are."""
    worth_answered: float = 0.0
    """The same of the answered photos and the share that is wrong."""

    @property
    def unsure(self) -> int:
        """Photos without an answer."""
        return self.photos - self.answered

    @property
    def coverage(self) -> Figure:
        """Share of the photos that got an answer."""
        return exact_share(self.answered / self.photos, self.worth or self.photos)

    @property
    def error(self) -> Figure | None:
        """Share of the answers that is wrong; None if there are none."""
        if not self.answered:
            return None
        return exact_share(self.wrong / self.answered, self.worth_answered or self.answered)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, with coverage and error worked out."""
        error = asdict(self.error) if self.error else None
        return {**asdict(self), "coverage": asdict(self.coverage), "error": error}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reached:
        """Build from what `to_dict` returned."""
        rest = {k: v for k, v in values.items() if k not in ("coverage", "error")}
        return cls(**rest)


def find_thresholds(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], groups: Sequence[str] = ()
) -> Abstention:
    """Return what validation photos allow to promise at each of LEVELS.

    Photos of one group are alike, and no binomial test may count them as several. So one photo of
    each group is drawn, by a fixed seed, and only these are used: they are independent. The promise
    is then about a photo of a new group, each group counting alike, however many photos it has.

    Args:
        probabilities: (N, num_classes) of the validation photos.
        labels: (N,) indices.
        groups: the group of each photo, "" for none. Empty: no photo has one.
    """
    units = Units.of(groups, len(labels))
    rows = units.one_of_each()
    levels = tuple(_level(probabilities[rows], labels[rows], max_error) for max_error in LEVELS)
    return Abstention(len(labels), levels, groups=units.count if units.grouped else 0)


def _level(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], max_error: float
) -> Level:
    """Return the lowest threshold that can be promised (Learn then Test, Angelopoulos et al. 2021).

    From each start thresholds are tried in a fixed order, from a strict one down, each by an exact
    binomial test of "its answers are wrong more often than that"; the last before the first failure
    counts. A fixed sequence needs no correction for the number of tries, so a promise takes fewer
    photos than with a bound for all thresholds at once (Geifman and El-Yaniv, 2017). The starts
    share DELTA. docs/decisions/0015 states the theorem.
    """
    confidence = probabilities.max(axis=1).astype(np.float32)
    wrong = probabilities.argmax(axis=1) != labels
    tries = [
        _lowest(confidence, wrong, start, max_error) for start in _starts(len(labels), max_error)
    ]
    kept = [below for below in tries if below is not None]
    if not kept:
        return _refused(confidence, wrong, max_error)
    answered = confidence >= min(kept)
    possible = _possible_from(probabilities[~answered], labels[~answered], max_error)
    count, mistakes = int(answered.sum()), int(wrong[answered].sum())
    return Level(max_error, min(kept), possible, count, mistakes, 0)


class _Start(NamedTuple):
    """Where a sequence of tries begins."""

    photos: int
    """The surest, of which there are so many at least."""
    delta: float
    """Probability that it promises what does not hold."""


def _starts(photos: int, max_error: float) -> list[_Start]:
    """Return the starts for so many photos: a later one where it would pardon a mistake.

    Without that it could promise no more than the first, which it would make stricter. Which ones
    there are hangs on numbers alone, so it may.
    """
    later = [some for some in _later(photos) if bdtr(1, some.photos, max_error) <= some.delta]
    delta = DELTA - sum(some.delta for some in later)
    first = max(math.ceil(FIRST * photos), least_photos(max_error, delta))
    return [_Start(first, delta), *later]


def _later(photos: int) -> list[_Start]:
    return [_Start(math.ceil(share * photos), part * DELTA) for share, part in LATER.items()]


def _lowest(
    confidence: NDArray[np.float32], wrong: NDArray[np.bool_], start: _Start, max_error: float
) -> float | None:
    """Return the last threshold before the first failure; None: the first one fails."""
    found = None
    for below in _ladder(confidence, start.photos):
        answered = confidence >= below
        if bdtr(wrong[answered].sum(), answered.sum(), max_error) > start.delta:
            break
        found = below
    return found


def _ladder(confidence: NDArray[np.float32], first: int) -> Iterator[float]:
    """Yield thresholds from strict to lax: just above the next lower confidence, at last 0.

    The numbers of photos are the same for all levels, so that a laxer one does not stop earlier.
    What a photo must exceed is the confidence of one that is not counted: given that, the ones
    above it are an ordinary sample, and the mistakes among them binomial.
    """
    ordered = np.sort(confidence)[::-1]
    counts = {math.ceil(len(ordered) / _STEP**step) for step in range(_TRIES)}
    for count in sorted(count for count in counts if count >= first):
        lower = ordered[ordered < ordered[count - 1]]
        yield float(np.nextafter(lower[0], np.float32(2))) if len(lower) else 0.0


def _possible_from(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], max_error: float
) -> float:
    """Return the probability from which on a class is possible for an unsure photo; 0: every one.

    Split conformal prediction (Vovk et al., 2005) with the label's probability as the score
    (Sadinle et al., 2019), on the unsure validation photos alone, as the promise is about unsure
    photos: their labels are among the possible ones in at least 1 − max_error of cases.
    """
    count = len(labels)
    rank = math.ceil((count + 1) * (1 - max_error) - 1e-9)
    if rank > count:
        return 0.0
    of_label = np.sort(probabilities[np.arange(count), labels])[::-1]
    return float(of_label[rank - 1])


def _refused(confidence: NDArray[np.float32], wrong: NDArray[np.bool_], max_error: float) -> Level:
    """Return a level that cannot be promised, and of the first tries the one closest to it."""
    photos, least = len(wrong), least_photos(max_error)
    if photos < least:
        return Level(max_error, None, 0.0, 0, 0, least)
    first, *_ = _starts(photos, max_error)
    tries = [_tried(confidence, wrong, some, max_error) for some in (first, *_later(photos))]
    return min(tries, key=lambda level: level.needed or math.inf)


def _tried(
    confidence: NDArray[np.float32], wrong: NDArray[np.bool_], start: _Start, max_error: float
) -> Level:
    """Return a level as its first try leaves it."""
    answered = confidence >= next(_ladder(confidence, start.photos))
    count, mistakes = int(answered.sum()), int(wrong[answered].sum())
    needed = _needed(max_error, start.delta, count, mistakes, len(wrong))
    return Level(max_error, None, 0.0, count, mistakes, needed)


def _needed(max_error: float, delta: float, tried: int, mistakes: int, photos: int) -> int:
    """Return about how many validation photos a promise takes at the rate of mistakes seen."""
    if not mistakes:
        return math.ceil(least_photos(max_error, delta) * photos / tried)
    rate = mistakes / tried
    if rate >= max_error:
        return 0
    for some in range(1, _MOST_MISTAKES):
        answers = math.ceil(some / rate)
        if bdtr(some, answers, max_error) <= delta:
            return math.ceil(answers * photos / tried)
    return 0


def reached(predictions: Predictions, rule: Rule, max_error: float = 0.0) -> Reached:
    """Return what a rule brings on labelled photos.

    Args:
        predictions: of the photos.
        rule: when to be unsure.
        max_error: that was asked for; 0: a threshold of one's own.
    """
    unsure = rule.unsure(predictions.probabilities)
    possible = rule.possible(predictions.probabilities[unsure])
    units, answered = Units.of(predictions.groups, len(unsure)), np.flatnonzero(~unsure)
    return Reached(
        max_error,
        rule.below,
        photos=len(unsure),
        answered=int((~unsure).sum()),
        wrong=int((~predictions.correct[~unsure]).sum()),
        held=int(possible[np.arange(len(possible)), predictions.labels[unsure]].sum()),
        size=float(possible.sum(axis=1).mean()) if len(possible) else 0.0,
        worth=worth_of(~unsure, units),
        worth_answered=worth_of(predictions.correct[answered], units.among(answered))
        if len(answered)
        else 0.0,
    )


def reached_levels(predictions: Predictions, thresholds: Abstention | None) -> list[Reached]:
    """Return what each level that can be promised brings on labelled photos."""
    return [
        reached(predictions, Rule(level.below, level.possible_from), level.max_error)
        for level in (thresholds.levels if thresholds else ())
        if level.below is not None
    ]
