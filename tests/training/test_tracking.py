"""TensorBoard and MLflow: what they are told, once, and that they can do no harm."""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from classeur.errors import ConfigError, TrainingError
from classeur.run_folder import RunFolder, read_json
from classeur.study.study import run_study
from classeur.study.train import resume, train
from classeur.training import loop, tracking

OPTIONS: dict[str, Any] = {"epochs": 3, "patience": 0, "size": 16, "device": "cpu"}
PER_EPOCH = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


@pytest.fixture
def photos(class_folders: Callable[..., Path]) -> Path:
    return class_folders({"cat": 12, "dog": 12})


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def scalars(run: RunFolder) -> dict[str, list[tuple[int, float]]]:
    """Read event files as TensorBoard does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(run.path / "tensorboard"))
    read.Reload()
    tags = read.Tags()["scalars"]
    return {tag: [(one.step, one.value) for one in read.Scalars(tag)] for tag in tags}


def rows_of(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def history(run: RunFolder) -> Iterator[dict[str, str]]:
    with run.history.open() as file:
        yield from csv.DictReader(file)


def metrics_of(database: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for key, step, value in rows_of(database, "select key, step, value from metrics order by step"):
        found.setdefault(key, []).append((step, value))
    return found


def check(found: dict[str, list[tuple[int, float]]], run: RunFolder) -> None:
    """Each epoch once, with the figures of history.csv; the final ones of metrics.json once."""
    for name in PER_EPOCH:
        expected = [(int(row["epoch"]), float(row[name])) for row in history(run)]
        assert [step for step, _ in found[name]] == [step for step, _ in expected]
        values = [value for _, value in expected]
        assert [value for _, value in found[name]] == pytest.approx(values, rel=1e-4)
    accuracy = read_json(run.metrics)["splits"]["test"]["accuracy"]["value"]
    assert [value for _, value in found["test_accuracy"]] == [pytest.approx(accuracy)]


def test_both_are_told_every_epoch_and_the_end(photos: Path, tmp_path: Path) -> None:
    run = train(
        photos, "conv1", to=tmp_path / "runs" / "one", track=("tensorboard", "mlflow"), **OPTIONS
    )
    check(scalars(run), run)
    database = tmp_path / "runs" / "mlflow.db"
    check(metrics_of(database), run)
    params = dict(rows_of(database, "select key, value from params"))
    assert (params["training.epochs"], params["model.name"]) == ("3", "conv1")
    tags = dict(rows_of(database, "select key, value from tags"))
    assert tags["packages.torch"] == read_json(run.environment)["packages"]["torch"]
    assert "commit" in tags
    assert rows_of(database, "select name, status from runs") == [("one", "FINISHED")]
    assert ("runs",) in rows_of(database, "select name from experiments")
    assert not (tmp_path / "runs" / "mlartifacts").exists()
    hparams = (run.path / "tensorboard").glob("*")
    assert any(b"training.learning_rate" in file.read_bytes() for file in hparams)


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int, where: str) -> None:
    """End the training by Ctrl-C after an epoch, before or after the trackers hear of it."""
    before = loop._note

    def note(trainer: Any, progress: Any, row: Any, run: Any) -> None:
        if where == "epoch" and row.epoch > after:
            raise KeyboardInterrupt
        before(trainer, progress, row, run)
        if where == "tell" and row.epoch == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_note", note)


@pytest.mark.parametrize("where", ["epoch", "tell"])
def test_a_resumed_run_goes_on_and_tells_no_epoch_twice(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    to = tmp_path / "runs" / "one"
    with monkeypatch.context() as patch:
        interrupted(patch, 2, where)
        with pytest.raises(KeyboardInterrupt):
            train(photos, "conv1", to=to, track=("tensorboard", "mlflow"), **OPTIONS)
    database = tmp_path / "runs" / "mlflow.db"
    assert rows_of(database, "select status from runs") == [("KILLED",)]
    run = resume(to)
    check(scalars(run), run)
    check(metrics_of(database), run)
    assert rows_of(database, "select status from runs") == [("FINISHED",)]
    resume(to)  # nothing is left to do, nor to tell
    check(metrics_of(database), run)
    check(scalars(run), run)


def test_what_was_told_and_not_noted_is_told_once(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "runs" / "one"
    note = tracking._Follower._note

    def killed(self: Any, **values: Any) -> None:
        if values.get("epoch") == 2:
            raise KeyboardInterrupt
        note(self, **values)

    for tracker in tracking.TRACKERS:
        with monkeypatch.context() as patch:
            patch.setattr(tracking._Follower, "_note", killed)
            with pytest.raises(KeyboardInterrupt):
                train(photos, "conv1", to=to / tracker, track=(tracker,), **OPTIONS)
        run = resume(to / tracker)
        check(scalars(run) if tracker == "tensorboard" else metrics_of(to / "mlflow.db"), run)


def test_a_tracker_may_join_later(photos: Path, tmp_path: Path) -> None:
    run = train(photos, "conv1", to=tmp_path / "one", **OPTIONS)
    assert not (run.path / "tracking.json").exists()
    resume(run.path, track=("tensorboard",))
    check(scalars(run), run)


@pytest.mark.parametrize("tracker", tracking.TRACKERS)
def test_one_that_fails_warns_once_and_the_training_goes_on(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[str], tracker: str
) -> None:
    made = {"tensorboard": tracking._TensorBoard, "mlflow": tracking._MLflow}[tracker]

    def full(self: Any, rows: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(made, "epochs", full)
        run = train(photos, "conv1", to=tmp_path / "one", track=(tracker,), **OPTIONS)
    assert run.is_finished
    assert [text for text in messages if text.startswith(tracker)] == [
        f"{tracker} cannot be told of this run: OSError: [Errno 28] No space left on device. The "
        "training goes on; what it misses it is told in the end, or when the run is resumed."
    ]
    resume(run.path)
    check(scalars(run) if tracker == "tensorboard" else metrics_of(tmp_path / "mlflow.db"), run)


def test_a_server_that_is_gone_costs_a_warning(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = train(photos, "conv1", to=tmp_path / "one", track=("mlflow",), **OPTIONS)
    assert run.is_finished
    assert any(text.startswith("mlflow cannot be told of this run:") for text in messages)
    assert not (tmp_path / "mlflow.db").exists()


def test_the_address_in_the_environment_is_honoured(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    run = train(photos, "conv1", to=tmp_path / "one", track=("mlflow",), **OPTIONS)
    check(metrics_of(tmp_path / "elsewhere.db"), run)
    assert ("mine",) in rows_of(tmp_path / "elsewhere.db", "select name from experiments")
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.places_of(run) == {"mlflow": f"sqlite:///{tmp_path / 'elsewhere.db'}"}


def test_a_tracker_that_was_told_nothing_has_no_place(photos: Path, tmp_path: Path) -> None:
    run = train(photos, "conv1", to=tmp_path / "one", **OPTIONS)
    tracking.ask_tracking(run, ("tensorboard", "mlflow"))
    assert tracking.places_of(run) == {}


def test_the_password_of_an_address_is_not_shown() -> None:
    address = "postgresql://me:se@cret@db:5432/mlflow?x=a@b"
    assert tracking.without_password(address) == "postgresql://db:5432/mlflow?x=a@b"
    assert tracking.without_password("sqlite:////a@b/mlflow.db") == "sqlite:////a@b/mlflow.db"


def test_a_broken_record_is_no_error(photos: Path, tmp_path: Path, messages: list[str]) -> None:
    run = train(photos, "conv1", to=tmp_path / "one", **OPTIONS)
    (run.path / "tracking.json").write_text("{")
    run.metrics.unlink()
    resume(run.path)
    assert any(text.startswith("no tracker is told of this run: ") for text in messages)


def test_what_is_missing_is_said_before_any_work(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    for work in (train, run_study):
        with pytest.raises(TrainingError) as caught:
            work(photos, to=tmp_path / "one", track=("mlflow",))
        assert str(caught.value) == (
            'the tracker mlflow needs mlflow. Install it with: pip install "classeur[track]"'
        )
    with pytest.raises(ConfigError, match='unknown tracker "wandb"'):
        train(photos, to=tmp_path / "one", track=("wandb",))
    assert not (tmp_path / "one").exists()


def test_nothing_is_loaded_that_nobody_asked_for(photos: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from classeur.study.train import train;"
        f"train({str(photos)!r}, 'majority', to={str(tmp_path / 'one')!r}, size=16, device='cpu');"
        "assert not {'mlflow', 'tensorboard'} & set(sys.modules)"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_every_run_of_a_study_is_told(photos: Path, tmp_path: Path) -> None:
    to = tmp_path / "binder"
    study = run_study(
        photos, ("majority", "conv1"), to=to, track=("mlflow", "tensorboard"), **OPTIONS
    )
    assert not study.report.failed
    names = rows_of(to / "mlflow.db", "select name, status from runs order by name")
    assert names == [("conv1", "FINISHED"), ("majority", "FINISHED")]
    assert len(scalars(RunFolder(to / "conv1"))["val_loss"]) == 3
    assert "test_accuracy" in scalars(RunFolder(to / "majority"))
