"""Sentences about how far probabilities can be trusted, and about what abstaining brings."""

from __future__ import annotations

from collections.abc import Sequence

from classeur.evaluation.abstention import Reached
from classeur.evaluation.calibration import Bin, Calibration
from classeur.evaluation.metrics import share_of
from classeur.report.words import interval, percent

SHOWN = (0.01, 0.05, 0.1)
"""Shares of wrong answers that a sheet shows."""


def level(share: float) -> str:
    """Return 0.01 as `1 %`, 0.005 as `0.5 %`."""
    return f"{100 * share:g} %"


def describe_confidence(calibration: Calibration) -> list[str]:
    """Say where a run is surer than it is right, and what the temperature did about it."""
    bins = calibration.after.bins
    off = [some for some in bins if not _as_said(some, len(bins))]
    if off:
        worst = max(off, key=lambda some: abs(some.accuracy - some.confidence))
        how = "too sure of itself" if worst.accuracy < worst.confidence else "too modest"
        said = f"It is {how}: where it says {percent(worst.confidence, 0)}, {_right(worst)}."
    else:
        typical = min(bins, key=lambda some: abs(some.confidence - 0.9))
        said = (
            f"Where it says {percent(typical.confidence, 0)}, {_right(typical)}: these test photos "
            "do not speak against its probabilities."
        )
    return [said, describe_temperature(calibration)]


def _as_said(some: Bin, bins: int) -> bool:
    """Whether a bin's accuracy may be its confidence; corrected for the number of bins."""
    from scipy.stats import binomtest

    photos = max(1, round(some.independent))
    right = round(some.accuracy * photos)
    return float(binomtest(right, photos, some.confidence).pvalue) >= 0.05 / bins


def _right(some: Bin) -> str:
    """Say how often a bin is right."""
    return (
        f"it is right {percent(some.accuracy, 0)} of the time ({some.photos:,} photos, 95 % "
        f"interval {interval(some.interval)})"
    )


def describe_temperature(calibration: Calibration) -> str:
    """Say what temperature was fitted, and why none."""
    if not calibration.mistakes:
        return (
            f"Its {calibration.fitted_on:,} validation photos hold no mistake, so no temperature "
            "can be fitted; it stays at 1."
        )
    if calibration.temperature == 1:
        return "Its temperature is 1: the probabilities are as the network gives them."
    way = "less" if calibration.temperature > 1 else "more"
    return (
        f"A temperature of {calibration.temperature:.2f}, fitted on {calibration.fitted_on:,} "
        f"validation photos, makes it {way} sure than the network alone; no answer changes by it."
    )


def describe_reached(reached: Reached) -> str:
    """Say what abstaining brings on labelled photos."""
    error = reached.error
    asked = f"At most {level(reached.max_error)} wrong: " if reached.max_error else ""
    if error is None:
        return f"{asked}it is unsure of all {reached.photos:,} photos."
    said = (
        f"{asked}it answers {percent(reached.coverage.value)} of the photos ({reached.answered:,} "
        f"of {reached.photos:,}), and {percent(error.value)} of these answers are wrong "
        f"({reached.wrong:,}; 95 % interval {interval(error)})."
    )
    if not reached.unsure:
        return said
    held = share_of(reached.held, reached.unsure)
    return (
        f"{said} Of the {reached.unsure:,} unsure photos the label is among the possible ones for "
        f"{percent(held.value)}, of which there are {reached.size:.1f} on average."
    )


def shown_levels(reached: Sequence[Reached]) -> list[tuple[str, Reached | None]]:
    """Return (level, what it brings or None) for the levels that a sheet shows."""
    by_level = {some.max_error: some for some in reached}
    return [(level(share), by_level.get(share)) for share in SHOWN]
