"""The files of a run folder: the one contract between the rooms.

Training writes a run folder, evaluation adds its figures, report draws it, inference loads it.
Everything in it is readable without Classeur.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from classeur.errors import RunFolderError


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run. Making the value touches nothing on disk."""

    path: Path

    @property
    def config(self) -> Path:
        """What was asked, complete."""
        return self.path / "config.toml"

    @property
    def environment(self) -> Path:
        """Versions, hardware, threads, commit, seed."""
        return self.path / "environment.json"

    @property
    def manifest(self) -> Path:
        """Which photo was in which split."""
        return self.path / "manifest.csv"

    @property
    def history(self) -> Path:
        """A row per epoch."""
        return self.path / "history.csv"

    @property
    def weights(self) -> Path:
        """The best weights by validation."""
        return self.path / "model.safetensors"

    @property
    def model(self) -> Path:
        """Architecture, class names in order, preprocessing."""
        return self.path / "model.json"

    @property
    def novelty(self) -> Path:
        """Features of training photos, by which photos that resemble none of them are known."""
        return self.path / "novelty.safetensors"

    @property
    def state(self) -> Path:
        """What `--resume` needs; removed when training has finished."""
        return self.path / "state.pt"

    @property
    def training(self) -> Path:
        """How training ended: reason, best epoch, seconds, peak memory."""
        return self.path / "training.json"

    @property
    def predictions(self) -> Path:
        """A row per photo of the validation and test splits."""
        return self.path / "predictions.parquet"

    @property
    def metrics(self) -> Path:
        """Every figure of merit, with its interval."""
        return self.path / "metrics.json"

    @property
    def test_openings(self) -> Path:
        """When and why the test split was read, a line each."""
        return self.path / "test_openings.jsonl"

    @property
    def report(self) -> Path:
        """The sheet: opens from disk."""
        return self.path / "report.html"

    @property
    def card(self) -> Path:
        """The model card, as the Hugging Face hub reads it."""
        return self.path / "README.md"

    @property
    def is_trained(self) -> bool:
        """Whether training has finished."""
        return self.training.is_file() and self.model.is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the run has its report, which is written last."""
        return self.report.is_file() and self.metrics.is_file()

    def require(self, *files: Path) -> None:
        """Raise RunFolderError unless the folder and the given files are there."""
        if not self.path.is_dir():
            raise RunFolderError(
                f"{self.path} is no run folder: it does not exist. "
                "Expected a folder that `classeur train` or `classeur study` has written."
            )
        missing = [file.name for file in files if not file.is_file()]
        if missing and not self.config.is_file():
            inside = sorted(p.parent.name for p in self.path.glob("*/model.json"))
            hint = (
                f"It holds these runs: {', '.join(inside)}."
                if inside
                else "Expected a folder that `classeur train` or `classeur study` has written."
            )
            raise RunFolderError(
                f"{self.path} is no run folder: it has no {', '.join(missing)}. {hint}"
            )
        if missing:
            raise RunFolderError(
                f"{self.path} is an unfinished run: it has no {', '.join(missing)} yet. "
                f'Finish it with: classeur train --resume "{self.path}"'
            )


_UNFINISHED = ".unfinished"
"""Ending of what `replacing` writes before it takes its place."""

LOCK = ".lock"
"""The file that carries the lock of a folder; it holds the number of the process."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run or a study while the block lasts.

    The lock goes with the process, however it ends; the file that carries it stays. What a killed
    process was about to write there is removed.

    Raises:
        RunFolderError: if another process is at work there, with its number.
    """
    with os.fdopen(_own_file(folder / LOCK), "r+b", buffering=0) as file:
        try:
            _take(file.fileno())
        except BlockingIOError as error:
            number = file.read(20).decode("ascii", "replace").strip()
            who = f" ({number})" if number.isdecimal() else ""
            raise RunFolderError(
                f"another process{who} is at work on {folder}. Wait for it, or end it first."
            ) from error
        with suppress(OSError):  # on a full disk the lock holds all the same
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        for left in folder.iterdir():
            if left.name != LOCK and is_leftover(left) and not left.is_dir():
                left.unlink(missing_ok=True)
        yield


def _take(file: int) -> None:
    """Lock a file. Raises BlockingIOError if another process keeps it for longer than a look."""
    for _ in range(5):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.01)  # `is_locked` of a board holds it for an instant
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(folder: Path) -> bool:
    """Whether a process is at work on a folder. Only looks; keeps nobody out."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(file)
    return False


def is_leftover(path: Path) -> bool:
    """Whether a file is no more than a lock, or what a killed process was about to write."""
    return path.name == LOCK or (path.name.startswith(".") and path.name.endswith(_UNFINISHED))


def _own_file(path: Path) -> int:
    """Open a file of a run folder to read and write, never what a link there leads to."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)


def now() -> str:
    """Return the time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path; when the block ends well, it takes the place of `path` at once.

    A reader, or a process killed in the middle, finds the old file or the new one, never half.
    """
    temporary = None
    try:
        handle, name = tempfile.mkstemp(_UNFINISHED, f".{path.name}.", path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:  # on the disk before it has the name: power may fail
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        is_ours = temporary is None or error.filename in (None, str(temporary))
        if error.errno is not None and is_ours:
            error.filename = str(path)  # what the user knows it by
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one piece. Undecodable bytes in file names come out as they were."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, in one piece."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises RunFolderError if it is missing or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} cannot be read as JSON: {error}.") from error


def append_json_line(path: Path, value: Any) -> None:
    """Add one line to a JSON-lines file, whole or not at all.

    Raises:
        OSError: if the disk is full, or the file is a link.
    """
    line = (json.dumps(value, ensure_ascii=False) + "\n").encode()
    with os.fdopen(_own_file(path), "ab", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if file.write(line) != len(line):  # half a line would make all of them unreadable
            os.ftruncate(file.fileno(), size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def read_json_lines(path: Path) -> list[Any]:
    """Read a JSON-lines file; one that does not exist has no lines."""
    if not path.is_file():
        return []
    rows = []
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    for number, line in enumerate(lines, 1):
        try:
            rows += [json.loads(line)] if line else []
        except (ValueError, RecursionError) as error:
            raise RunFolderError(f"{path}, line {number}, is no JSON: {error}.") from error
    return rows


def printable(path: str) -> str:
    """Return a path as text that any file format takes: undecodable bytes become \\xNN."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
