"""What a training tells TensorBoard and MLflow, as it goes: epochs, options, final figures.

A tracker is there to watch. One that fails says so once and is left out; the training goes on.

tracking.json, in the run folder, says which trackers follow a run and what they were told, so that
a run that is resumed goes on where they stopped.
"""

from __future__ import annotations

import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from classeur.config import RunConfig
from classeur.errors import ConfigError, RunFolderError, TrainingError, unknown
from classeur.run_folder import RunFolder, printable, read_json, write_json
from classeur.training.history import EpochRow, read_history

log = logging.getLogger(__name__)

_PACKAGES = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy")}

TRACKERS = tuple(_PACKAGES)

_WARNED: set[tuple[Path, str]] = set()
"""Runs and trackers of which it has been said in this process that they fail."""

_LONGEST = 5000
"""Characters of a parameter or tag; MLflow takes 6000."""

_SOME = 100
"""Parameters or tags that MLflow takes at once."""


class Tracker(Protocol):
    """One place that is told of a run."""

    def begin(self, options: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Note what was asked, and with what it is computed; called once for each run."""

    def epochs(self, rows: Sequence[EpochRow]) -> None:
        """Note epochs that were not noted before."""

    def finish(self, figures: Mapping[str, float]) -> None:
        """Note the final figures."""

    def close(self, *, ended: str) -> None:
        """Leave; `ended` is FINISHED, FAILED, KILLED, or RUNNING where more is to come."""


def require_trackers(names: Sequence[str]) -> None:
    """Check that trackers can be had, before any work.

    Raises:
        ConfigError: if there is none of that name.
        TrainingError: if what it needs is not installed.
    """
    problems = [unknown("tracker", name, TRACKERS) for name in names if name not in TRACKERS]
    if problems:
        raise ConfigError(problems)
    for name in names:
        for package in _PACKAGES[name]:
            if not find_spec(package):
                raise TrainingError(
                    f"the tracker {name} needs {package}. "
                    'Install it with: pip install "classeur[track]"'
                )


def ask_tracking(run: RunFolder, names: Sequence[str]) -> None:
    """Write down that trackers are to follow a run; those that do already go on."""
    asked = _asked(run)
    new = [name for name in names if name not in asked]
    if new:
        write_json(_file(run), asked | {name: {} for name in new})


def places_of(run: RunFolder) -> dict[str, str]:
    """Return tracker -> where it keeps what it was told; none that was told nothing."""
    begun = {name: told for name, told in _asked(run).items() if told.get("begun")}
    own = {"tensorboard": str(_events(run))}
    return {name: own.get(name) or str(told.get("address", "")) for name, told in begun.items()}


def without_password(address: str) -> str:
    """Return a URL without what it says of who asks."""
    return re.sub(r"^([^/]+//)[^/]*@", r"\1", address)


@contextmanager
def tracked(run: RunFolder) -> Iterator[Callable[[Sequence[EpochRow]], None]]:
    """Give a function that tells the trackers of a run its history; without any it does nothing."""
    followers = [_Follower(run, name) for name in _asked(run)]

    def tell(history: Sequence[EpochRow]) -> None:
        for one in followers:
            one.tell(history)

    ended = "FAILED"
    try:
        yield tell
        ended = "RUNNING"  # its final figures are still to come
    except KeyboardInterrupt:
        ended = "KILLED"
        raise
    finally:
        for one in followers:
            one.close(ended)


def finish_tracking(run: RunFolder, figures: Mapping[str, float]) -> None:
    """Tell the trackers of a run its final figures; once."""
    for name, told in _asked(run).items():
        if not told.get("finished"):
            one = _Follower(run, name)
            one.tell(read_history(run.history))  # what an earlier session could not
            one.finish(figures)
            one.close("FINISHED")


class _Follower:
    """A tracker that cannot harm, and what it was told."""

    def __init__(self, run: RunFolder, name: str) -> None:
        self._run, self._name = run, name
        self._told: dict[str, Any] = _asked(run)[name]
        self._tracker: Tracker | None = None
        with self._harmless():
            tracker: Tracker = (
                _MLflow(run, self._told) if name == "mlflow" else _TensorBoard(run, self._told)
            )
            self._tracker = tracker
            if not self._told.get("begun"):
                options = _flat(asdict(RunConfig.from_toml(run.config)))
                tracker.begin(options, _flat(read_json(run.environment)))
                self._note(begun=True)

    def tell(self, history: Sequence[EpochRow]) -> None:
        """Tell the epochs that it has not been told."""
        new = [row for row in history if row.epoch > self._told.get("epoch", 0)]
        if self._tracker and new:
            with self._harmless():
                self._tracker.epochs(new)
                self._note(epoch=new[-1].epoch)

    def finish(self, figures: Mapping[str, float]) -> None:
        """Tell the final figures."""
        if self._tracker:
            with self._harmless():
                self._tracker.finish(figures)
                self._note(finished=True)

    def close(self, ended: str) -> None:
        """Leave."""
        if self._tracker:
            with self._harmless():
                self._tracker.close(ended=ended)

    def _note(self, **values: Any) -> None:
        self._told.update(values)
        write_json(_file(self._run), _asked(self._run) | {self._name: self._told})

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of their makers, to their makers
                yield
        except Exception as error:  # whatever it is, the training is worth more
            self._tracker = None
            if (self._run.path, self._name) not in _WARNED:
                log.warning(
                    "%s cannot be told of this run: %s. The training goes on; what it misses it is "
                    "told in the end, or when the run is resumed.", self._name, _reason(error),
                )  # fmt: skip
            _WARNED.add((self._run.path, self._name))


def _reason(error: Exception) -> str:
    text = str(error).splitlines() or [""]
    return printable(f"{type(error).__name__}: {text[0]}")[:200].rstrip(".")


class _TensorBoard:
    """Event files in `tensorboard/` of the run folder.

    They are written here and now, without the thread of TensorBoard's own writer: a full disk is
    then an error of the epoch that met it.
    """

    def __init__(self, run: RunFolder, told: Mapping[str, Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder = _events(run)
        folder.mkdir(exist_ok=True)
        number = len(list(folder.iterdir()))
        name = f"events.out.tfevents.{int(time.time()):010}.{number:04}.classeur"
        self._file, self._event, self._writer = folder / name, Event, RecordWriter
        self._last = int(told.get("epoch", 0))
        self._write(file_version="brain.Event:2")
        # what an earlier session wrote of these epochs without noting it down is void
        start = SessionLog(status=SessionLog.START)
        self._write(step=self._last + 1, session_log=start)

    def begin(self, options: Mapping[str, str], tags: Mapping[str, str]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self._write(summary=hparams_pb(dict(options)))
        for name, values in (("options", options), ("environment", tags)):
            lines = [f"| {key} | {value} |" for key, value in values.items()]
            self._write(summary=_text(name, "\n".join(["| | |", "|---|---|", *lines])))

    def epochs(self, rows: Sequence[EpochRow]) -> None:
        for row in rows:
            self._last = row.epoch
            self._scalars({k: v for k, v in vars(row).items() if k != "epoch"}, row.epoch)

    def finish(self, figures: Mapping[str, float]) -> None:
        self._scalars(figures, self._last)

    def close(self, *, ended: str) -> None:
        """Nothing is open."""

    def _scalars(self, values: Mapping[str, float], step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(step=step, summary=Summary(value=scalars))

    def _write(self, **values: Any) -> None:
        event = self._event(wall_time=time.time(), **values)
        with self._file.open("ab") as file:
            self._writer(file).write(event.SerializeToString())


def _text(name: str, text: str) -> Any:
    from tensorboard.plugins.text.summary_v2 import text_pb

    return text_pb(name, text)


class _MLflow:
    """A run in MLflow: where MLFLOW_TRACKING_URI says, else in mlflow.db beside the run folder."""

    def __init__(self, run: RunFolder, told: dict[str, Any]) -> None:
        # a server that is gone must not hold a training up for minutes
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would report to its makers
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        folder = run.path.resolve().parent
        own = f"sqlite:///{folder / 'mlflow.db'}"
        address = os.environ.get("MLFLOW_TRACKING_URI") or own
        self._client = MlflowClient(tracking_uri=address)
        try:
            self._id = str(told["run"])
            self._client.update_run(self._id, status="RUNNING")
        except (KeyError, MlflowException):
            self._id = self._new_run(run, folder)
            told.clear()  # who has seen nothing is told everything
            told["run"] = self._id
        told["address"] = printable(without_password(address))
        seen = self._client.get_metric_history(self._id, "val_loss")
        told["epoch"] = max((int(metric.step) for metric in seen), default=0)

    def _new_run(self, run: RunFolder, folder: Path) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or printable(folder.name) or "classeur"
        experiment = self._client.get_experiment_by_name(name)
        number = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(name, (folder / "mlartifacts").as_uri())
        )
        created = self._client.create_run(number, run_name=printable(run.path.name))
        return str(created.info.run_id)

    def begin(self, options: Mapping[str, str], tags: Mapping[str, str]) -> None:
        from mlflow.entities import Param, RunTag

        for some in _parts(options):
            self._client.log_batch(self._id, params=[Param(*pair) for pair in some])
        for some in _parts(tags):
            self._client.log_batch(self._id, tags=[RunTag(*pair) for pair in some])

    def epochs(self, rows: Sequence[EpochRow]) -> None:
        for row in rows:
            self._metrics({k: v for k, v in vars(row).items() if k != "epoch"}, row.epoch)

    def finish(self, figures: Mapping[str, float]) -> None:
        self._metrics(figures, 0)

    def close(self, *, ended: str) -> None:
        if ended != "RUNNING":
            self._client.set_terminated(self._id, ended)

    def _metrics(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)


def _parts(values: Mapping[str, str]) -> Iterator[list[tuple[str, str]]]:
    pairs = list(values.items())
    yield from (pairs[start : start + _SOME] for start in range(0, len(pairs), _SOME))


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return nested values under names with points, as text."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        else:
            shown = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            found[f"{before}{name}"] = printable(shown)[:_LONGEST]
    return found


def _asked(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Return tracker -> what it was told."""
    path = _file(run)
    try:
        values = read_json(path) if path.is_file() else {}
        return {name: dict(values[name]) for name in TRACKERS if name in values}
    except (RunFolderError, TypeError, ValueError) as error:
        log.warning("no tracker is told of this run: %s", error)
        return {}


def _events(run: RunFolder) -> Path:
    return run.path / "tensorboard"


def _file(run: RunFolder) -> Path:
    return run.path / "tracking.json"
