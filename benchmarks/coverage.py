"""How often the intervals hold the truth, and how often the tests cry wolf.

    python benchmarks/coverage.py [--studies 1000]

Test sets are drawn from a population whose figures are known, and measured as Classeur measures
them. A 95 % interval should hold the truth in 95 of 100 test sets; of 100 studies whose rungs are
equally good, at most 5 should call two of them different, and of 100 draws of validation photos at
most 5 should promise a share of wrong answers that does not hold. "Naive" is the same over photos
that really come in groups. docs/decisions/0014-intervals.md holds the table, 0015 that of the
promises.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from classeur.evaluation.abstention import find_thresholds
from classeur.evaluation.calibration import calibration_error, reliability_bins
from classeur.evaluation.comparison import compare, mcnemar, paired_difference
from classeur.evaluation.metrics import Figure, measure
from classeur.evaluation.resampling import Units
from classeur.evaluation.risk import risk_curve

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
"""The others are of the last class, the rarest one, and of the risk/coverage curve."""

Rows = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]
"""Labels, probabilities, and the group of each photo."""


@dataclass(frozen=True)
class Population:
    """Photos, and a network whose probabilities are right."""

    classes: int
    skill: float
    """Distance of a class from the others, in standard deviations."""
    prior: tuple[float, ...] = ()
    """Share of each class. Empty: all alike."""
    alike: float = 0.0
    """Correlation of photos of the same group."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class."""
        return np.array(self.prior or [1 / self.classes] * self.classes)

    def draw(self, photos: int, random: np.random.Generator, group_size: float = 1) -> Rows:
        """Draw photos, in groups of the same label and about so many photos."""
        of_photo = _group_of(photos, group_size, random)
        labels = random.choice(self.classes, of_photo[-1] + 1, p=self.shares)[of_photo]
        shared = random.normal(size=(of_photo[-1] + 1, self.classes))[of_photo]
        own = random.normal(size=(photos, self.classes))
        seen = np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * own
        seen[np.arange(photos), labels] += self.skill
        logits = self.skill * seen + np.log(self.shares)
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = chances / chances.sum(axis=1, keepdims=True)
        return labels, probabilities, of_photo

    def truth(self) -> dict[str, float]:
        """Return the figures of 300,000 photos."""
        return _truth(Population(self.classes, self.skill, self.prior))


@cache
def _truth(population: Population) -> dict[str, float]:
    labels, probabilities, _ = population.draw(300_000, np.random.default_rng(99))
    found = _figures(labels, probabilities, resamples=1)
    return {name: figure.value for name, figure in found.items() if figure}


def _figures(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], *,
    groups: Sequence[str] = (), resamples: int,
) -> dict[str, Figure | None]:  # fmt: skip
    names = [str(i) for i in range(probabilities.shape[1])]
    found = measure(labels, probabilities, names, groups=groups, resamples=resamples)
    right = probabilities.argmax(axis=1) == labels
    return {
        **{name: getattr(found, name) for name in FIGURES},
        "precision": found.per_class[-1].precision_interval,
        "recall": found.per_class[-1].recall_interval if found.per_class[-1].support else None,
        "f1": found.per_class[-1].f1_interval,
        "area": risk_curve(probabilities.max(axis=1), right, groups, resamples=resamples).area,
    }


def _group_of(photos: int, size: float, random: np.random.Generator) -> NDArray[np.int64]:
    if size == 1:
        return np.arange(photos)
    sizes = 1 + random.poisson(size - 1, photos)
    return np.repeat(np.arange(photos), sizes)[:photos]


def _named(of_photo: NDArray[np.int64]) -> list[str]:
    return [f"group {number}" for number in of_photo]


def coverage_of_figures(
    population: Population, photos: int, *, studies: int, group_size: float = 1,
    naive: bool = False, resamples: int = 400, seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Return figure -> share of test sets that have it whose interval holds the truth."""
    random, truth = np.random.default_rng(seed), population.truth()
    held: dict[str, list[bool]] = {name: [] for name in truth}
    for _ in range(studies):
        labels, probabilities, groups = population.draw(photos, random, group_size)
        given = [] if naive or group_size == 1 else _named(groups)
        found = _figures(labels, probabilities, groups=given, resamples=resamples)
        for name, figure in found.items():
            if figure:
                held[name].append(_holds(figure, truth[name]))
    return {name: float(np.mean(times)) for name, times in held.items()}


def _holds(figure: Figure, truth: float) -> bool:
    return figure.low <= truth <= figure.high


def coverage_of_calibration(
    population: Population, photos: int, *, studies: int, temperature: float = 1,
    group_size: float = 1, naive: bool = False, seed: int = 0,
) -> float:  # fmt: skip
    """Return the share of test sets whose interval holds the calibration error.

    Probabilities are sharpened by `temperature`: 1 leaves them right, 0.5 makes them too sure.
    """
    random, held = np.random.default_rng(seed), 0
    bins = len(reliability_bins(np.zeros(photos), np.zeros(photos, np.bool_)))
    plain = Population(population.classes, population.skill, population.prior)
    truth = _error_of(plain, temperature, bins)
    for _ in range(studies):
        labels, probabilities, groups = population.draw(photos, random, group_size)
        confidence = _sharpened(probabilities, temperature).max(axis=1)
        given = [] if naive or group_size == 1 else _named(groups)
        found = calibration_error(confidence, probabilities.argmax(axis=1) == labels, groups=given)
        held += _holds(found, truth)
    return held / studies


@cache
def _error_of(population: Population, temperature: float, bins: int) -> float:
    """Return the mean distance in bins of 300,000 photos; 0 where probabilities are right."""
    if temperature == 1:
        return 0.0
    _, right, _ = population.draw(300_000, np.random.default_rng(99))
    said = _sharpened(right, temperature).max(axis=1)
    parts = np.array_split(np.argsort(said), bins)
    gaps = [(said[rows] - right[rows].max(axis=1)).sum() for rows in parts]
    return float(np.abs(gaps).sum() / len(said))


def _sharpened(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    powers = probabilities ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Rungs:
    """Networks that get some photos right, more often the same ones than by chance."""

    accuracies: tuple[float, ...]
    common: float = 0.5
    """Correlation between two networks on the same photo."""
    alike: float = 0.0
    """Correlation of one network between photos of the same group."""

    def draw(
        self, photos: int, random: np.random.Generator, group_size: float = 1
    ) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.int64]]:
        """Return network -> whether it got each photo right, and the group of each photo."""
        of_photo = _group_of(photos, group_size, random)
        groups = of_photo[-1] + 1
        shared, own = random.normal(size=groups)[of_photo], random.normal(size=photos)
        hard = np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * own
        correct = {}
        for number, accuracy in enumerate(self.accuracies):
            shared, own = random.normal(size=groups)[of_photo], random.normal(size=photos)
            mine = np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * own
            score = np.sqrt(self.common) * hard + np.sqrt(1 - self.common) * mine
            correct[f"rung {number}"] = score < ndtri(accuracy)
        return correct, of_photo


def coverage_of_differences(
    rungs: Rungs, photos: int, *, studies: int, group_size: float = 1, naive: bool = False,
    seed: int = 0,
) -> float:  # fmt: skip
    """Return the share of test sets whose interval holds the difference of the first two rungs."""
    random, held = np.random.default_rng(seed), 0
    for _ in range(studies):
        correct, groups = rungs.draw(photos, random, group_size)
        given = [] if naive or group_size == 1 else _named(groups)
        first, second, *_ = correct.values()
        found = paired_difference(first, second, Units.of(given, photos))
        held += _holds(found, rungs.accuracies[0] - rungs.accuracies[1])
    return held / studies


def false_alarms(
    rungs: Rungs, photos: int, *, studies: int, group_size: float = 1, naive: bool = False,
    seed: int = 0,
) -> float:  # fmt: skip
    """Return the share of studies of equal rungs in which any two are called different."""
    random, alarms = np.random.default_rng(seed), 0
    for _ in range(studies):
        correct, groups = rungs.draw(photos, random, group_size)
        given = [] if naive or group_size == 1 else _named(groups)
        alarms += any(pair.differs for pair in compare(correct, groups=given))
    return alarms / studies


@dataclass(frozen=True)
class Answers:
    """A network's answers, of which so many are wrong from each confidence up."""

    doubtful: float
    """Share of mistakes that are rarer the surer it is."""
    noise: float
    """Share of mistakes that it is as sure of as of anything: wrong labels."""
    alike: float = 0.0
    """Correlation of confidence, and of being right, between photos of the same group."""

    def error(self, answered: float) -> float:
        """Return the share of wrong ones where a share of the photos, the surest, is answered."""
        return self.noise + self.doubtful * answered**3

    def draw(
        self, photos: int, random: np.random.Generator, group_size: float = 1
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
        """Return how sure it is, from 0 to 1 and evenly, what is wrong, and the groups."""
        of_photo = _group_of(photos, group_size, random)
        shared = random.normal(size=(2, of_photo[-1] + 1))[:, of_photo]
        own = random.normal(size=(2, photos))
        sure, luck = ndtr(np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * own)
        return sure, luck < self.noise + 4 * self.doubtful * (1 - sure) ** 3, of_photo


def promises(
    answers: Answers, photos: int, max_error: float, *, studies: int, group_size: float = 1,
    naive: bool = False, seed: int = 0,
) -> tuple[float, float]:  # fmt: skip
    """Return the share of broken promises over all draws, and the mean share of photos answered."""
    random, broken, answered = np.random.default_rng(seed), 0, 0.0
    for _ in range(studies):
        sure, wrong, groups = answers.draw(photos, random, group_size)
        given = [] if naive or group_size == 1 else _named(groups)
        rows = np.stack([0.5 + sure / 2, 0.5 - sure / 2], axis=1)
        level = find_thresholds(rows, wrong.astype(np.int64), given).level(max_error)
        if level.below is not None:
            share = min(1.0, 2 - 2 * level.below)
            broken += answers.error(share) > max_error
            answered += share
    return broken / studies, answered / studies


def power(
    only_first: float, only_second: float, photos: int, *, level: float, studies: int, seed: int = 0
) -> float:
    """Return the share of test sets of a size in which McNemar's test finds a difference."""
    shares = [only_first, only_second, 1 - only_first - only_second]
    drawn = np.random.default_rng(seed).multinomial(photos, shares, studies)
    p_value = cache(mcnemar)
    return float(np.mean([p_value(int(a), int(b)) < level for a, b, _ in drawn]))


BY_ACCURACY = {
    "2 classes, 80 %": Population(2, 1.2), "2 classes, 95 %": Population(2, 2.3),
    "2 classes, 99 %": Population(2, 3.3), "10 classes, 73 %": Population(10, 2.2),
    "10 classes, 92 %": Population(10, 3.3), "10 classes, 99 %": Population(10, 4.25),
    "10 uneven classes, 93 %": Population(
        10, 3.0, (0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.05, 0.03, 0.02, 0.02)
    ),
}  # fmt: skip

PROMISES = (
    ("5.6 %, at any confidence", Answers(0, 0.056), 0.05),
    ("5.6 %", Answers(0.056, 0), 0.05), ("5.3 + 0.3 %", Answers(0.053, 0.003), 0.05),
    ("1.1 %, at any confidence", Answers(0, 0.011), 0.01),
    ("2 %", Answers(0.02, 0), 0.01), ("2 + 0.1 %", Answers(0.02, 0.001), 0.01),
)  # fmt: skip
"""What is wrong in all; answers; share of wrong answers that is promised."""


def _lines(studies: int) -> Iterator[str]:
    yield (
        "| photos of | n | accuracy | balanced accuracy | macro-F1 | log-loss | precision | recall "
        "| F1 | area under risk |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for name, population in BY_ACCURACY.items():
        for photos in (50, 200, 1000):
            some = studies if photos < 1000 else studies // 2
            yield _row(name, photos, coverage_of_figures(population, photos, studies=some))
    for photos in (80, 400, 1600):
        for naive in (False, True):
            population = Population(2, 2.3, alike=0.8)
            name = f"2 classes, 95 %, groups of 8{', naive' if naive else ''}"
            found = coverage_of_figures(
                population, photos, studies=studies // 2, group_size=8, naive=naive
            )
            yield _row(name, photos, found)
    yield from _calibration_lines(studies)
    yield "\n| two rungs | n | difference | grouped | naive |\n|---|---:|---:|---:|---:|"
    for accuracies in ((0.8, 0.75), (0.95, 0.9), (0.99, 0.98), (0.95, 0.95)):
        for photos in (50, 200, 1000):
            yield _pair_row(accuracies, photos, 4 * studies, coverage_of_differences)
    yield "\n| equal rungs | n | false alarms | grouped | naive |\n|---|---:|---:|---:|---:|"
    for accuracies in ((0.8,) * 2, (0.8,) * 6, (0.95,) * 6):
        for photos in (200, 1000):
            yield _pair_row(accuracies, photos, studies, false_alarms)
    yield "\n| wrong | n | at most | broken, answered | groups of 8 | of 30 | of 30, naive |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, answers, max_error in PROMISES:
        for photos in (600, 2000):
            yield _promise_row(name, answers, photos, max_error, studies)


def _promise_row(name: str, answers: Answers, photos: int, max_error: float, studies: int) -> str:
    alike = replace(answers, alike=0.8)
    found = [
        promises(some, photos, max_error, studies=studies, group_size=size, naive=naive)
        for some, size, naive in (
            (answers, 1, False), (alike, 8, False), (alike, 30, False), (alike, 30, True),
        )
    ]  # fmt: skip
    cells = " | ".join(f"{100 * broken:.1f}, {100 * share:.0f}" for broken, share in found)
    return f"| {name} | {photos} | {100 * max_error:g} % | {cells} |"


def _calibration_lines(studies: int) -> Iterator[str]:
    yield "\n| calibration error of | n | right | too sure | far too sure | too modest |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, population in BY_ACCURACY.items():
        for photos in (50, 200, 1000):
            yield _calibration_row(name, population, photos, studies)
    for photos in (80, 400, 1600):
        for naive in (False, True):
            population = Population(2, 2.3, alike=0.8)
            name = f"2 classes, 95 %, groups of 8{', naive' if naive else ''}"
            yield _calibration_row(name, population, photos, studies, group_size=8, naive=naive)


def _calibration_row(
    name: str, population: Population, photos: int, studies: int, *, group_size: float = 1,
    naive: bool = False,
) -> str:  # fmt: skip
    shares = {
        str(temperature): coverage_of_calibration(
            population, photos, studies=studies, temperature=temperature, group_size=group_size,
            naive=naive,
        )
        for temperature in (1, 0.67, 0.33, 1.5)
    }  # fmt: skip
    return _row(name, photos, shares)


def _row(name: str, photos: int, found: dict[str, float]) -> str:
    return f"| {name} | {photos} | {' | '.join(f'{100 * x:.1f}' for x in found.values())} |"


def _pair_row(
    accuracies: tuple[float, ...], photos: int, studies: int, share: Callable[..., float]
) -> str:
    one, eight = Rungs(accuracies), Rungs(accuracies, alike=0.8)
    found = (
        share(one, photos, studies=studies),
        share(eight, photos, studies=studies, group_size=8),
        share(eight, photos, studies=studies, group_size=8, naive=True),
    )
    name = " and ".join(f"{100 * x:.0f} %" for x in accuracies)
    name = name if len(accuracies) == 2 else f"{len(accuracies)} × {100 * accuracies[0]:.0f} %"
    return f"| {name} | {photos} | {' | '.join(f'{100 * x:.1f}' for x in found)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="test sets for each figure")
    for line in _lines(parser.parse_args().studies):
        print(line)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
