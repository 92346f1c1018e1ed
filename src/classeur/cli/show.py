"""Figures of merit and findings as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classeur.cli.tables import table
from classeur.data.quality import KINDS
from classeur.report.units import duration, p_value, plain, quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classeur.data.inspect import Inspection, Spread
    from classeur.evaluation.metrics import Figure, Metrics
    from classeur.evaluation.slices import Slice
    from classeur.report.search_report import SearchReport
    from classeur.report.study_report import RungSheet, StudyReport

_MANY = 20
_BEST = 5


def show_metrics(metrics: Metrics) -> str:
    """Return the figures of merit and the classification report."""
    rows = [
        ("accuracy", *_figure(metrics.accuracy)),
        ("balanced accuracy", *_figure(metrics.balanced_accuracy)),
        ("macro-F1", *_figure(metrics.macro_f1)),
        ("log-loss", *_figure(metrics.log_loss)),
    ]
    if metrics.top_k is not None:
        rows.append((f"top-{metrics.k} accuracy", *_figure(metrics.top_k)))
    figures = table(("figure", "value", "95 % interval"), rows)
    classes = table(
        ("class", "precision", "recall", "F1", "photos"),
        [
            (c.label, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", c.support)
            for c in metrics.per_class
        ],
    )
    groups = (
        f" in {metrics.groups:,} groups (given, or copies of one picture); intervals are over the "
        "groups"
    ) * bool(metrics.groups)
    return f"{metrics.photos:,} photos{groups}\n\n{figures}\n\n{classes}"


def show_slices(slices: Sequence[Slice]) -> str:
    """Return the accuracy on each slice, and whether one is worse; '' if there are none."""
    from classeur.report.words import describe_slices

    rows = [
        (s.feature, s.value, s.photos, *_figure(s.accuracy), f"{s.others:.4f}",
         p_value(s.corrected_p))
        for s in slices
    ]  # fmt: skip
    header = ("slice", "value", "photos", "accuracy", "95 % interval", "others", "p, corrected")
    return "\n".join([table(header, rows), "", describe_slices(slices)]) if rows else ""


def show_study(report: StudyReport) -> str:
    """Return the comparison table and the conclusion."""
    rows = [
        (
            sheet.name,
            f"{sheet.val.value:.4f}",
            f"{sheet.test.value:.4f}",
            f"{sheet.test.low:.4f}–{sheet.test.high:.4f}",
            *_spread_of_folds(sheet),
            f"{sheet.metrics.splits['test'].log_loss.value:.4f}",
            sheet.epochs,
            f"{sheet.seconds / 60:.1f}",
            f"{sheet.metrics.parameters:,}",
        )
        for sheet in report.rungs
    ]
    folds = ("fold by fold",) if report.folds else ()
    header = ("rung", "validation", "test", "95 % interval", *folds, "log-loss", "epochs",
              "minutes", "parameters")  # fmt: skip
    return "\n".join([table(header, rows), "", *report.conclusion])


def _spread_of_folds(sheet: RungSheet) -> list[str]:
    scores = sheet.fold_scores.values()
    return [f"{min(scores):.4f}–{max(scores):.4f}"] if scores else []


def show_search(report: SearchReport) -> str:
    """Return the best trials and the conclusion."""
    rows = [
        (
            trial.number,
            f"{trial.accuracy:.4f}",
            f"{trial.loss:.4f}",
            f"{trial.best_epoch} of {trial.epochs}",
            *map(plain, trial.values.values()),
            duration(trial.seconds),
        )
        for trial in report.ranking[:_BEST]
    ]
    header = ("trial", "validation", "log-loss", "epoch", *report.own, "time")
    return "\n".join([table(header, rows), "", *report.conclusion])


def show_inspection(found: Inspection) -> str:
    """Return the findings about a folder of photos."""
    splits = list(found.counts)
    header = ["class", *(split or "photos" for split in splits)]
    rows = [
        [name, *(found.counts[split].get(name, 0) for split in splits), total]
        for name, total in found.per_class.items()
    ]
    if len(splits) > 1:
        header.append("all")
    else:
        rows = [row[:-1] for row in rows]
    size = f"{found.widths.mean:.0f}×{found.heights.mean:.0f}"
    lines = [
        f"{quantity(found.total, 'photo', 'photos')} in "
        f"{quantity(len(found.class_names), 'class', 'classes')} ({found.layout})",
        "",
        table(header, rows),
        "",
        f"imbalance: {found.imbalance:.2f} photos of the largest class for each of the smallest",
        f"mean size: {size} pixels",
        f"widths:    {_spread(found.widths)}",
        f"heights:   {_spread(found.heights)}",
        f"modes:     {_counts(found.modes)}; formats: {_counts(found.formats)}",
    ]
    if found.passed_over:
        lines.append(f"passed over: {_counts(found.passed_over)}")
    lines += _listed("unreadable files", [f"{u.path} {u.reason}" for u in found.unreadable])
    lines += _listed("exact duplicates", [" = ".join(d.paths) for d in found.duplicates])
    lines += _listed(
        "duplicates with different labels",
        [f"{' = '.join(d.paths)} ({', '.join(d.labels)})" for d in found.contradictions],
    )
    lines += _listed(
        "duplicates across splits",
        [f"{' = '.join(d.paths)} ({', '.join(d.splits)})" for d in found.leaks],
    )
    lines += _listed("near-duplicates", [" ~ ".join(d.paths) for d in found.near_duplicates])
    lines += _listed(
        "near-duplicates with different labels",
        [f"{' ~ '.join(d.paths)} ({', '.join(d.labels)})" for d in found.near_contradictions],
    )
    lines += _listed(
        "near-duplicates across splits",
        [f"{' ~ '.join(d.paths)} ({', '.join(d.splits)})" for d in found.near_leaks],
    )
    lines += _listed(
        "groups across splits",
        [f"{g.group} ({_counts(g.splits)})" for g in found.group_leaks],
    )
    for item in found.odd:
        lines += _listed(f"photos that are {KINDS[item.kind]}", item.paths)
    sentences = found.sentences()
    return "\n".join([*lines, "", *sentences] if sentences else lines)


def _figure(figure: Figure) -> tuple[str, str]:
    return f"{figure.value:.4f}", f"{figure.low:.4f}–{figure.high:.4f}"


def _spread(spread: Spread) -> str:
    return (
        f"{spread.minimum} to {spread.maximum} pixels, half of them up to {spread.median:.0f}, "
        f"nine in ten from {spread.low:.0f} to {spread.high:.0f}"
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def _listed(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = (
        [f"  … and {len(items) - _MANY} more (all of them: --json)"] if len(items) > _MANY else []
    )
    return ["", f"{title}: {len(items)}", *(f"  {item}" for item in items[:_MANY]), *more]
