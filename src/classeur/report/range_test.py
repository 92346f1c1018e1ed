"""The page of a learning-rate range test."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from classeur.report.canvas import SMALL, Canvas, Margins, number_axis, ticks_at
from classeur.report.render import render_range_test
from classeur.report.svg import ACCENT, INK, MUTED, Drawing, draw, plain_style
from classeur.run_folder import write_text
from classeur.training.find_lr import RangeTest

TABLE = "learning_rates.csv"


def write_range_test(found: RangeTest, recipe: str, rate: float, folder: Path) -> Path:
    """Write learning_rates.csv, learning_rates.svg and index.html; return the page.

    Args:
        found: the test.
        recipe: what was tested.
        rate: the recipe's own learning rate.
        folder: where to; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["learning_rate", "smoothed_loss"])
    rows = zip(found.rates, found.losses, strict=True)
    writer.writerows((f"{a:.6g}", f"{b:.6g}") for a, b in rows)
    write_text(folder / TABLE, text.getvalue())
    drawing = plot(found, rate)
    write_text(folder / "learning_rates.svg", drawing.file)
    render_range_test(found, recipe, rate, drawing, folder / "index.html")
    return folder / "index.html"


@plain_style()
def plot(found: RangeTest, rate: float) -> Drawing:
    """Return the smoothed loss over the learning rate, with the suggestion and the recipe's own."""
    canvas = Canvas.of(640, 320)
    axes = canvas.axes(Margins(48, 48, 16, 44))
    axes.set_xscale("log")
    axes.plot(found.rates, found.losses, color=INK, linewidth=1.8)
    low, high = min(found.losses), max(found.losses)
    top = min(high, max(2 * found.losses[0] - low, found.losses[0] * 1.2))
    room = 0.06 * max(top - low, 0.01)
    axes.set_ylim(low - room, top + room)
    number_axis(axes)
    decades = [10.0**power for power in range(-6, 2)]
    inside = [x for x in decades if found.rates[0] * 0.99 <= x <= found.rates[-1] * 1.01]
    ticks_at(axes, inside, lambda i: f"{inside[i]:g}" if i < len(inside) else "")
    axes.minorticks_off()
    best = found.suggestion
    if best is not None:
        axes.axvline(best, color=ACCENT, linewidth=1.5)
    axes.axvline(rate, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    canvas.text(0, 308, "Training loss, smoothed", bold=True)
    canvas.text(624, 8, "learning rate", color=MUTED, size=SMALL, ha="right", va="bottom")
    half = f"Half of its fall is done at {best:.2g}" if best else "It does not fall"
    alt = (
        f"The loss at learning rates from {found.rates[0]:.2g} to {found.rates[-1]:.2g}. "
        f"{half}; the recipe has {rate:.2g}."
    )
    return draw(canvas.figure, "learning_rates", alt)
