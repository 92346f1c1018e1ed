"""An output file while it is being written, and how a later run goes on with it.

Rows are written to FILE.part, each at once, and FILE.part becomes FILE at the end: a killed
process leaves what it had. FILE.run.json says what the rows are of, so that no other run and no
other options ever go on with them.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from classeur.errors import InferenceError
from classeur.inference.predictor import Prediction
from classeur.run_folder import RunFolder, read_json, replacing, write_json

_LONGEST = 1 << 24
"""Longest row, in bytes: a path, and the names of as many classes as were asked for."""

Facts = Mapping[str, Any]


@dataclass
class Unfinished:
    """Rows so far, and the file that takes more."""

    path: Path
    """The file that it becomes."""
    file: TextIO
    """`FILE.part`, open at its end and locked."""
    facts: Facts
    stays_resumable: bool = False
    """Whether FILE.run.json stays when the file is finished."""
    done: set[str] = field(default_factory=set)
    """Paths that have a row, as it has them."""
    last: Prediction | None = None
    """What the last row says, but for probabilities: a kill came soon after it."""
    has_rows: bool = False
    """Whether there is anything to go on with."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it yet, not even a header."""
        return os.fstat(self.file.fileno()).st_size == 0

    @contextmanager
    def kept(self) -> Iterator[TextIO]:
        """Give the file to write to; where that ends badly its rows stay, if it has any."""
        try:
            with self.file:
                yield self.file
        except BaseException:
            if not self.has_rows:
                part_of(self.path).unlink(missing_ok=True)
                note_of(self.path).unlink(missing_ok=True)
            raise

    def finish(self) -> None:
        """Give the file its name. Raises OSError if the disk is full."""
        self.file.flush()
        os.fsync(self.file.fileno())
        size = os.fstat(self.file.fileno()).st_size
        part_of(self.path).replace(self.path)
        if self.stays_resumable:
            write_json(note_of(self.path), {**self.facts, "bytes": size})
        else:
            note_of(self.path).unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Return where the rows of an output file are until it is finished."""
    return path.with_name(path.name + ".part")


def note_of(path: Path) -> Path:
    """Return the file that says what the rows of an output file are of."""
    return path.with_name(path.name + ".run.json")


def fingerprint(run: Path) -> str:
    """Return the SHA-256 of what answers: weights, classes and preprocessing, or an .onnx file."""
    folder = RunFolder(run)
    files = [folder.weights, folder.model, folder.novelty] if run.is_dir() else [run]
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def begin(
    path: Path, columns: Sequence[str], facts: Facts | None = None, *, resume: bool = False
) -> Unfinished:
    """Open an output file to add rows to; with `resume`, after those that are there.

    Args:
        path: a .csv or .jsonl file.
        columns: of CSV, or the keys of JSON lines.
        facts: all that decides on a row, as plain values by the name of an option.
        resume: go on with FILE.part, or else with FILE; begin where there is neither.

    Raises:
        InferenceError: if rows are there and `resume` is not given, if they are of another run, of
            other options or columns, or if another process is writing them.
        OSError: if it cannot be written.
    """
    part, facts = part_of(path), {**(facts or {}), "columns": list(columns)}
    if resume and not part.exists() and path.exists():
        _check_note(path, path, facts)
        with replacing(part) as temporary:
            shutil.copyfile(path, temporary)
    file = part.open("a", encoding="utf-8", newline="")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        begun = Unfinished(path, file, facts, resume)
        _take_rows(begun, columns)
    except BlockingIOError as error:
        file.close()
        raise InferenceError(
            f"another process is writing {part}. Wait for it, or end it first."
        ) from error
    except BaseException:
        file.close()
        raise
    write_json(note_of(path), {**facts, "bytes": None})
    return begun


def _take_rows(begun: Unfinished, columns: Sequence[str]) -> None:
    """Read the rows that are there, and cut off what was not written to its end."""
    part, end, row = part_of(begun.path), 0, None
    with part.open("rb") as file:
        _check_start(file, part)
        if begun.stays_resumable:
            for row, to in _rows(file, part, columns):
                begun.done.add(row["path"])
                end = to
        elif len(list(islice(_records(file), 2))) > _is_csv(part):
            raise InferenceError(
                f"{part} holds the rows of a run that did not end. Go on with --resume, or "
                "remove it first."
            )
    if row is not None:
        _check_note(part, begun.path, begun.facts)
        begun.last, begun.has_rows = _prediction(row), True
    begun.file.truncate(end)


def _check_start(file: BinaryIO, part: Path) -> None:
    """Raise InferenceError unless a file begins as predict begins it, be it with half a word."""
    start = b"path," if _is_csv(part) else b'{"path": '
    if not start.startswith(file.read(len(start))):
        raise InferenceError(f"{part} holds no rows of predict. Choose another file.")
    file.seek(0)


def _check_note(file: Path, path: Path, facts: Facts) -> None:
    """Raise InferenceError unless the rows of a file are of the same run and options."""
    note = note_of(path)
    if not note.is_file():
        raise InferenceError(
            f"{file} cannot be gone on with: no {note.name} says which run it is of; "
            "a file that was finished without --resume has none. Choose another file, or leave out "
            "--resume to write it anew."
        )
    there = read_json(note)
    if not isinstance(there, dict):
        raise InferenceError(
            f"{file} cannot be gone on with: {note.name} does not say which run it is of. Choose "
            "another file."
        )
    differing = [name for name in facts if there.get(name) != facts[name]]
    if differing:
        listed = "; ".join(f"{name} {_short(there.get(name))}, now {_short(facts[name])}"
                           for name in differing)  # fmt: skip
        raise InferenceError(
            f"{file} is of another run or has other options: {listed}. Give those, or choose "
            "another file."
        )
    if file == path and there.get("bytes") != path.stat().st_size:
        raise InferenceError(
            f"{path} is not as the run of {note.name} left it. Leave out --resume to write it "
            "anew, or choose another file."
        )


def _rows(
    file: BinaryIO, path: Path, columns: Sequence[str]
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each whole row, and where it ends."""
    is_csv = _is_csv(path)
    for number, (record, end) in enumerate(_records(file, columns if is_csv else ())):
        try:
            row = _from_csv(record, columns) if is_csv else _from_json(record, columns)
            if is_csv and not number and row["path"] != "path":
                raise ValueError("it has other columns")
        except (ValueError, RecursionError, csv.Error) as error:
            raise InferenceError(
                f"{path}, row {number + 1}, cannot be gone on with: {error}. Expected the columns "
                f"{', '.join(columns)}."
            ) from error
        if number or not is_csv:
            yield row, end


def _is_csv(part: Path) -> bool:
    return part.suffixes[-2].lower() == ".csv"


def _records(file: BinaryIO, columns: Sequence[str] = ()) -> Iterator[tuple[bytes, int]]:
    """Yield each whole line, or of CSV with such columns each whole record, and where it ends.

    In CSV, a quoted value may hold line ends.
    """
    record, quotes, number, end = bytearray(), 0, 1, 0
    while len(record) <= _LONGEST and (line := file.readline(_LONGEST + 1)):
        record += line
        quotes += line.count(b'"')
        if line.endswith(b"\n") and not (columns and quotes % 2):
            end += len(record)
            yield bytes(record), end
            record, quotes, number = bytearray(), 0, number + 1
    _check_rest(bytes(record), file.name, number, columns)


def _check_rest(record: bytes, name: str, number: int, columns: Sequence[str]) -> None:
    """Raise InferenceError if what seems to be half a record may hold whole ones."""
    lines = record.split(b"\n")[1:-1]
    if columns and any(line.count(b",") >= len(columns) - 1 for line in lines):
        raise InferenceError(
            f"{name}, row {number}, has a quote without its end, and rows after it that would be "
            "lost. Mend that row, or choose another file."
        )
    if len(record) > _LONGEST:
        raise InferenceError(f"{name} holds no rows of predict. Choose another file.")


def _from_csv(record: bytes, columns: Sequence[str]) -> dict[str, str]:
    csv.field_size_limit(_LONGEST)
    rows = list(csv.reader(io.StringIO(record.decode("utf-8"), newline="")))
    if len(rows) != 1 or len(rows[0]) != len(columns):
        raise ValueError(f"it has {sum(map(len, rows))} values")
    return dict(zip(columns, rows[0], strict=True))


def _from_json(record: bytes, columns: Sequence[str]) -> dict[str, Any]:
    row = json.loads(record)
    if not isinstance(row, dict) or list(row) != list(columns):
        raise ValueError("it has other columns")
    if not all(isinstance(row[name] or "", str) for name in ("path", "label", "error")):
        raise ValueError("its path, label or error is no text")
    if not row["path"]:
        raise ValueError("it has no path")
    return row


def _prediction(row: Mapping[str, Any]) -> Prediction:
    unsure, strange = (row.get(name) in (True, "yes") for name in ("unsure", "strange"))
    return Prediction(
        row["path"], row["label"] or "", unsure=unsure, error=row["error"] or "",
        strangeness=math.inf if strange else None,
    )  # fmt: skip


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "none" if value is None else f"{text[:12]}…" if len(text) == 64 else text
