"""Figures that compare rungs, and the confusion matrix of many classes as a map."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from classeur.report.canvas import SMALL, TEXT, Canvas, Margins, at, percent_axis, ticks_at
from classeur.report.placement import Frame, place
from classeur.report.study_report import RungSheet
from classeur.report.svg import (
    ACCENT,
    INK,
    MUTED,
    RULE,
    Drawing,
    draw,
    label,
    plain_style,
    text_width,
)
from classeur.report.units import round_duration
from classeur.report.words import interval, percent

MOST_CELLS = 20_000
"""Cells that a map draws; of a larger matrix, those with the largest shares."""

_TICKS = (
    *(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800),
    *(3600, 3 * 3600, 10 * 3600, 86400, 3 * 86400, 10 * 86400, 30 * 86400),
)
"""Seconds at which a logarithmic time axis may have a tick."""

_LABELLED_CELL = 8
"""Smallest cell of a map, in pixels, whose row and column still have a name."""


@plain_style()
def test_scores(rungs: Sequence[RungSheet]) -> Drawing | None:
    """Return test accuracy with its interval, a row per rung, in the order given.

    Nothing for a single rung, as for `accuracy_against_time`: it takes two to compare.
    """
    if len(rungs) < 2:
        return None
    names = [label(rung.name, 26) for rung in rungs]
    left = min(210, max(text_width(name, TEXT) for name in names) + 16)
    width, height = 520, 26 * len(rungs) + 72
    canvas = Canvas.of(width, height)
    axes = canvas.axes(Margins(left, 34, 62, 38))
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_xlim(*_accuracy_limits(rungs))
    axes.set_ylim(len(rungs) - 0.5, -0.5)
    axes.set_yticks([])
    for row, rung in enumerate(rungs):
        color = ACCENT if row == 0 else INK
        axes.plot([rung.test.low, rung.test.high], [row, row], color=color, linewidth=1.5)
        axes.plot([rung.test.value], [row], color=color, marker="o", markersize=7)
        _, y = at(axes, 0, row)
        canvas.text(left - 12, y, names[row], color=color, ha="right", bold=row == 0)
        canvas.text(width - 4, y, percent(rung.test.value), color=color, ha="right", bold=row == 0)
    canvas.text(0, height - 12, "Test accuracy", bold=True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
    alt = "Test accuracy with its 95 % interval. " + "; ".join(map(_say, rungs)) + "."
    return draw(canvas.figure, "test-accuracy", alt)


@plain_style()
def accuracy_against_time(rungs: Sequence[RungSheet]) -> Drawing | None:
    """Return test accuracy over training time, a named point per rung."""
    if len(rungs) < 2:
        return None
    canvas = Canvas.of(520, 320 + 12 * max(0, len(rungs) - 6))
    axes = canvas.axes(Margins(46, 46, 20, 38))
    axes.set_ylim(*_accuracy_limits(rungs))
    percent_axis(axes)
    xs, ticks, is_broken = _time_axis([rung.seconds for rung in rungs])
    room = 0.05 * max(max(xs) - min(xs), 1e-6)
    axes.set_xlim(min(xs) - room, max(xs) + room)
    low, high = axes.get_xlim()
    shown = [tick for tick in ticks if low <= tick[0] <= high]
    ticks_at(axes, [x for x, _ in shown], lambda i: shown[i][1])
    for row, (x, rung) in enumerate(zip(xs, rungs, strict=True)):
        color = ACCENT if row == 0 else INK
        axes.plot([x, x], [rung.test.low, rung.test.high], color=color, linewidth=1.2, alpha=0.55)
        axes.plot([x], [rung.test.value], color=color, marker="o", markersize=7)
    if is_broken:
        middle = (shown[0][0] + shown[1][0]) / 2
        canvas.text(*at(axes, middle, axes.get_ylim()[0]), "//", color=MUTED, ha="center")
    canvas.text(0, canvas.height - 12, "Test accuracy", bold=True)
    canvas.text(canvas.width - 20, 6, "time spent in training", color=MUTED, size=SMALL,
                ha="right", va="bottom")  # fmt: skip
    points = [at(axes, x, rung.test.value) for x, rung in zip(xs, rungs, strict=True)]
    bars = np.array(
        [
            (*at(axes, x, rung.test.low), *at(axes, x, rung.test.high))
            for x, rung in zip(xs, rungs, strict=True)
        ]
    )
    names = [rung.name for rung in rungs]
    name_points(canvas, names, points, bars + np.array([-2, 0, 2, 0]), chosen=0)
    said = "; ".join(f"{_say(rung)}, {round(rung.seconds, 1):g} s" for rung in rungs)
    return draw(canvas.figure, "time", f"Test accuracy against training time. {said}.")


@plain_style()
def confusion_map(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> Drawing:
    """Return a confusion matrix as a map, each cell as dark as its share of the row."""
    count = len(class_names)
    cell = max(3, min(16, 1000 // count))
    names = [label(name, 22) for name in class_names] if cell >= _LABELLED_CELL else []
    size = max(6.5, min(SMALL, cell - 1.5))
    side = 16 + max((text_width(name, size) for name in names), default=0)
    extent = cell * count
    canvas = Canvas.of(round(extent + side + 24), round(extent + side + 24))
    left, top = round(side) + 16, canvas.height - round(side) - 16
    axes = canvas.figure.add_axes((
        left / canvas.width, (top - extent) / canvas.height,
        extent / canvas.width, extent / canvas.height,
    ))  # fmt: skip
    axes.set_axis_off()
    axes.set_xlim(0, count)
    axes.set_ylim(count, 0)
    frame = Rectangle((0, 0), count, count, fill=False, edgecolor=RULE, linewidth=1, clip_on=False)
    axes.add_patch(frame)
    for (color, strength), cells in sorted(_shades(np.asarray(confusion)).items()):
        axes.add_patch(
            PathPatch(_squares(cells), facecolor=color, alpha=strength, linewidth=0, clip_on=False)
        )
    for i, name in enumerate(names):
        canvas.text(left - 5, top - cell * (i + 0.5), name, size=size, ha="right")
        _upright(canvas, left + cell * (i + 0.5), top + 5, name, size)
    canvas.text(left, canvas.height - 6, "prediction →", color=MUTED, size=SMALL, va="top")
    canvas.text(4, top + 8, "label ↓", color=MUTED, size=SMALL)
    right, photos = int(np.trace(np.asarray(confusion))), int(np.sum(confusion))
    alt = f"Confusion matrix of {count} classes: {right} of {photos} photos on the diagonal."
    return draw(canvas.figure, "confusion", alt)


def _say(rung: RungSheet) -> str:
    return f"{rung.name} {percent(rung.test.value)} ({interval(rung.test)})"


def _accuracy_limits(rungs: Sequence[RungSheet]) -> tuple[float, float]:
    low = min(rung.test.low for rung in rungs)
    high = max(rung.test.high for rung in rungs)
    room = 0.05 * max(high - low, 0.04)
    return max(-0.01, low - room), min(1.01, high + room)


def _time_axis(seconds: Sequence[float]) -> tuple[list[float], list[tuple[float, str]], bool]:
    """Return where each point stands, the ticks (place, name), and whether the axis is broken.

    Logarithmic where the times are far apart; 0 seconds then stand to the left of a break.
    """
    positive = [value for value in seconds if value > 0]
    if not positive or max(positive) <= 20 * min(positive):
        step = _step(max(positive, default=1.0))
        ticks = [(i * step, round_duration(i * step)) for i in range(8)]
        return list(seconds), ticks, False
    low, high = math.log10(min(positive)), math.log10(max(positive))
    nothing = low - 0.12 * (high - low) - 0.2  # a logarithm has no place for 0 seconds
    places = [math.log10(value) if value > 0 else nothing for value in seconds]
    inside = [tick for tick in _TICKS if low - 0.1 <= math.log10(tick) <= high + 0.1]
    inside = inside[:: 1 + len(inside) // 9]
    ticks = [(math.log10(tick), round_duration(tick)) for tick in inside]
    is_broken = len(positive) < len(seconds)
    return places, ([(nothing, "0 s")] if is_broken else []) + ticks, is_broken


def _step(largest: float) -> float:
    """Return a round number of seconds that divides an axis up to `largest` in at most six."""
    # such that every multiple reads well in its own unit: 90 s is 1.5 min, 80 s would be 1.333 min
    units = [m * unit for unit in (0.01, 0.1, 1) for m in (1, 2, 5)] + [10, 30]
    units += [m * 60 for m in (1, 2, 5, 10, 15, 30)]
    units += [m * 3600 for m in (1, 2, 4, 12, 24, 48, 120, 240)]
    return next((unit for unit in units if largest / unit <= 6), largest)


def name_points(
    canvas: Canvas, names: Sequence[str], points: Sequence[tuple[float, float]],
    bars: np.typing.NDArray[np.float64], chosen: int = -1,
) -> None:  # fmt: skip
    """Write names beside points, clear of each other and, where it can be, of the intervals.

    Args:
        canvas: to write on.
        names: of the points.
        points: (x, y) of each, in pixels.
        bars: (N, 4) left, bottom, right and top of the intervals, those of the points first.
        chosen: the point whose name has the one colour; -1: none.
    """
    names = [label(name) for name in names]
    sizes = [(text_width(name, TEXT), TEXT + 3.0) for name in names]
    frame = Frame(48, 48, canvas.width - 4, canvas.height - 26)
    corners = place(points, sizes, bars, frame)
    for i, ((x, y), (left, bottom), (width, height)) in enumerate(
        zip(points, corners, sizes, strict=True)
    ):
        end = (min(max(x, left), left + width), min(max(y, bottom), bottom + height))
        start = (x, min(max(end[1], bars[i, 1]), bars[i, 3]))  # on the interval, as close as it is
        if math.dist(start, end) > 16:
            canvas.leader(start, end)
        # Anchored at the side of the point, so that another font does not tear it away.
        if left + width <= x:
            ha, anchor = "right", left + width
        elif left >= x:
            ha, anchor = "left", left
        else:
            ha, anchor = "center", left + width / 2
        color = ACCENT if i == chosen else INK
        canvas.text(anchor, bottom + height / 2, names[i], color=color, ha=ha, bold=i == chosen)


def _shades(confusion: np.typing.NDArray[np.int64]) -> dict[tuple[str, float], list[list[int]]]:
    """Sort the cells by colour and strength: few shapes, however many cells."""
    rows, columns = np.nonzero(confusion)
    shares = confusion[rows, columns] / confusion.sum(axis=1)[rows]
    largest = np.sort(np.argsort(-shares, kind="stable")[:MOST_CELLS])
    shades: dict[tuple[str, float], list[list[int]]] = defaultdict(list)
    for i in largest.tolist():
        row, column = int(rows[i]), int(columns[i])
        strength = round(0.16 + 0.84 * math.ceil(6 * shares[i]) / 6, 2)
        shades[ACCENT if row == column else INK, strength].append([row, column])
    return shades


def _squares(cells: list[list[int]]) -> Path:
    """Return one path of a square for each (row, column)."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    vertices = (np.array(cells)[:, None, ::-1] + corners).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY], len(cells))
    return Path(vertices, codes)


def _upright(canvas: Canvas, x: float, y: float, text: str, size: float) -> None:
    canvas.figure.text(
        x / canvas.width, y / canvas.height, text, color=INK, fontsize=size, rotation=90,
        ha="center", va="bottom", parse_math=False,
    )  # fmt: skip
