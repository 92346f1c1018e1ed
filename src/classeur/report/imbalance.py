"""Classes of different sizes: recall of each against the photos it was learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from classeur.evaluation.metrics import ClassFigures, Metrics
from classeur.report.canvas import SMALL, Canvas, Margins, at, percent_axis, ticks_at
from classeur.report.figures import name_points
from classeur.report.svg import ACCENT, INK, MUTED, Drawing, draw, plain_style
from classeur.report.units import count
from classeur.report.words import percent

NOTICEABLE = 1.5
"""Largest class over smallest, from which on class sizes are worth a look."""

MOST_NAMES = 12
"""Classes up to which every point has its name; of more, the weakest have."""

WEAKEST = 5


def is_imbalanced(sizes: Mapping[str, int]) -> bool:
    """Whether classes differ noticeably in their training photos."""
    return bool(sizes) and max(sizes.values()) >= NOTICEABLE * min(sizes.values())


@plain_style()
def recall_against_size(metrics: Metrics, sizes: Mapping[str, int]) -> Drawing | None:
    """Return recall over training photos, a point per class with its 95 % interval.

    Nothing where classes are of about the same size.

    Args:
        metrics: on the test photos.
        sizes: label -> training photos.
    """
    rows = [row for row in metrics.per_class if row.support and sizes.get(row.label)]
    if not is_imbalanced(sizes) or len(rows) < 2:
        return None
    canvas = Canvas.of(520, 300 + 12 * max(0, min(len(rows), MOST_NAMES) - 6))
    axes = canvas.axes(Margins(46, 46, 20, 38))
    places = [math.log10(sizes[row.label]) for row in rows]
    figures = [row.recall_interval for row in rows]
    low = min(figure.low for figure in figures)
    room = 0.05 * (1 - low)
    axes.set_ylim(low - room, 1 + room)
    percent_axis(axes)
    _size_axis(axes, places)
    faint = 0.55 if len(rows) <= 3 * MOST_NAMES else 0.2
    for x, figure in zip(places, figures, strict=True):
        axes.plot([x, x], [figure.low, figure.high], color=INK, linewidth=1.2, alpha=faint)
    dots = 7 if len(rows) <= 3 * MOST_NAMES else 4
    values = [figure.value for figure in figures]
    axes.plot(
        places, values, color=ACCENT, linestyle="", marker="o", markersize=dots, clip_on=False
    )
    canvas.text(0, canvas.height - 12, "Recall on the test photos", bold=True)
    canvas.text(canvas.width - 20, 6, "training photos of the class", color=MUTED, size=SMALL,
                ha="right", va="bottom")  # fmt: skip
    points = [at(axes, x, value) for x, value in zip(places, values, strict=True)]
    bars = [
        (*at(axes, x, figure.low), *at(axes, x, figure.high))
        for x, figure in zip(places, figures, strict=True)
    ]
    named = _weakest(rows)
    first = [*named, *(i for i in range(len(rows)) if i not in named)]
    name_points(
        canvas,
        [rows[i].label for i in named],
        [points[i] for i in named],
        np.array(bars)[first] + np.array([-2, 0, 2, 0]),
    )
    return draw(canvas.figure, "recall", _alt(rows, sizes))


def _size_axis(axes: Axes, places: Sequence[float]) -> None:
    """Make the x axis one of photos, whose logarithms are the places."""
    room = 0.06 * (max(places) - min(places))
    low, high = min(places) - room, max(places) + room
    axes.set_xlim(low, high)
    decades = range(math.floor(low), math.ceil(high) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        sizes = [step * 10**decade for decade in decades for step in steps]
        shown = [size for size in sizes if low <= math.log10(size) <= high and size == int(size)]
        if len(shown) >= 3:
            break
    ticks_at(axes, [math.log10(size) for size in shown], lambda i: count(int(shown[i])))


def _weakest(rows: Sequence[ClassFigures]) -> list[int]:
    """Return the positions of the classes that are named: all if they are few."""
    if len(rows) <= MOST_NAMES:
        return list(range(len(rows)))
    return sorted(range(len(rows)), key=lambda i: (rows[i].recall, rows[i].label))[:WEAKEST]


def _alt(rows: Sequence[ClassFigures], sizes: Mapping[str, int]) -> str:
    shown = [rows[i] for i in _weakest(rows)]
    said = "; ".join(
        f"{row.label} {percent(row.recall)} ({count(sizes[row.label])} photos)" for row in shown
    )
    weakest = ", the weakest" if len(shown) < len(rows) else ""
    return f"Recall of {len(rows)} classes against their training photos{weakest}: {said}."
