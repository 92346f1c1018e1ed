"""A search for better values of a recipe's options: trials on validation, one after the other.

Each trial trains in this process: most are short, and a process of its own would spend seconds on
starting that a frozen backbone's head does not take to learn.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classeur.errors import ConfigError, StudyError, TrainingError
from classeur.models.weights import fetched
from classeur.report.search_report import SearchReport
from classeur.run_folder import RunFolder, locked
from classeur.search import optuna_study
from classeur.search.folder import SearchFolder, refuse_other
from classeur.search.plan import SearchPlan, SearchWork, asked_of, plan_search
from classeur.search.results import why_none, write_page, write_results
from classeur.section import override
from classeur.study.log import without_training_log
from classeur.study.material import Material, gather
from classeur.study.train import settled
from classeur.training.history import EpochRow, best_row, read_history
from classeur.training.loop import learn
from classeur.training.session import begin_run, pretrained_weights, train_run

if TYPE_CHECKING:
    from optuna.trial import Trial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """A search that has at least one finished trial."""

    folder: SearchFolder
    report: SearchReport


class _BudgetSpentError(Exception):
    """The minutes of a search are over in the middle of a trial, which can go on later."""


def run_search(
    photos: Path | str,
    recipe: str = "conv3",
    *,
    to: Path | str = "tune",
    trials: int = 0,
    budget: float = 0.0,
    search: Sequence[str] = (),
    storage: str = "",
    name: str = "",
    seed: int = 0,
    **options: Any,
) -> Search:
    """Search for better values of a recipe's options, on the validation split.

    The first trial has the recipe's own values. Values are drawn by TPE, and a trial that stands
    below the median of the others is ended early. Called again with the same arguments, the search
    goes on where it stopped. The test split is not read.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        recipe: a recipe's name.
        to: the folder of the search.
        trials: how many in all, those of earlier calls included. 0: 20, or as many as the budget
            allows.
        budget: minutes of training in all. A trial that is at work when they are over goes on in a
            call with a larger budget. 0: no limit.
        search: the options to vary. Empty: a handful that suits the recipe.
        storage: URL of a database that Optuna takes, shared by several machines, each with a
            folder of its own. Empty: `search.db` in the folder.
        name: of the search in its storage. Empty: the recipe's.
        seed: of the drawn values, and of every training.
        options: any option of `classeur.config` by its name: the same in every trial.

    Raises:
        ConfigError: naming every option that is wrong or cannot be searched.
        DataError: if the photos cannot be found, read or split.
        WeightsError: if pre-trained weights cannot be had.
        ModelError: if the network does not fit the photos.
        StudyError: if Optuna or the storage is missing, `to` holds something else, or no trial
            finishes.
        RunFolderError: if another process is at work on `to`.
    """
    optuna_study.require_optuna()
    plan = plan_search(
        photos, recipe, trials=trials, budget=budget, search=search, storage=storage, name=name,
        seed=seed, **options,
    )  # fmt: skip
    folder = SearchFolder(Path(to))
    material = gather(plan.config.data, plan.config.preprocessing)
    weights = pretrained_weights(plan.config)
    if weights is not None:
        fetched(weights)
    folder.make()
    with locked(folder.path), _begun(plan, folder, material) as work:
        try:
            _search(work)
        finally:
            report = write_page(work)
    if report is None:
        raise StudyError(why_none(work))
    return Search(folder, report)


@contextmanager
def _begun(plan: SearchPlan, folder: SearchFolder, material: Material) -> Iterator[SearchWork]:
    """Open the search in its folder and its storage; refuse those of another one."""
    asked = asked_of(plan, material)
    where = optuna_study.shown(plan.storage) if plan.storage else folder.database.name
    kept = {"storage": where, "name": plan.name, "recipe": plan.recipe}
    folder.write_asked({**kept, **asked})
    url = plan.storage or optuna_study.file_url(folder.database)
    config = settled(plan.config, material)
    with optuna_study.opened(url, plan.name, config.training.epochs) as study:
        before = study.user_attrs.get("asked")
        if before is None:
            study.set_user_attr("asked", asked)
        else:
            refuse_other(before, asked, f"{where}, {plan.name},", "Choose another --name")
        work = SearchWork(plan, config, folder, material, study)
        optuna_study.give_back(study, work.worker, alone=not plan.storage)
        study.enqueue_trial(work.own, skip_if_exists=True)
        yield work


def _search(work: SearchWork) -> None:
    """Train trials until there are enough of them or the budget is spent."""
    plan = work.plan
    if work.is_done:
        log.info("nothing is left to do: %d trials are done", len(optuna_study.done(work.study)))
    while not work.is_done:
        salt = work.worker if plan.storage else ""
        trial = optuna_study.begin_trial(
            work.study, plan.space, plan.config.seed, work.worker, salt
        )
        try:
            _train(work, trial)
        except _BudgetSpentError:
            log.info("trial %d waits: the budget of %g minutes is spent", trial.number, plan.budget)
            return
        write_results(work)


def _train(work: SearchWork, trial: Trial) -> None:
    """Train one trial, or go on with it, and tell how it ended."""
    from optuna.exceptions import TrialPruned

    try:
        config = override(work.config, work.values(trial.params))
    except ConfigError as error:  # each value can be, but not all of them together
        optuna_study.finish_trial(work.study, trial, None, 0, pruned=False, reason=str(error))
        return
    run = _run_folder(work, trial)
    begin_run(run, config, work.material.manifest)
    before, started = optuna_study.seconds(trial), time.monotonic()
    heard = {row.epoch: row for row in read_history(run.history)}
    for row in heard.values():
        trial.report(row.val_accuracy, row.epoch)

    def after_epoch(row: EpochRow, stopped: str) -> None:
        optuna_study.note_seconds(trial, before + time.monotonic() - started)
        if row.epoch not in heard:
            trial.report(row.val_accuracy, row.epoch)
        if not stopped:
            if trial.should_prune():
                raise TrialPruned
            if work.is_spent:
                raise _BudgetSpentError

    pruned, reason = False, ""
    try:
        if not run.is_trained:
            with without_training_log("classeur.training.loop"):  # a trial has one line
                train_run(run, work.material.store, partial(learn, after_epoch=after_epoch))
    except TrialPruned:
        pruned = True
    except TrainingError as error:
        reason = str(error)
    optuna_study.note_seconds(trial, before + time.monotonic() - started)
    history = read_history(run.history)
    optuna_study.finish_trial(
        work.study, trial, best_row(history) if history else None, len(history),
        pruned=pruned, reason=reason,
    )  # fmt: skip


def _run_folder(work: SearchWork, trial: Trial) -> RunFolder:
    """Return the folder of a trial, empty or as the interrupted one that it continues left it."""
    run = work.folder.trial(trial.number)
    shutil.rmtree(run.path, ignore_errors=True)
    earlier = optuna_study.continues(trial)
    if earlier is not None and work.folder.trial(earlier).path.is_dir():
        work.folder.trial(earlier).path.rename(run.path)
    return run
