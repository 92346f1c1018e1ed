"""Learning curves: loss and accuracy over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from classeur.report.canvas import SMALL, Canvas, Margins, at, number_axis, percent_axis
from classeur.report.placement import spread
from classeur.report.study_report import RungSheet
from classeur.report.svg import ACCENT, INK, MUTED, RULE, Drawing, draw, plain_style
from classeur.training.history import EpochRow

_DASHES = (0, (3, 2))


@dataclass(frozen=True)
class _Series:
    epochs: list[int]
    train: list[float]
    val: list[float]
    best: int
    """Position of the epoch whose weights were kept."""


@plain_style()
def learning_curves(history: Sequence[EpochRow], best_epoch: int) -> list[Drawing]:
    """Return loss and accuracy of training and validation; nothing where nothing was trained."""
    if not history:
        return []
    return [
        _large(_series(history, best_epoch, "loss"), "loss", "Loss"),
        _large(_series(history, best_epoch, "accuracy"), "accuracy", "Accuracy"),
    ]


@plain_style()
def small_multiples(rungs: Sequence[RungSheet], classes: int) -> dict[str, Drawing]:
    """Return the curves of each rung that trained, by its name, all on the same axes."""
    trained = [rung for rung in rungs if rung.history]
    if not trained:
        return {}
    longest = max(rung.history[-1].epoch for rung in trained)
    guessing = math.log(max(2, classes))
    largest = max(max(row.train_loss, row.val_loss) for rung in trained for row in rung.history)
    # A loss far above that of guessing would flatten all the others; it leaves the top instead.
    ceiling = min(1.05 * largest, 1.5 * guessing)
    return {
        rung.name: _small(rung, f"curves-{number}", longest, ceiling, guessing)
        for number, rung in enumerate(trained, 1)
    }


def _series(history: Sequence[EpochRow], best_epoch: int, what: str) -> _Series:
    epochs = [row.epoch for row in history]
    return _Series(
        epochs,
        [getattr(row, f"train_{what}") for row in history],
        [getattr(row, f"val_{what}") for row in history],
        epochs.index(best_epoch) if best_epoch in epochs else len(epochs) - 1,
    )


def _large(series: _Series, name: str, title: str) -> Drawing:
    canvas = Canvas.of(450, 280)
    axes = canvas.axes(Margins(42, 44, 76, 44))
    _plot(axes, series, width=1.8)
    is_loss = name == "loss"
    axes.set_ylim(*_limits(series, from_zero=is_loss))
    (number_axis if is_loss else percent_axis)(axes)
    _epoch_axis(axes, series.epochs[-1])
    canvas.text(0, 270, title, bold=True)
    canvas.text(450 - 76, 4, "epoch", color=MUTED, size=SMALL, ha="right", va="bottom")
    _name_lines(canvas, axes, series)
    kept = series.epochs[series.best]
    x, _ = at(axes, kept, 0)
    half = 42  # of the text below, so that it stays on the canvas
    canvas.text(
        min(max(x, 42 + half), 450 - half), 257, f"epoch {kept} kept",
        color=MUTED, size=SMALL, ha="center",
    )  # fmt: skip
    return draw(canvas.figure, name, _alt(title, series, is_loss))


def _small(rung: RungSheet, name: str, longest: int, ceiling: float, guessing: float) -> Drawing:
    canvas = Canvas.of(260, 250)
    loss, accuracy = (_series(rung.history, rung.best_epoch, what) for what in ("loss", "accuracy"))
    upper = canvas.axes(Margins(40, 146, 8, 20))
    lower = canvas.axes(Margins(40, 24, 8, 146))
    for axes, series, top in ((upper, loss, ceiling), (lower, accuracy, 1.0)):
        _plot(axes, series, width=1.5, ceiling=top)
        axes.set_xlim(min(0.5, 1 - 0.02 * longest), longest + max(0.5, 0.02 * longest))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    upper.axhline(guessing, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    upper.set_ylim(0, ceiling)
    upper.tick_params(labelbottom=False)
    lower.set_ylim(0, 1)
    number_axis(upper, most_ticks=4)
    percent_axis(lower, most_ticks=3)
    canvas.text(0, 242, "loss", color=MUTED, size=SMALL)
    canvas.text(0, 120, "accuracy", color=MUTED, size=SMALL)
    if max(loss.val) > ceiling:
        beyond = f"validation up to {max(loss.val):.3g} ↑"
        canvas.text(252, 242, beyond, color=ACCENT, size=SMALL, ha="right")
    alt = f"{rung.name}: {_alt('loss', loss, True)} {_alt('Accuracy', accuracy, False)}"
    return draw(canvas.figure, name, alt)


def _plot(axes: Axes, series: _Series, *, width: float, ceiling: float = math.inf) -> None:
    dot = "o" if len(series.epochs) == 1 else ""  # a single point makes no line
    axes.axvline(series.epochs[series.best], color=RULE, linewidth=1)
    axes.plot(
        series.epochs, series.train, color=INK, linewidth=width * 0.75, linestyle=_DASHES,
        marker=dot, markersize=4,
    )  # fmt: skip
    axes.plot(series.epochs, series.val, color=ACCENT, linewidth=width, solid_capstyle="round")
    kept = series.val[series.best]
    if kept <= ceiling:
        place = [series.epochs[series.best]]
        axes.plot(place, [kept], color=ACCENT, marker="o", markersize=6, clip_on=False)


def _limits(series: _Series, *, from_zero: bool) -> tuple[float, float]:
    values = series.train + series.val
    low, high = min(values), max(values)
    room = 0.06 * max(high - low, 0.02)
    if from_zero:
        return 0, high + room
    return max(0, low - room), min(1, high + room) + 0.004


def _epoch_axis(axes: Axes, last: int) -> None:
    room = 0.02 * last if last > 1 else 0.5
    axes.set_xlim(1 - room, last + room)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def _name_lines(canvas: Canvas, axes: Axes, series: _Series) -> None:
    """Name the lines where they end, apart from each other."""
    ends = [at(axes, series.epochs[-1], line[-1])[1] for line in (series.train, series.val)]
    train, val = spread(ends, 15)
    left = canvas.width - 68
    canvas.text(left, train, "training")
    canvas.text(left, val, "validation", color=ACCENT, bold=True)


def _alt(title: str, series: _Series, is_loss: bool) -> str:
    def say(value: float) -> str:
        return f"{value:.2f}" if is_loss else f"{100 * value:.1f} %"

    return (
        f"{title} over {series.epochs[-1]} epochs: training from {say(series.train[0])} to "
        f"{say(series.train[-1])}, validation from {say(series.val[0])} to {say(series.val[-1])}; "
        f"the weights of epoch {series.epochs[series.best]} were kept."
    )
