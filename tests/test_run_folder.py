"""The files of a run folder: paths, what is missing, and writing in one piece."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from classeur.errors import RunFolderError
from classeur.run_folder import (
    RunFolder,
    append_json_line,
    locked,
    now,
    printable,
    read_json,
    read_json_lines,
    replacing,
    write_json,
    write_text,
)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    return folder


class TestPaths:
    def test_all_lie_in_the_folder(self, tmp_path):
        run = RunFolder(tmp_path / "run")
        paths = [
            run.config, run.environment, run.manifest, run.history, run.weights, run.model,
            run.state, run.training, run.predictions, run.metrics, run.test_openings, run.report,
        ]  # fmt: skip
        assert {path.parent for path in paths} == {tmp_path / "run"}
        assert {path.name for path in paths} == {
            "config.toml", "environment.json", "manifest.csv", "history.csv", "model.safetensors",
            "model.json", "state.pt", "training.json", "predictions.parquet", "metrics.json",
            "test_openings.jsonl", "report.html",
        }  # fmt: skip
        assert not run.path.exists()

    def test_how_far_it_is(self, run):
        assert not run.is_trained
        run.training.touch()
        assert not run.is_trained
        run.model.touch()
        assert run.is_trained
        run.metrics.touch()
        assert not run.is_finished
        run.report.touch()
        assert run.is_finished


class TestRequire:
    def test_all_there(self, run):
        run.model.touch()
        run.require(run.model)
        run.require()

    def test_no_folder(self, tmp_path):
        run = RunFolder(tmp_path / "run")
        with pytest.raises(RunFolderError) as caught:
            run.require(run.model)
        assert str(caught.value) == (
            f"{run.path} is no run folder: it does not exist. Expected a folder that `classeur "
            "train` or `classeur study` has written."
        )

    def test_another_folder(self, run):
        with pytest.raises(RunFolderError) as caught:
            run.require(run.model, run.weights)
        assert str(caught.value) == (
            f"{run.path} is no run folder: it has no model.json, model.safetensors. "
            "Expected a folder that `classeur train` or `classeur study` has written."
        )

    def test_a_folder_of_runs(self, run):
        for name in ("b", "a", "c"):
            (run.path / name).mkdir()
        for name in ("b", "a"):
            (run.path / name / "model.json").touch()
        with pytest.raises(RunFolderError) as caught:
            run.require(run.model)
        assert str(caught.value) == (
            f"{run.path} is no run folder: it has no model.json. It holds these runs: a, b."
        )

    def test_an_unfinished_run(self, run):
        run.config.touch()
        run.manifest.touch()
        with pytest.raises(RunFolderError) as caught:
            run.require(run.manifest, run.model)
        assert str(caught.value) == (
            f"{run.path} is an unfinished run: it has no model.json yet. Finish it with: classeur "
            f'train --resume "{run.path}"'
        )


class TestLock:
    def test_one_process_at_a_time(self, run):
        code = """
import sys
from pathlib import Path
from classeur.run_folder import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""
        with subprocess.Popen(
            [sys.executable, "-c", code, str(run.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as other:  # fmt: skip
            assert other.stdout.readline() == "locked\n"
            with pytest.raises(RunFolderError) as caught, locked(run.path):
                pass
            assert str(caught.value) == (
                f"another process ({other.pid}) is at work on {run.path}. Wait for it, or end it "
                "first."
            )
            other.kill()
        with locked(run.path):  # gone with the process
            assert run.path.is_dir()

    def test_what_a_killed_process_left_half_written_goes(self, run):
        code = (
            "import os, sys\nfrom pathlib import Path\nfrom classeur.run_folder import replacing\n"
            "with replacing(Path(sys.argv[1])) as half:\n"
            "    half.write_text('half')\n"
            "    os.kill(os.getpid(), 9)\n"
        )
        (run.path / ".mine").touch()
        subprocess.run([sys.executable, "-c", code, str(run.weights)], check=False)
        assert len(list(run.path.iterdir())) == 2
        with locked(run.path):
            assert {path.name for path in run.path.iterdir()} == {".lock", ".mine"}

    def test_it_ends_with_the_block(self, run):
        for _ in range(2):
            with pytest.raises(ValueError, match="failed"), locked(run.path):
                raise ValueError("failed")


class TestReplacing:
    def test_a_full_disk_names_the_file_that_was_asked_for(self, tmp_path):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with pytest.raises(OSError, match="No space left") as caught, replacing(tmp_path / "f"):
            raise full
        assert caught.value.filename == str(tmp_path / "f")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_not_there_is_an_error_of_the_file(self, tmp_path):
        path = tmp_path / "none" / "f"
        with pytest.raises(FileNotFoundError) as caught, replacing(path):
            pass
        assert caught.value.filename == str(path)

    def test_the_new_file_takes_the_place_of_the_old_one(self, tmp_path):
        path = tmp_path / "file.txt"
        path.write_text("old")
        with replacing(path) as temporary:
            temporary.write_text("new")
            assert path.read_text() == "old"
        assert path.read_text() == "new"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_interruption_leaves_the_old_file(self, tmp_path, error):
        path = tmp_path / "file.txt"
        path.write_text("old")

        def write_half():
            with replacing(path) as temporary:
                temporary.write_text("half")
                raise error

        with pytest.raises(error):
            write_half()
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
    def test_others_may_read_what_the_user_lets_them_read(self, tmp_path, mask):
        before = os.umask(mask)
        try:
            write_text(tmp_path / "file.txt", "text")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == 0o666 & ~mask


class TestJson:
    @pytest.mark.parametrize(
        "value", [None, 3, "é猫\u2028", [1, 2.5, None], {"a": {"b": [True, "x\ny"]}}, float("inf")]
    )
    def test_there_and_back(self, tmp_path, value):
        write_json(tmp_path / "v.json", value)
        assert read_json(tmp_path / "v.json") == value

    def test_readable_by_people(self, tmp_path):
        write_json(tmp_path / "v.json", {"class_names": ["é"]})
        text = (tmp_path / "v.json").read_text(encoding="utf-8")
        assert text == '{\n  "class_names": [\n    "é"\n  ]\n}\n'

    def test_missing(self, tmp_path):
        file = tmp_path / "v.json"
        with pytest.raises(RunFolderError) as caught:
            read_json(file)
        assert str(caught.value) == (
            f"{file} cannot be read as JSON: [Errno 2] No such file or directory: '{file}'."
        )

    @pytest.mark.parametrize("content", [b"", b"{", b"epochs = 3", b"[" * 100_000, b"9" * 10_000])
    def test_no_json(self, tmp_path, content):
        (tmp_path / "v.json").write_bytes(content)
        start = re.escape(f"{tmp_path}/v.json cannot be read as JSON: ")
        with pytest.raises(RunFolderError, match=start):
            read_json(tmp_path / "v.json")

    def test_lines(self, tmp_path):
        file = tmp_path / "lines.jsonl"
        assert read_json_lines(file) == []
        append_json_line(file, {"why": "evaluate\nagain"})
        append_json_line(file, ["é"])
        assert read_json_lines(file) == [{"why": "evaluate\nagain"}, ["é"]]
        assert [json.loads(line) for line in file.read_text().split("\n")[:-1]] == read_json_lines(
            file
        )


def test_now_is_utc_to_the_second():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now())
    assert abs(datetime.fromisoformat(now()) - datetime.now(UTC)) < timedelta(minutes=1)


def test_printable():
    assert printable("caf\udce9/é.jpg") == "caf\\xe9/é.jpg"
    assert printable("plain.jpg") == "plain.jpg"
    printable("\udce9").encode()


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": 1}\n{"half')
    with pytest.raises(RunFolderError, match=re.escape(f"{path}, line 2, is no JSON: ")):
        read_json_lines(path)
