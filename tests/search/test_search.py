"""A search: the recipe first, the same whether interrupted or not, the test split unread."""

from __future__ import annotations

import csv
import logging
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
import warnings
from functools import partial
from pathlib import Path

import pytest
from tests.study.conftest import OPTIONS
from tests.study.test_resume import listen_to_ctrl_c

from classeur.errors import ConfigError, DivergedError, ModelError, RunFolderError, StudyError
from classeur.run_folder import locked
from classeur.search import optuna_study
from classeur.search import search as tune
from classeur.search.folder import SearchFolder
from classeur.search.search import run_search
from classeur.training.history import EpochRow, read_history, write_history
from classeur.training.recipes import get_recipe
from classeur.training.session import train_run

SMALL = {**OPTIONS, "size": 16, "epochs": 2}
del SMALL["batch_size"]


@pytest.fixture(scope="module")
def found(photos, cache, tmp_path_factory):
    """Four trials of dense, in a folder whose name is hard on URLs."""
    folder = tmp_path_factory.mktemp("searches") / "l'été? #1 100%41"
    return run_search(photos, "dense", to=folder, trials=4, **SMALL)


def table(folder: Path) -> list[dict[str, str]]:
    with SearchFolder(folder).table.open(newline="") as file:
        return list(csv.DictReader(file))


def results(folder: Path) -> list[dict[str, str]]:
    """What does not depend on the clock, nor on how often a search was interrupted."""
    return [
        {k: v for k, v in row.items() if k not in ("trial", "seconds")} for row in table(folder)
    ]


def rigged(accuracy, monkeypatch, epochs=4):
    """Train nothing: `accuracy(trial, epoch)` says how an epoch went, or raises."""

    def train(run, store, learner):
        rows = read_history(run.history)
        for epoch in range(len(rows) + 1, epochs + 1):
            score = accuracy(int(run.path.name), epoch)
            rows.append(EpochRow(epoch, 1.0, 0.5, 1.0, score, 0.1, 0.01))
            write_history(run.history, rows)
            learner.keywords["after_epoch"](rows[-1], "")

    monkeypatch.setattr(tune, "train_run", train)
    return {**SMALL, "epochs": epochs}


def test_the_first_trial_is_the_recipe_as_it_stands(found):
    own = {"learning_rate": 0.002, "weight_decay": 0.05, "batch_size": 64, "dropout": 0.2,
           "label_smoothing": 0.0}  # fmt: skip
    assert found.report.own == own
    assert found.report.trials[0].values == own
    assert [trial.outcome for trial in found.report.trials] == ["finished"] * 4
    assert len({trial.values["learning_rate"] for trial in found.report.trials}) == 4


def test_the_best_trial_becomes_a_recipe(found):
    best = found.report.best
    assert best.rank == max(trial.rank for trial in found.report.trials)
    recipe = get_recipe(str(found.folder.recipe))
    assert recipe.name == "dense-tuned"
    assert recipe.description == (
        f"dense tuned over 4 trials: {100 * best.accuracy:.1f} % validation accuracy in trial "
        f"{best.number}."
    )
    assert recipe.preprocessing.size == 16
    assert recipe.training.epochs == 2
    assert recipe.training.learning_rate == best.values["learning_rate"]
    assert recipe.model.dropout == best.values["dropout"]
    assert recipe.training.device == "auto"  # the machine is no part of a recipe
    assert tomllib.loads(found.folder.recipe.read_text())["from"] == "dense"


def test_a_recipe_file_can_be_searched_again(found, photos, tmp_path, monkeypatch):
    options = rigged(lambda trial, epoch: 0.5, monkeypatch)
    again = run_search(photos, str(found.folder.recipe), to=tmp_path / "again", trials=1, **options)
    recipe = get_recipe(str(again.folder.recipe))
    assert (recipe.name, recipe.model.name) == ("dense-tuned-tuned", "dense")
    assert "from" not in tomllib.loads(again.folder.recipe.read_text())


def test_the_test_split_is_not_read(found):
    inside = {path.name for path in found.folder.path.rglob("*") if path.is_file()}
    assert inside.isdisjoint({"test_openings.jsonl", "metrics.json", "predictions.parquet"})
    assert "history.csv" in inside


def test_the_weights_of_the_best_trial_stay(found):
    kept = [path.parent.name for path in found.folder.path.rglob("*.safetensors")]
    assert kept == [f"{found.report.best.number:04d}"]
    assert list(found.folder.path.rglob("state.pt")) == []
    assert len(list(found.folder.path.rglob("config.toml"))) == 4


def test_the_table_has_every_trial(found):
    rows = table(found.folder.path)
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert rows[0]["learning_rate"] == "0.002"
    assert {row["outcome"] for row in rows} == {"finished"}


def test_the_next_command_repeats_what_was_given(found, photos):
    command = found.report.command
    assert shlex.split(command) == [
        "classeur", "study", str(photos), "--rungs", f"dense,{found.folder.recipe}",
        "--epochs", "2", "--size", "16", "--device", "cpu",
    ]  # fmt: skip


def test_a_search_that_is_done_trains_nothing(found, photos, monkeypatch, caplog):
    monkeypatch.setattr(tune, "train_run", None)
    caplog.set_level(logging.INFO, "classeur")
    again = run_search(photos, "dense", to=found.folder.path, trials=4, **SMALL)
    assert "nothing is left to do: 4 trials are done" in caplog.messages
    assert again.report == found.report


def test_the_same_seed_draws_the_same_and_another_does_not(found, photos, tmp_path):
    same = run_search(photos, "dense", to=tmp_path / "same", trials=4, **SMALL)
    assert results(same.folder.path) == results(found.folder.path)
    other = run_search(photos, "dense", to=tmp_path / "other", trials=2, seed=1, **SMALL)
    assert other.report.trials[1].values != same.report.trials[1].values


def test_an_interrupted_search_goes_on_to_the_same_trials(found, photos, tmp_path, monkeypatch):
    folder = tmp_path / "interrupted"
    epochs: list[int] = []

    def interrupted(run, store, learner):
        def then(row, stopped):
            learner.keywords["after_epoch"](row, stopped)
            epochs.append(row.epoch)
            if run.path.name == "0002":
                raise KeyboardInterrupt

        return train_run(run, store, partial(learner, after_epoch=then))

    monkeypatch.setattr(tune, "train_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_search(photos, "dense", to=folder, trials=4, **SMALL)
    assert len(table(folder)) == 2
    assert SearchFolder(folder).page.is_file()
    assert epochs == [1, 2, 1, 2, 1]

    whole = run_search(photos, "dense", to=folder, trials=4, **SMALL)
    assert epochs == [1, 2, 1, 2, 1, 2, 1, 2]  # the third goes on with its second epoch
    assert [trial.number for trial in whole.report.trials] == [0, 1, 3, 4]
    assert results(folder) == results(found.folder.path)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_search_that_is_killed_goes_on_to_the_same_trials(how, found, photos, tmp_path):
    folder = tmp_path / "killed"
    options = [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items()]
    command = [sys.executable, "-m", "classeur", "tune", str(photos), "--recipe", "dense"]
    process = subprocess.Popen(
        [*command, "--trials", "4", "--to", str(folder), *options],
        stderr=subprocess.PIPE,
        preexec_fn=listen_to_ctrl_c,  # noqa: PLW1509  it sets a signal, no more
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "trials" / "0001" / "config.toml").is_file():
            break
        time.sleep(0.005)
    process.send_signal(how)
    _, messages = process.communicate(timeout=200)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130), messages
    if how != signal.SIGKILL:
        said = messages.decode()
        assert said.splitlines()[-1] == "interrupted; the same command goes on where it stopped"
        assert "Traceback" not in said
    run_search(photos, "dense", to=folder, trials=4, **SMALL)
    assert results(folder) == results(found.folder.path)


def test_a_trial_below_the_median_is_ended_early(photos, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "classeur")
    options = rigged(lambda trial, epoch: 0.3 if trial == 5 else 0.8, monkeypatch)
    report = run_search(photos, "dense", to=tmp_path / "tune", trials=7, **options).report
    assert [trial.outcome for trial in report.trials] == ["finished"] * 5 + ["pruned", "finished"]
    assert report.trials[5].epochs == 1
    lines = [line for line in caplog.messages if line.startswith("[")]
    assert lines[0].startswith("[1/7] trial 0: 80.0 %, best so far; learning_rate 0.002, ")
    assert lines[1].startswith("[2/7] trial 1: 80.0 %; learning_rate ")
    assert lines[5].startswith("[6/7] trial 5: ended after epoch 1, at 30.0 %; ")


def test_of_equals_the_lower_loss_is_best(photos, tmp_path, monkeypatch):
    def train(run, store, learner):
        loss = 2.0 - int(run.path.name) % 2
        write_history(run.history, [EpochRow(1, 1.0, 0.5, loss, 0.8, 0.1, 0.01)])

    monkeypatch.setattr(tune, "train_run", train)
    report = run_search(photos, "dense", to=tmp_path / "tune", trials=4, **SMALL).report
    assert report.best.number == 1
    assert report.conclusion[0] == (
        "The best of 4 trials is number 1, with 80.0 % of the validation photos right: as many as "
        "dense as it stands, at a lower loss."
    )


def test_a_trial_that_diverges_does_not_end_the_search(photos, tmp_path, monkeypatch, caplog):
    def accuracy(trial, epoch):
        if trial == 1:
            raise DivergedError("the loss became nan.")
        return 0.5

    caplog.set_level(logging.INFO, "classeur")
    options = rigged(accuracy, monkeypatch)
    report = run_search(photos, "dense", to=tmp_path / "tune", trials=3, **options).report
    assert [trial.outcome for trial in report.trials] == ["finished", "failed", "finished"]
    assert report.trials[1].reason == "the loss became nan."
    assert any("[2/3] trial 1: failed: the loss became nan.; " in m for m in caplog.messages)
    assert table(tmp_path / "tune")[1]["reason"] == "the loss became nan."


def test_a_search_without_a_finished_trial_says_why(photos, tmp_path, monkeypatch):
    def accuracy(trial, epoch):
        raise DivergedError("the loss became nan.")

    options = rigged(accuracy, monkeypatch)
    with pytest.raises(StudyError, match=r"^no trial finished\. the loss became nan\.$"):
        run_search(photos, "dense", to=tmp_path / "tune", trials=2, **options)


def test_a_network_that_does_not_fit_ends_the_search(photos, tmp_path):
    with pytest.raises(ModelError, match="conv3 needs photos of at least 22×22"):
        run_search(photos, "conv3", to=tmp_path / "tune", trials=2, **SMALL)


def test_a_trial_at_work_waits_for_a_larger_budget(photos, tmp_path, monkeypatch):
    seen = []

    def accuracy(trial, epoch):
        seen.append((trial, epoch))
        time.sleep(0.01)
        return 0.5

    options = rigged(accuracy, monkeypatch)
    message = (
        "the budget of 0.0001 minutes was spent before a trial finished. The same command with a "
        "larger --budget goes on."
    )
    for _ in range(2):  # the second call finds the budget spent, and trains nothing
        with pytest.raises(StudyError, match=re.escape(message)):
            run_search(photos, "dense", to=tmp_path / "tune", budget=0.0001, **options)
    assert seen == [(0, 1)]
    report = run_search(photos, "dense", to=tmp_path / "tune", budget=5, trials=2, **options).report
    assert seen[1:4] == [(1, 2), (1, 3), (1, 4)]  # under the next number
    assert len(report.trials) == 2


def test_two_folders_share_one_storage(photos, tmp_path, monkeypatch):
    options = rigged(lambda trial, epoch: 0.5, monkeypatch)
    shared = {**options, "storage": f"sqlite:///{tmp_path}/shared.db", "name": "ours"}
    first = run_search(photos, "dense", to=tmp_path / "one", trials=2, **shared).report
    second = run_search(photos, "dense", to=tmp_path / "two", trials=4, **shared).report
    assert second.trials[:2] == first.trials
    assert [path.name for path in sorted((tmp_path / "two" / "trials").iterdir())] == [
        "0002", "0003"
    ]  # fmt: skip
    assert not (tmp_path / "two" / "search.db").exists()
    with pytest.raises(
        StudyError, match=r"shared\.db, ours, holds another search: seed was 0, now"
    ):
        run_search(photos, "dense", to=tmp_path / "three", trials=4, seed=1, **shared)


def test_a_trial_of_another_machine_is_left_alone(photos, tmp_path, monkeypatch):
    options = rigged(lambda trial, epoch: 0.5, monkeypatch)
    url = f"sqlite:///{tmp_path}/shared.db"
    run_search(photos, "dense", to=tmp_path / "one", trials=1, storage=url, **options)
    with optuna_study.opened(url, "dense", 4) as study:
        study.ask().set_user_attr("worker", "elsewhere:/tune")
    run_search(photos, "dense", to=tmp_path / "one", trials=3, storage=url, **options)
    with optuna_study.opened(url, "dense", 4) as study:
        states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "RUNNING", "COMPLETE", "COMPLETE"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nowhere", "cannot open the storage nowhere: Could not parse SQLAlchemy URL"),
        ("sqlite:////none/of/this.db", "unable to open database file. Expected a URL that Optuna"),
        ("nosql://me:secret@host/db", "cannot open the storage nosql://me:***@host/db: Can't load"),
    ],
)
def test_a_storage_that_cannot_be_opened(url, reason, photos, tmp_path):
    with pytest.raises(StudyError, match=re.escape(reason)) as caught:
        run_search(photos, "dense", to=tmp_path / "tune", storage=url, trials=1, **SMALL)
    assert "secret" not in str(caught.value)
    kept = (tmp_path / "tune" / "search.toml").read_text()
    assert "secret" not in kept


def test_a_folder_of_another_search_is_refused(found, photos):
    message = (
        f"{found.folder.path} holds another search: training.epochs was 2, now 3. Choose another "
        "folder with --to."
    )
    with pytest.raises(StudyError, match=re.escape(message)):
        run_search(photos, "dense", to=found.folder.path, trials=5, **{**SMALL, "epochs": 3})
    with pytest.raises(StudyError, match=r"recipe was 'dense', now 'conv1'"):
        run_search(photos, "conv1", to=found.folder.path, trials=5, **SMALL)
    with pytest.raises(StudyError, match=r"photos was '60 photos, sha256 .*now '30 photos, sha256"):
        run_search(photos, "dense", to=found.folder.path, trials=5, limit_per_class=10, **SMALL)


def test_a_folder_with_something_else_is_left_alone(photos, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(StudyError, match=r"is not empty and holds no search\. Choose another"):
        run_search(photos, "dense", to=tmp_path, trials=1, **SMALL)
    with pytest.raises(StudyError, match=r"letters\.txt is a file\. Choose a folder with --to\."):
        run_search(photos, "dense", to=tmp_path / "letters.txt", trials=1, **SMALL)
    with pytest.raises(StudyError, match="cannot write the search at /proc/none: "):
        run_search(photos, "dense", to="/proc/none", trials=1, **SMALL)


def test_two_processes_do_not_share_a_folder(found, photos):
    folder = found.folder.path
    with (
        locked(folder),
        pytest.raises(RunFolderError, match=r"another process \(\d+\) is at work on"),
    ):
        run_search(photos, "dense", to=folder, trials=5, **SMALL)


def test_all_that_is_wrong_is_said_at_once(photos, tmp_path):
    with pytest.raises(ConfigError) as caught:
        run_search(
            photos, "dense", to=tmp_path / "tune", trials=-1, budget=-2, name="ours",
            search=["depth"], **SMALL,
        )  # fmt: skip
    problems = caught.value.problems
    assert problems[:3] == [
        "trials must be at least 0, received -1.",
        "budget must be at least 0, received -2.",
        "a name is for a search in a storage: give --storage too.",
    ]
    assert problems[3].startswith('"depth" cannot be searched.')


def test_without_optuna_it_says_how_to_get_it(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    message = 'a search needs Optuna. Install it with: pip install "classeur[tune]"'
    with pytest.raises(StudyError, match=re.escape(message)):
        run_search(photos, "dense", to=tmp_path / "tune", trials=1, **SMALL)
    assert not (tmp_path / "tune").exists()


def test_twenty_trials_unless_told_otherwise():
    plan = tune.plan_search(
        "p", "dense", trials=0, budget=0, search=("dropout",), storage="", name=""
    )
    assert (plan.trials, plan.name, list(plan.space)) == (20, "dense", ["dropout"])
    by_time = tune.plan_search("p", "dense", trials=0, budget=3, search=(), storage="", name="")
    assert by_time.trials == 0


def test_importance_needs_enough_trials(photos, tmp_path, monkeypatch):
    folder = tmp_path / "tune"
    options = rigged(lambda trial, epoch: 0.5 + 0.01 * trial, monkeypatch, epochs=1)
    few = run_search(photos, "dense", to=folder, trials=9, search=["dropout"], **options).report
    assert (few.importance, few.needed) == ({}, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        enough = run_search(photos, "dense", to=folder, trials=10, search=["dropout"], **options)
    assert enough.report.importance == {"dropout": 1.0}
