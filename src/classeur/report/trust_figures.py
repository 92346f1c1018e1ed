"""Figures on trust: the reliability diagram, and risk against coverage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from classeur.evaluation.abstention import Reached
from classeur.evaluation.calibration import Bin, Calibration
from classeur.evaluation.risk import RiskCurve
from classeur.report.canvas import SMALL, Canvas, Margins, at, percent_axis
from classeur.report.placement import spread
from classeur.report.svg import ACCENT, INK, MUTED, Drawing, draw, plain_style
from classeur.report.trust import level
from classeur.report.words import percent

_WIDTH, _HEIGHT = 450, 320
_MARGINS = Margins(46, 46, 24, 38)


@plain_style()
def reliability_diagram(calibration: Calibration) -> Drawing:
    """Return how often it is right over how sure it is, a point per bin with its 95 % interval."""
    bins, before = calibration.after.bins, calibration.before.bins
    canvas, axes = _axes("Share that is right", "probability it gives its answer")
    low = min([some.interval.low for some in bins] + [some.confidence for some in bins + before])
    room = 0.03 * (1 - low)
    start = max(0.0, low - room)
    axes.set_xlim(start, 1 + room)
    axes.set_ylim(start, 1 + room)
    axes.plot([start, 1], [start, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    if calibration.temperature != 1:
        axes.plot(
            [some.confidence for some in before], [some.accuracy for some in before],
            color=INK, linewidth=1.2, linestyle=(0, (3, 2)), alpha=0.7,
        )  # fmt: skip
    for some in bins:
        axes.plot(
            [some.confidence] * 2, [some.interval.low, some.interval.high],
            color=ACCENT, linewidth=1.2, alpha=0.6,
        )  # fmt: skip
    axes.plot(
        [some.confidence for some in bins], [some.accuracy for some in bins],
        color=ACCENT, linewidth=1.6, marker="o", markersize=6, clip_on=False,
    )  # fmt: skip
    x, y = at(axes, start, 1)
    canvas.text(x + 8, y - 12, "too modest", color=MUTED, size=SMALL)
    x, y = at(axes, 1, start)
    canvas.text(x, y + 12, "too sure", color=MUTED, size=SMALL, ha="right")
    return draw(canvas.figure, "reliability", _say_bins(bins))


@plain_style()
def risk_coverage(curve: RiskCurve, reached: Sequence[Reached]) -> Drawing:
    """Return the share of wrong answers over the share of photos answered.

    Args:
        curve: on the test photos.
        reached: levels to mark, on the same photos.
    """
    canvas, axes = _axes("Share of the answers that is wrong", "photos answered, the surest first")
    top = max(0.01, 1.1 * float(curve.risk.max()))
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, top)
    keep = np.unique(np.linspace(0, len(curve.risk) - 1, 400).astype(int))
    axes.plot(curve.coverage[keep], curve.risk[keep], color=INK, linewidth=1.5)
    _mark(canvas, axes, reached)
    alt = (
        f"Risk against coverage: {percent(float(curve.risk[-1]))} wrong where every photo is "
        f"answered; area under the curve {curve.area.value:.4f}."
    )
    said = "; ".join(
        f"at most {level(some.max_error)}: {percent(some.coverage.value)} answered, "
        f"{percent(some.wrong / some.answered)} of these wrong"
        for some in reached
        if some.answered
    )
    return draw(canvas.figure, "risk", f"{alt} {said}{'.' if said else ''}")


def _axes(title: str, below: str) -> tuple[Canvas, Axes]:
    canvas = Canvas.of(_WIDTH, _HEIGHT)
    axes = canvas.axes(_MARGINS)
    percent_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    canvas.text(0, _HEIGHT - 12, title, bold=True)
    canvas.text(_WIDTH - 24, 6, below, color=MUTED, size=SMALL, ha="right", va="bottom")
    return canvas, axes


def _mark(canvas: Canvas, axes: Axes, reached: Sequence[Reached]) -> None:
    """Mark the levels on the curve; those at the same place have one name."""
    places: dict[tuple[float, float], list[str]] = {}
    for some in reached:
        if some.answered:
            place = (some.answered / some.photos, some.wrong / some.answered)
            places.setdefault(place, []).append(level(some.max_error))
    points = [at(axes, *place) for place in places]
    heights = spread([y + 16 for _, y in points], 14)
    for place, (x, y), names, height in zip(places, points, places.values(), heights, strict=True):
        axes.plot(*place, color=ACCENT, marker="o", markersize=7, clip_on=False)
        if height - y > 24:
            canvas.leader((x, y), (x - 6, height - 6))
        canvas.text(x - 6, height, f"≤ {', '.join(names)}", color=ACCENT, ha="right", bold=True)


def _say_bins(bins: Sequence[Bin]) -> str:
    said = "; ".join(
        f"says {percent(some.confidence, 0)}, right {percent(some.accuracy, 0)}" for some in bins
    )
    return f"Reliability diagram of {len(bins)} bins: {said}."
