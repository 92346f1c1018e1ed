"""From the trials of a search to its table, its recipe and its page."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from classeur.report.search_report import Outcome, SearchReport, TrialSheet, values_in_words
from classeur.report.units import duration
from classeur.report.words import percent
from classeur.run_folder import read_json, write_text
from classeur.search import optuna_study
from classeur.search.folder import tuned_recipe
from classeur.search.plan import SearchWork
from classeur.search.space import Choice, Range, in_words
from classeur.section import override
from classeur.study.train import configure

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)


def write_results(work: SearchWork) -> None:
    """Say how the last trial went; bring table, recipe and weights up to date."""
    sheets = _sheets(work)
    last = max(sheets, key=lambda sheet: sheet.number)
    report = _report(work, sheets, {})
    log.info("%s", _line(last, len(sheets), work.plan.trials, report))
    work.folder.write_table(report)
    here = [sheet for sheet in report.ranking if work.folder.trial(sheet.number).path.is_dir()]
    work.folder.drop_weights(
        sheet.number for sheet in sheets if not here or sheet.number != here[0].number
    )
    if report.finished:
        write_text(work.folder.recipe, _recipe(work, report))


def _line(trial: TrialSheet, count: int, of: int, report: SearchReport) -> str:
    """Return what is said of a trial that has ended."""
    counted = f"[{count}/{of}]" if of else f"[{count}]"
    if trial.outcome == "failed":
        how = f"failed: {trial.reason}"
    elif trial.outcome == "pruned":
        how = f"ended after epoch {trial.epochs}, at {percent(trial.accuracy or 0)}"
    else:
        is_best = report.best.number == trial.number
        how = f"{percent(trial.accuracy or 0)}{', best so far' if is_best else ''}"
    values = values_in_words(trial.values)
    return f"{counted} trial {trial.number}: {how}; {values} ({duration(trial.seconds)})"


def _sheets(work: SearchWork) -> list[TrialSheet]:
    return [_sheet(work, trial) for trial in optuna_study.done(work.study)]


def _sheet(work: SearchWork, trial: FrozenTrial) -> TrialSheet:
    row, reason = optuna_study.row_of(trial), optuna_study.reason_of(trial)
    outcome: Outcome = "failed" if reason else "pruned"
    return TrialSheet(
        number=trial.number,
        outcome="finished" if optuna_study.is_finished(trial) else outcome,
        values=work.values(trial.params),
        accuracy=row.get("accuracy"),
        loss=row.get("loss"),
        best_epoch=row.get("epoch", 0),
        epochs=row.get("epochs", 0),
        seconds=optuna_study.seconds(trial),
        reason=reason,
    )


def _recipe(work: SearchWork, report: SearchReport) -> str:
    """Return the best trial as a recipe file."""
    plan, best = work.plan, report.best
    how = (
        f"{plan.config.recipe} tuned over {len(report.trials)} trials: "
        f"{percent(best.accuracy or 0)} validation accuracy in trial {best.number}."
    )
    weights = {"weights": plan.config.transfer.weights} if plan.config.transfer.weights else {}
    as_it_stands = configure(plan.recipe, plan.config.data.photos, **weights)
    return tuned_recipe(plan.recipe, as_it_stands, override(plan.config, best.values), how)


def write_page(work: SearchWork) -> SearchReport | None:
    """Write table, recipe and page from the trials so far; nothing if none has finished."""
    sheets = _sheets(work)
    if not any(sheet.outcome == "finished" for sheet in sheets):
        return None
    from classeur.report.render import render_search

    finished = sum(sheet.outcome == "finished" for sheet in sheets)
    enough = finished >= importance_from(work)
    shares = optuna_study.importance(work.study, work.plan.space) if enough else {}
    report = _report(work, sheets, shares)
    work.folder.write_table(report)
    write_text(work.folder.recipe, _recipe(work, report))
    render_search(report, work.folder.page)
    return report


def _report(
    work: SearchWork, sheets: Sequence[TrialSheet], importance: dict[str, float]
) -> SearchReport:
    plan, config, space = work.plan, work.config, work.plan.space
    environments = [work.folder.trial(sheet.number).environment for sheet in sheets]
    return SearchReport(
        recipe=plan.config.recipe,
        photos=str(work.material.root),
        trials=list(sheets),
        own=work.own,
        logarithmic=frozenset(k for k, v in space.items() if isinstance(v, Range) and v.log),
        choices={k: v.values for k, v in space.items() if isinstance(v, Choice)},
        validation_photos=len(work.material.manifest.indices("val")),
        importance=importance,
        needed=importance_from(work),
        settings={
            **{k: v for k, v in plan.given.items() if k not in plan.space},
            "size": config.preprocessing.size,
            "color": config.preprocessing.color,
            "epochs at most": config.training.epochs,
            "seed": config.seed,
            "searched": {name: in_words(values) for name, values in space.items()},
        },
        environment=next((read_json(path) for path in environments if path.is_file()), {}),
        command=_command(work),
    )


def importance_from(work: SearchWork) -> int:
    """Return the number of finished trials from which importance is more than noise."""
    return max(10, 3 * len(work.plan.space))


def _command(work: SearchWork) -> str:
    """Return the study that compares the recipe with the tuned one, on the same photos."""
    plan = work.plan
    words = ["classeur", "study", plan.config.data.photos]
    words += ["--rungs", f"{plan.recipe},{work.folder.recipe}"]
    for name, value in plan.given.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, (list, tuple)):
            words += [option, ",".join(value)]
        elif name != "seed" or value:
            words += [option, str(value)]
    return shlex.join(words)


def why_none(work: SearchWork) -> str:
    """Return the sentence for a search in which no trial finished."""
    reasons = list(dict.fromkeys(sheet.reason for sheet in _sheets(work) if sheet.reason))
    if reasons:
        return f"no trial finished. {' '.join(reasons[:3])}"
    return (
        f"the budget of {work.plan.budget:g} minutes was spent before a trial finished. The same "
        "command with a larger --budget goes on."
    )
