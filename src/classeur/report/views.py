"""Rows and cells as the pages show them, worked out from the values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any
from urllib.parse import quote

from classeur.config import PreprocessingConfig
from classeur.data.inspect import Inspection
from classeur.data.records import SPLITS
from classeur.evaluation.comparison import Pair
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import Figure
from classeur.report.certainty import SeedSpread
from classeur.report.run_report import RunReport
from classeur.report.study_report import StudyReport
from classeur.report.units import count, duration, file_size, milliseconds, plain
from classeur.report.words import signed

Rows = list[tuple[str, str]]
"""(name, value), for a table of two columns."""


def figure_rows(metrics: RunMetrics) -> list[tuple[str, str]]:
    """Return (name, attribute of Metrics) of the figures of merit that there are."""
    rows = [
        ("Accuracy", "accuracy"),
        ("Balanced accuracy", "balanced_accuracy"),
        ("Macro-F1", "macro_f1"),
    ]
    test = metrics.splits["test"]
    if test.top_k is not None:
        rows.append((f"Top-{test.k} accuracy", "top_k"))
    return [*rows, ("Log-loss", "log_loss")]


def gap(train: Figure, val: Figure, form: str) -> str:
    """Return training minus validation, in points or as a plain number."""
    difference = train.value - val.value
    if form == "percent":
        return signed(difference)
    return f"{round(difference, 3) + 0:+.3f}".replace("-", "−")  # adding 0 turns −0.0 into 0.0


def share(part: float, whole: float) -> str:
    """Return a part in per cent, as a number for a style sheet."""
    return f"{100 * part / whole:.3g}" if whole else "0"


def mean_and_deviation(spread: SeedSpread) -> str:
    """Return `91.2 ± 0.8 %`; the deviation is that of a sample."""
    return f"{100 * spread.mean:.1f} ± {100 * spread.standard_deviation:.1f} %"


def seed_range(spread: SeedSpread) -> str:
    """Return the lowest and the highest as `90.4–92.1 %`."""
    return f"{100 * spread.minimum:.1f}–{100 * spread.maximum:.1f} %"


def lowest_and_highest(scores: Sequence[float]) -> str:
    """Return `89.1–93.4 %`."""
    return f"{100 * min(scores):.1f}–{100 * max(scores):.1f} %" if scores else ""


def temperature_range(temperatures: Sequence[float]) -> str:
    """Return `1.12`, or `0.98–1.31` of several that differ."""
    low, high = (f"{some(temperatures):.2f}" for some in (min, max))
    return low if low == high else f"{low}–{high}"


def splits_of(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the splits in the order of a study: train, val, test, then photos without one."""
    known = [name for name in SPLITS if name in counts]
    return [*known, *(name for name in counts if name not in SPLITS)]


def totals_of(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return label -> photos over all splits, sorted by name."""
    labels = sorted({label for split in counts.values() for label in split})
    return {label: sum(split.get(label, 0) for split in counts.values()) for label in labels}


def split_name(split: str) -> str:
    """Return a split's name in words."""
    words = {"train": "training", "val": "validation", "test": "test", "": "photos"}
    return words.get(split, split)


def storage_rows(inspection: Inspection) -> Rows:
    """Return how the photos are stored, and what was passed over."""
    width, height = inspection.widths.mean, inspection.heights.mean
    rows = [
        ("mean size", f"{count(round(width))} × {count(round(height))} pixels"),
        ("colour modes", _tally(inspection.modes)),
        ("file formats", _tally(inspection.formats)),
    ]
    if inspection.passed_over:
        rows.append(("passed over", _tally(inspection.passed_over)))
    return rows


def seen_photo(preprocessing: PreprocessingConfig) -> str:
    """Return what the network sees of a photo, in a sentence."""
    size, filters = preprocessing.size, preprocessing.filters
    color = {"rgb": "in colour", "grey": "in grey"}.get(preprocessing.color, "")
    made = {
        "squash": "both sides squashed to the square",
        "crop": "the middle of the photo",
        "pad": "all of the photo, with a black border",
    }[preprocessing.resize]
    after = f"; then {', '.join(filters)}" if filters else ""
    return f"It sees {size} × {size} pixels {color}: {made}{after}."


def cost_rows(report: RunReport) -> Rows:
    """Return what training and using a run cost."""
    training, metrics = report.training, report.metrics
    epochs, best = training.get("epochs", 0), training.get("best_epoch", 0)
    trained = f"{epochs}; the weights of epoch {best} are kept" if epochs else "none"
    return [
        ("parameters", count(metrics.parameters)),
        ("time spent in training", duration(training.get("seconds", 0.0))),
        ("epochs", trained),
        ("why it stopped", str(training.get("stopped", "")) or "not recorded"),
        ("peak memory", file_size(training.get("peak_memory", 0))),
        ("weights on disk", file_size(metrics.disk_bytes)),
        ("one photo, once prepared", milliseconds(metrics.latency_ms)),
    ]


def flat(values: Mapping[str, Any]) -> Rows:
    """Return nested settings as rows; bytes as a size."""
    rows: Rows = []
    for key, value in values.items():
        name = str(key).replace("_", " ")
        if isinstance(value, Mapping):
            rows += [(f"{name}: {inner}", text) for inner, text in flat(value)]
        elif name.endswith(" bytes") and isinstance(value, int):
            rows.append((name.removesuffix(" bytes"), file_size(value)))
        else:
            rows.append((name, plain(value)))
    return rows


def version(environment: Mapping[str, Any]) -> str:
    """Return Classeur's version with a space before it, or ''."""
    number = environment.get("packages", {}).get("classeur", "")
    return f" {number}" if number else ""


def moment(text: str) -> str:
    """Return `2026-11-21T09:41:21+00:00` as `2026-11-21 09:41 UTC`; another text as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time:%Y-%m-%d %H:%M} {time.tzname() or ''}".rstrip()


def pairs_of_chosen(report: StudyReport) -> list[Pair]:
    """Return the pairs with the chosen rung, seen from it, in the order of the rungs."""
    if not report.rungs:
        return []
    chosen = report.rungs[0].name
    order = {rung.name: rank for rank, rung in enumerate(report.rungs)}
    mine = [seen_from(chosen, pair) for pair in report.pairs if chosen in (pair.first, pair.second)]
    return sorted(mine, key=lambda pair: order.get(pair.second, len(order)))


def seen_from(name: str, pair: Pair) -> Pair:
    """Return the pair with the named run first."""
    if pair.first == name:
        return pair
    return replace(
        pair,
        first=pair.second,
        second=pair.first,
        difference=pair.seen_from(pair.second),
        only_first=pair.only_second,
        only_second=pair.only_first,
    )


def verdicts(report: StudyReport) -> dict[str, str]:
    """Return for each other rung whether the test photos tell it from the chosen one."""
    said = {}
    for pair in pairs_of_chosen(report):
        different = "worse" if pair.difference.value > 0 else "better"
        said[pair.second] = different if pair.differs else "indistinguishable"
    return said


def address(folder: str, page: str = "report.html") -> str:
    """Return the relative address of a page in a folder, whatever its name holds."""
    parts = [part for part in folder.split("/") if part]
    return "/".join(quote(part, safe="", errors="surrogateescape") for part in [*parts, page])


def last_part(path: str) -> str:
    """Return the last part of a path, or the path if it has none."""
    return PureWindowsPath(path).name or path


def prose(text: str) -> str:
    """Keep a number and its per cent sign on one line."""
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or 'unknown'}: {count(number)}" for name, number in counts.items())


def without_history(report: StudyReport) -> Iterable[str]:
    """Return the rungs that nothing was trained for."""
    return [rung.name for rung in report.rungs if not rung.history]
