"""A run that is killed goes on to the same result as one that was left alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.study.conftest import OPTIONS

from classeur.errors import RunFolderError
from classeur.run_folder import RunFolder, locked
from classeur.study.train import resume, train

AUGMENTED = {**OPTIONS, "epochs": 8, "flip": 0.0, "rotation": 5.0, "schedule": "cosine"}


def start(photos: Path, folder: Path) -> subprocess.Popen[bytes]:
    options = [f"--{k.replace('_', '-')}={v}" for k, v in AUGMENTED.items()]
    command = [sys.executable, "-m", "classeur", "train", str(photos), "--recipe", "conv3"]
    return subprocess.Popen(
        [*command, "--to", str(folder), *options],
        stderr=subprocess.PIPE,
        preexec_fn=listen_to_ctrl_c,  # noqa: PLW1509  it sets a signal, no more
    )


def listen_to_ctrl_c() -> None:
    """Undo what a shell does to its background jobs, of which the tests may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_study(photos: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start a study as a shell starts a background job: with SIGINT ignored."""
    options = [f"--{k.replace('_', '-')}={v}" for k, v in {**OPTIONS, "epochs": 5000}.items()]
    command = [sys.executable, "-m", "classeur", "study", str(photos), "--rungs", "conv1"]
    in_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    return subprocess.Popen(
        [*in_background, *command, "--to", str(folder), "--patience=0", *options],
        stderr=subprocess.PIPE,
    )


def wait_until_free(run: RunFolder) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with locked(run.path):
                return
        except RunFolderError:
            time.sleep(0.05)
    raise AssertionError("the rung's process went on without its study")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_rung_goes_on_without_its_study(how, photos, cache, tmp_path):
    process = start_study(photos, tmp_path / "binder")
    run = RunFolder(tmp_path / "binder" / "conv1")
    wait_for_epochs(run, 2, process)
    process.send_signal(how)
    _, messages = process.communicate(timeout=200)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130)
    wait_until_free(run)
    if how == signal.SIGTERM:
        said = messages.decode().splitlines()[-1]
        assert said == "interrupted; the same command goes on where it stopped"
    assert not run.is_finished


def wait_for_epochs(run: RunFolder, number: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if run.state.is_file() and len(run.history.read_text().splitlines()) > number:
            return
        time.sleep(0.005)
    raise AssertionError(f"no epoch {number}: {process.communicate()}")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_killed_goes_on_to_the_same_result(how, photos, cache, tmp_path):
    whole = train(photos, "conv3", to=tmp_path / "whole", **AUGMENTED)
    run = RunFolder(tmp_path / "killed")
    process = start(photos, run.path)
    wait_for_epochs(run, 2, process)
    os.kill(process.pid, how)
    _, messages = process.communicate(timeout=200)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130)
    if how != signal.SIGKILL:
        assert messages.decode().splitlines()[-1].startswith("interrupted")
        assert "Traceback" not in messages.decode()
    assert not run.is_finished

    resume(run.path)
    assert run.is_finished
    assert run.weights.read_bytes() == whole.weights.read_bytes()
    assert run.predictions.read_bytes() == whole.predictions.read_bytes()
    columns = [line.rsplit(",", 1)[0] for line in run.history.read_text().splitlines()]
    assert columns == [line.rsplit(",", 1)[0] for line in whole.history.read_text().splitlines()]


def test_resume_needs_a_run(tmp_path):
    message = f"{tmp_path / 'none'} is no run folder: it does not exist."
    with pytest.raises(RunFolderError, match=re.escape(message)):
        resume(tmp_path / "none")


def test_a_run_at_work_is_left_alone(study, cache):
    run = RunFolder(study.folder / "dense")
    message = (
        f"another process ({os.getpid()}) is at work on {run.path}. Wait for it, or end it first."
    )
    with locked(run.path), pytest.raises(RunFolderError, match=re.escape(message)):
        resume(run.path)
