"""An empty figure in CSS pixels, with the quiet axes that all figures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from classeur.report.svg import INK, MUTED, RULE

SMALL, TEXT = 11, 12
"""Text sizes in pixels."""


@dataclass(frozen=True)
class Margins:
    """Space around the axes, in pixels."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Canvas:
    """A figure whose unit is the CSS pixel, from the lower left corner."""

    figure: Figure
    width: float
    height: float

    @classmethod
    def of(cls, width: float, height: float) -> Canvas:
        """Return an empty figure."""
        return cls(Figure(figsize=(width / 72, height / 72), dpi=72), width, height)

    def axes(self, margins: Margins) -> Axes:
        """Add axes with horizontal rules only."""
        axes = self.figure.add_axes((
            margins.left / self.width,
            margins.bottom / self.height,
            (self.width - margins.left - margins.right) / self.width,
            (self.height - margins.bottom - margins.top) / self.height,
        ))  # fmt: skip
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.spines["bottom"].set_color(RULE)
        axes.tick_params(length=0, pad=6, labelsize=SMALL, labelcolor=MUTED)
        axes.grid(axis="y", color=RULE, linewidth=0.8)
        axes.set_axisbelow(True)
        return axes

    def text(
        self, x: float, y: float, text: str, *, color: str = INK, size: float = TEXT,
        ha: str = "left", va: str = "center", bold: bool = False,
    ) -> None:  # fmt: skip
        """Write a text at a place; dollars and backslashes in it are just that."""
        self.figure.text(
            x / self.width, y / self.height, text, color=color, fontsize=size, ha=ha, va=va,
            fontweight="bold" if bold else "normal", parse_math=False,
        )  # fmt: skip

    def leader(self, point: tuple[float, float], label: tuple[float, float]) -> None:
        """Lead from a point to its label, dotted: nobody shall take it for an interval."""
        xs, ys = zip(point, label, strict=True)
        self.figure.add_artist(
            Line2D(
                [x / self.width for x in xs], [y / self.height for y in ys],
                color=MUTED, linewidth=1, linestyle=(0, (1, 2)),
            )
        )  # fmt: skip


def at(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Return where a point of the axes lies on the canvas."""
    left, bottom = axes.transData.transform((x, y))
    return float(left), float(bottom)


def percent_axis(axes: Axes, *, most_ticks: int = 5) -> None:
    """Label the y axis in per cent."""
    axes.yaxis.set_major_locator(MaxNLocator(most_ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def number_axis(axes: Axes, *, most_ticks: int = 5) -> None:
    """Label the y axis with plain numbers."""
    axes.yaxis.set_major_locator(MaxNLocator(most_ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def ticks_at(axes: Axes, places: Sequence[float], name: Callable[[int], str]) -> None:
    """Put named ticks on the x axis."""
    axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda _, i: name(i) if i is not None else ""))
