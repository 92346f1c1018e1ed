"""Figures of a search: accuracy over the trials, and over each option."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullLocator,
)

from classeur.report.canvas import SMALL, TEXT, Canvas, Margins, at, percent_axis, ticks_at
from classeur.report.search_report import SearchReport, TrialSheet
from classeur.report.svg import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    Drawing,
    draw,
    label,
    plain_style,
    text_width,
)
from classeur.report.units import plain
from classeur.report.words import percent

_MARKS = {"finished": ("o", 6.0), "pruned": ("x", 5.5), "failed": ("v", 5.5)}
"""Outcome -> (marker, size)."""


@plain_style()
def accuracy_over_trials(report: SearchReport) -> Drawing:
    """Return validation accuracy of each trial in its turn, and the best so far as a line."""
    canvas = Canvas.of(640, 290)
    axes = canvas.axes(Margins(46, 44, 16, 40))
    low, high = _limits(report.trials)
    axes.set_ylim(low, high)
    percent_axis(axes)
    axes.set_xlim(-0.5, max(trial.number for trial in report.trials) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    bests = list(itertools.accumulate(map(_finished_accuracy, report.trials), max))
    line = [
        (trial.number, best) for trial, best in zip(report.trials, bests, strict=True) if best > 0
    ]
    if line:
        axes.step(*zip(*line, strict=True), where="post", color=ACCENT, linewidth=1.5)
    for trial in report.trials:
        _mark(axes, trial.number, trial, report, low)
    canvas.text(0, canvas.height - 12, "Validation accuracy", bold=True)
    canvas.text(canvas.width - 16, 4, "number of the trial", color=MUTED,
                size=SMALL, ha="right", va="bottom")  # fmt: skip
    _name_best(canvas, axes, report)
    return draw(canvas.figure, "history", _said(report))


@plain_style()
def option_scatters(report: SearchReport) -> dict[str, Drawing]:
    """Return validation accuracy over the values of each option, all on the same axis."""
    return {
        name: _scatter(report, name, f"option-{number}")
        for number, name in enumerate(report.own, 1)
    }


@plain_style()
def importances(shares: Mapping[str, float]) -> Drawing | None:
    """Return each option's share of what moved the accuracy; nothing where it is not known."""
    if not shares:
        return None
    left = max(text_width(name, TEXT) for name in shares) + 16
    width, height = 520, 26 * len(shares) + 36
    canvas = Canvas.of(width, height)
    axes = canvas.axes(Margins(left, 4, 50, 32))
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, max(shares.values()) or 1)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for row, (name, share) in enumerate(shares.items()):
        axes.barh(row, share, height=0.34, color=ACCENT if row == 0 else INK)
        _, y = at(axes, 0, row)
        canvas.text(left - 12, y, name, ha="right", bold=row == 0)
        x, _ = at(axes, share, row)
        canvas.text(x + 8, y, percent(share, 0), color=MUTED)
    canvas.text(0, height - 12, "Share of what moved the accuracy", bold=True)
    said = "; ".join(f"{name} {percent(share, 0)}" for name, share in shares.items())
    return draw(canvas.figure, "importance", f"Share of what moved the accuracy. {said}.")


def _scatter(report: SearchReport, name: str, key: str) -> Drawing:
    canvas = Canvas.of(260, 180)
    axes = canvas.axes(Margins(40, 26, 10, 12))
    low, high = _limits(report.trials)
    axes.set_ylim(low, high)
    percent_axis(axes, most_ticks=4)
    places = _value_axis(axes, report, name)
    axes.axvline(places[report.own[name]], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    for trial in report.trials:
        _mark(axes, places[trial.values[name]], trial, report, low)
    best = plain(report.best.values[name])
    alt = f"Validation accuracy over {name}, in {len(report.trials)} trials; the best has {best}."
    return draw(canvas.figure, key, alt)


def _value_axis(axes: Axes, report: SearchReport, name: str) -> dict[object, float]:
    """Set up the x axis of an option; return where each of its values stands."""
    values = [report.own[name], *(trial.values[name] for trial in report.trials)]
    if name in report.choices:
        choices = report.choices[name]
        axes.set_xlim(-0.5, len(choices) - 0.5)
        names = [label(plain(choice), 9) for choice in choices]
        crowd = sum(text_width(name, SMALL) + 4 for name in names) / 210
        shown = range(0, len(choices), math.ceil(crowd))
        ticks_at(axes, shown, lambda i: names[shown[i]])
        return {choice: float(place) for place, choice in enumerate(choices)}
    if name in report.logarithmic:
        low, high = math.log10(min(values)), math.log10(max(values))
        room = 0.06 * max(high - low, 0.3)
        axes.set_xscale("log")
        axes.set_xlim(10 ** (low - room), 10 ** (high + room))
        _log_ticks(axes, low - room, high + room)
    else:
        room = 0.06 * max(max(values) - min(values), 1e-3)
        axes.set_xlim(min(values) - room, max(values) + room)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    return {value: float(value) for value in values}


def _log_ticks(axes: Axes, low: float, high: float) -> None:
    """Put ticks at powers of ten; where there are fewer than two, at 1, 2 and 5 times them."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5)):
        ticks = [step * 10**power for power in powers for step in steps]
        inside = [tick for tick in ticks if low <= math.log10(tick) <= high]
        if len(inside) >= 2:
            break
    axes.xaxis.set_major_locator(FixedLocator(inside[:: 1 + len(inside) // 5]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _mark(axes: Axes, x: float, trial: TrialSheet, report: SearchReport, low: float) -> None:
    """Draw a trial; one without an epoch stands on the axis."""
    marker, size = _MARKS[trial.outcome]
    is_best = trial.number == report.best.number
    finished = trial.outcome == "finished"
    color = ACCENT if is_best else INK if finished else MUTED
    axes.plot(
        [x], [low if trial.accuracy is None else trial.accuracy], color=color, marker=marker,
        markersize=8 if is_best else size, markeredgecolor=PAPER if finished else color,
        markeredgewidth=0.8 if finished else 1.3, zorder=4 if is_best else 3, clip_on=False,
    )  # fmt: skip


def _name_best(canvas: Canvas, axes: Axes, report: SearchReport) -> None:
    best = report.best
    x, y = at(axes, best.number, best.accuracy or 0)
    text = f"trial {best.number}: {percent(best.accuracy or 0)}"
    half = text_width(text, TEXT) / 2
    x = min(max(x, half), canvas.width - half)
    canvas.text(x, y + 14, text, color=ACCENT, ha="center", bold=True)


def _limits(trials: Sequence[TrialSheet]) -> tuple[float, float]:
    values = [trial.accuracy for trial in trials if trial.accuracy is not None]
    low, high = min(values), max(values)
    room = 0.08 * max(high - low, 0.04)
    return max(0, low - room), high + room


def _finished_accuracy(trial: TrialSheet) -> float:
    return (trial.accuracy or 0.0) if trial.outcome == "finished" else 0.0


def _said(report: SearchReport) -> str:
    own = report.of_recipe
    start = f"{report.recipe} as it stands {percent(own.accuracy or 0)}; " if own else ""
    return (
        f"Validation accuracy of {len(report.trials)} trials: {start}"
        f"the best, trial {report.best.number}, {percent(report.best.accuracy or 0)}."
    )
