"""A report as a value -> its pages: HTML that opens from disk, Markdown, figures as files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from classeur.data.inspect import Inspection
from classeur.data.quality import KINDS
from classeur.evaluation.slices import FEWEST
from classeur.models.novelty import LEAST_AUROC
from classeur.report import units, views
from classeur.report.certainty import describe_test, interval_basis, missing_photos
from classeur.report.curves import learning_curves, small_multiples
from classeur.report.figures import accuracy_against_time, confusion_map, test_scores
from classeur.report.filters import FilterPage
from classeur.report.imbalance import recall_against_size
from classeur.report.leaks import PairCard
from classeur.report.model_card import ModelCard
from classeur.report.photos import PhotoCard
from classeur.report.run_report import RunReport
from classeur.report.search_figures import accuracy_over_trials, importances, option_scatters
from classeur.report.search_report import SearchReport
from classeur.report.strange import describe_strange
from classeur.report.study_report import StudyReport
from classeur.report.suspicious import SuspiciousPage
from classeur.report.svg import Drawing, showable
from classeur.report.trust import SHOWN, level
from classeur.report.trust_report import trust_rows, trust_section
from classeur.report.words import (
    GAP,
    describe_few_mistakes,
    describe_openings,
    describe_rungs_with_few_mistakes,
    describe_slices,
    interval,
    most_confused,
    opened_again,
    percent,
    signed,
)
from classeur.run_folder import write_text
from classeur.training.find_lr import RangeTest

MOST_CELLS_AS_TABLE = 20
"""Classes up to which the confusion matrix is a table of numbers."""

_LIMITS = {
    "most_rows": 30,  # classes that a table shows at once
    "shown_rows": 15,  # of more classes: the weakest
    "most_layers": 40,
    "least_auroc": LEAST_AUROC,
    "most_samples": 30,  # classes whose sample photos are shown at once
    "shown_items": 10,  # of a long list
    "most_items": 1000,  # of a long list, when it is opened
    "shown_copies": 6,  # of one picture
    "fewest_in_slice": FEWEST,
}

_FILTERS = {
    "percent": lambda value, digits=1: views.prose(percent(value, digits)),
    "interval": lambda figure: views.prose(interval(figure)),
    "bracketed": lambda figure: views.prose(f" ({interval(figure)})") if figure else "",
    "signed": signed,
    "count": units.count,
    "quantity": units.quantity,
    "duration": units.duration,
    "file_size": units.file_size,
    "milliseconds": units.milliseconds,
    "p_value": units.p_value,
    "interval_basis": interval_basis,
    "describe_test": describe_test,
    "missing_photos": missing_photos,
    "plain": units.plain,
    "describe_slices": describe_slices,
    "describe_few_mistakes": describe_few_mistakes,
    "describe_strange": describe_strange,
    "describe_openings": describe_openings,
    "opened_again": opened_again,
    **{
        view.__name__: view
        for view in (
            views.mean_and_deviation,
            views.seed_range,
            views.lowest_and_highest,
            views.temperature_range,
            views.splits_of,
            views.totals_of,
            views.split_name,
            views.storage_rows,
            views.cost_rows,
            views.flat,
            views.version,
            views.moment,
            views.address,
            views.last_part,
            views.prose,
            views.seen_photo,
        )
    },
}


def render_run(report: RunReport, folder: Path) -> None:
    """Write the sheet of a run: figures, report.md and, last, report.html.

    That report.html exists is the sign that a run is finished.
    """
    test = report.metrics.splits["test"]
    class_names = report.metrics.class_names
    curves = learning_curves(report.history, report.training.get("best_epoch", 0))
    many = len(class_names) > MOST_CELLS_AS_TABLE
    matrix = confusion_map(test.confusion, class_names) if many else None
    recall = recall_against_size(test, report.class_sizes)
    metrics = report.metrics
    trust = trust_section(
        metrics.calibration, metrics.abstention, report.curve, metrics.splits["val"].groups
    )
    values = {
        "report": report,
        "curves": curves,
        "trust": trust,
        "map": matrix,
        "recall": recall,
        "sizes": report.class_sizes if recall else {},
        "confused": most_confused(test, class_names, 10),
        "command": _command(folder),
    }
    _write_figures(folder, filter(None, [*curves, matrix, recall]))
    if trust:
        _write_figures(folder, [trust.reliability, trust.risk])
    write_text(folder / "report.md", _markdown("run.md.j2", values))
    write_text(folder / "report.html", _page("run.html.j2", values))


def render_card(card: ModelCard, path: Path) -> None:
    """Write the model card of a run: YAML for the hub, then Markdown for people."""
    body = _markdown("card.md.j2", {"card": card})
    write_text(path, f"---\n{card.head.strip()}\n---\n\n{body}")


def render_study(report: StudyReport, folder: Path) -> None:
    """Write the binder of a study: figures, report.md and, last, index.html."""
    curves = small_multiples(report.rungs, len(report.class_names))
    several_seeds = any(len(rung.seed_scores) > 1 for rung in report.rungs)
    scores, time = test_scores(report.rungs), accuracy_against_time(report.rungs)
    chosen = report.rungs[0].metrics.splits["test"] if report.rungs else None
    recall = recall_against_size(chosen, report.class_sizes) if chosen else None
    values = {
        "report": report,
        "curves": curves,
        "scores": scores,
        "time": time,
        "recall": recall,
        "trust": trust_rows(report.rungs),
        "levels": [] if report.folds else [level(share) for share in SHOWN],
        "verdicts": views.verdicts(report),
        "pairs_of_chosen": views.pairs_of_chosen(report),
        "untrained": views.without_history(report),
        "leaks": [(rung.name, rung.metrics.leaks) for rung in report.rungs if rung.metrics.leaks],
        "few_mistakes": describe_rungs_with_few_mistakes(
            {rung.name: rung.metrics.splits["test"] for rung in report.rungs}
        ),
        "seeds": several_seeds,
        "openings": any(rung.openings > 1 for rung in report.rungs),
        "gap_limit": GAP,
        "command": _command(folder / report.rungs[0].folder) if report.rungs else "",
    }
    _write_figures(folder, filter(None, [scores, time, recall, *curves.values()]))
    write_text(folder / "report.md", _markdown("study.md.j2", values))
    write_text(folder / "index.html", _page("study.html.j2", values))


def render_inspection(
    inspection: Inspection,
    samples: Mapping[str, Sequence[PhotoCard]],
    path: Path,
    odd: Mapping[str, Sequence[PhotoCard]] | None = None,
    leaking: Sequence[PairCard] = (),
) -> None:
    """Write what was found about a folder of photos as one HTML page."""
    values = {
        "inspection": inspection, "samples": samples, "odd": odd or {}, "leaking": leaking,
    }  # fmt: skip
    write_text(path, _page("inspection.html.j2", values))


def render_search(report: SearchReport, path: Path) -> None:
    """Write the page of a search."""
    values = {
        "report": report,
        "history": accuracy_over_trials(report),
        "scatters": option_scatters(report),
        "importance": importances(report.importance),
    }
    write_text(path, _page("search.html.j2", values))


def render_range_test(
    found: RangeTest, recipe: str, rate: float, drawing: Drawing, path: Path
) -> None:
    """Write a learning-rate range test as one HTML page."""
    values = {"found": found, "recipe": recipe, "rate": rate, "drawing": drawing}
    write_text(path, _page("range_test.html.j2", values))


def render_filters(page: FilterPage, path: Path) -> None:
    """Write what resizing and filters make of a few photos as one HTML page."""
    write_text(path, _page("filters.html.j2", {"page": page}))


def render_suspicious(page: SuspiciousPage, path: Path) -> None:
    """Write the photos whose labels may be wrong as one HTML page."""
    write_text(path, _page("suspicious.html.j2", {"page": page}))


def _page(template: str, values: Mapping[str, Any]) -> str:
    return _html().get_template(template).render(values)


def _markdown(template: str, values: Mapping[str, Any]) -> str:
    text = _plain_text().get_template(template).render(values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def _html() -> Environment:
    return _environment(autoescape=True, finalize=_for_html)


@cache
def _plain_text() -> Environment:
    environment = _environment(autoescape=False, finalize=_for_markdown)
    environment.filters["fence"] = _fence
    return environment


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("classeur.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= _FILTERS
    environment.globals |= _LIMITS
    environment.globals |= {
        "figure_rows": views.figure_rows, "gap": views.gap, "share": views.share,
        "odd_kinds": KINDS,
    }  # fmt: skip
    return environment


def _for_html(value: Any) -> Any:
    """Make every value that a page shows showable; Jinja escapes it afterwards."""
    return value if isinstance(value, Markup) else showable(str(value))


_MARKS = re.compile(r"[\\`*\[\]~$|]|(?<!\w)_|_(?!\w)")


def _for_markdown(value: Any) -> Any:
    """Make every value plain text on one line: a name cannot become a link, a tag or a cell."""
    if isinstance(value, Markup):
        return value
    line = " ".join(showable(str(value)).split(" ")).replace("\r", " ").replace("\n", " ")
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(lambda match: f"\\{match[0]}", escaped)


def _fence(text: str, language: str = "") -> Markup:
    """Return a text as a code block that nothing inside it can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return Markup(f"{ticks}{language}\n{showable(text).rstrip()}\n{ticks}")


def _write_figures(folder: Path, drawings: Iterable[Drawing]) -> None:
    for drawing in drawings:
        (folder / "figures").mkdir(exist_ok=True)
        write_text(folder / "figures" / f"{drawing.name}.svg", drawing.file)


def _command(run: Path) -> str:
    return f"classeur predict {shlex.quote(str(run))} PHOTOS"
