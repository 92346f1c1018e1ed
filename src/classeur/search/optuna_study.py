"""The one place that knows Optuna: its storage, its sampler, its trials."""

from __future__ import annotations

import importlib
import logging
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classeur.errors import StudyError
from classeur.search.space import Choice, Space
from classeur.training.history import EpochRow
from classeur.training.seeding import derived

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

STARTUP = 5
"""Trials that are drawn at random, the recipe's own among them, before TPE and pruning set in."""

_WORKER, _CONTINUES, _SECONDS, _ROW, _REASON = "worker", "continues", "seconds", "row", "reason"
"""What we note beside a trial."""


def require_optuna() -> None:
    """Raise StudyError, saying how to get it, unless Optuna is there."""
    try:
        importlib.import_module("optuna")
    except ImportError as error:
        raise StudyError(
            'a search needs Optuna. Install it with: pip install "classeur[tune]"'
        ) from error


def file_url(path: Path) -> str:
    """Return the storage URL of an SQLite file, whatever letters its path has."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def shown(url: str) -> str:
    """Return a storage URL without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


@contextmanager
def opened(url: str, name: str, epochs: int) -> Iterator[Study]:
    """Open a search in a storage, and make it if it is not there yet.

    Raises:
        StudyError: if the storage cannot be opened.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        storage = optuna.storages.RDBStorage(url)
    except (SQLAlchemyError, ImportError, RuntimeError, ValueError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0].rstrip(".")
        raise StudyError(
            f"cannot open the storage {shown(url)}: {reason}. Expected a URL that Optuna takes, "
            "such as sqlite:///search.db or postgresql://user@host/database."
        ) from error
    try:
        yield optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(STARTUP, n_warmup_steps=1 + epochs // 5),
        )  # fmt: skip
    finally:
        storage.remove_session()
        storage.engine.dispose()


def begin_trial(study: Study, space: Space, seed: int, worker: str, salt: str) -> Trial:
    """Ask for the next trial.

    The sampler is seeded anew by the number of trials done: a search that was interrupted draws
    what it would have drawn. `salt` keeps workers that share a storage from drawing the same.
    """
    from optuna.samplers import TPESampler

    number = derived(seed, "trial", len(done(study)), zlib.crc32(salt.encode())) % 2**32
    study.sampler = TPESampler(n_startup_trials=STARTUP, seed=number)
    trial = study.ask(_distributions(space))
    trial.set_user_attr(_WORKER, worker)
    return trial


def give_back(study: Study, worker: str, *, alone: bool) -> None:
    """Put the trials that this worker left unfinished in the queue again, with their values.

    Args:
        study: the search.
        worker: trials of another one are not touched: it may be at work on them.
        alone: no other worker uses the storage.
    """
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(_WORKER, worker if alone else "") != worker:
            continue
        notes = {_CONTINUES: trial.number, _SECONDS: seconds(trial)}
        values = trial.params or trial.system_attrs.get("fixed_params", {})
        study.tell(trial.number, state=TrialState.FAIL)
        if values:
            study.enqueue_trial(values, user_attrs=notes)


def done(study: Study) -> list[FrozenTrial]:
    """Return the trials that count, in the order they were begun: finished, pruned or failed."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def spent(study: Study) -> float:
    """Return the seconds of training of all trials."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    return sum(seconds(trial) for trial in trials if trial.state is not TrialState.FAIL)


def seconds(trial: Trial | FrozenTrial) -> float:
    """Return the seconds of training of a trial so far."""
    return float(trial.user_attrs.get(_SECONDS, 0.0))


def note_seconds(trial: Trial, value: float) -> None:
    """Note how long a trial has trained."""
    trial.set_user_attr(_SECONDS, value)


def continues(trial: Trial | FrozenTrial) -> int | None:
    """Return the number that a trial had before it was interrupted."""
    number: int | None = trial.user_attrs.get(_CONTINUES)
    return number


def finish_trial(
    study: Study, trial: Trial, best: EpochRow | None, epochs: int, *, pruned: bool, reason: str
) -> None:
    """Tell how a trial ended, and its best epoch.

    Args:
        study: the search.
        trial: the trial.
        best: its epoch with the highest validation accuracy. None: it had none.
        epochs: how many it had.
        pruned: it was ended early.
        reason: why it failed; empty: it did not. It is told as pruned then, so that the sampler
            keeps away from its values.
    """
    from optuna.trial import TrialState

    if best is not None:
        row = {"accuracy": best.val_accuracy, "loss": best.val_loss, "epoch": best.epoch}
        trial.set_user_attr(_ROW, {**row, "epochs": epochs})
    if reason:
        trial.set_user_attr(_REASON, reason)
    if best is None or pruned or reason:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, best.val_accuracy)


def is_finished(trial: FrozenTrial) -> bool:
    """Whether a trial trained to its end."""
    from optuna.trial import TrialState

    return trial.state is TrialState.COMPLETE


def reason_of(trial: FrozenTrial) -> str:
    """Return why a trial failed, or ''."""
    return str(trial.user_attrs.get(_REASON, ""))


def row_of(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return what was noted of the best epoch of a trial that counts; empty: it had none."""
    row: Mapping[str, Any] = trial.user_attrs.get(_ROW, {})
    return row


def importance(study: Study, space: Space) -> dict[str, float]:
    """Return each option's share of the variance of the accuracy over the space, largest first.

    By fANOVA (Hutter, Hoos and Leyton-Brown, 2014, "An efficient approach for assessing
    hyperparameter importance"), from the trials that finished.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    trials = [trial for trial in done(study) if is_finished(trial)]
    if len({trial.value for trial in trials}) < 2:
        return {}
    return get_param_importances(
        study, evaluator=FanovaImportanceEvaluator(seed=0), params=list(space)
    )


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return {
        name: CategoricalDistribution(values.values)
        if isinstance(values, Choice)
        else FloatDistribution(values.low, values.high, log=values.log)
        for name, values in space.items()
    }
