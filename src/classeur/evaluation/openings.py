"""Every reading of the test split, on record: when, why, by which network.

The first score on photos that nobody had seen counts. To score the same network again changes
nothing; to change a network after its test score was seen makes the next score optimistic. So each
line carries a hash of the network, and a run inside a study is recorded in both folders: a run
that is deleted and trained again has not been forgotten.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classeur.run_folder import RunFolder, append_json_line, now, read_json, read_json_lines


@dataclass(frozen=True)
class Opening:
    """One reading of the test split."""

    when: str
    """UTC, ISO 8601."""
    reason: str
    photos: int
    run: str
    """Name of the run's folder."""
    network: str = ""
    """Hash of the network; empty: recorded by a Classeur that took none."""


def record_opening(run: RunFolder, reason: str, photos: int) -> int:
    """Record that the test split is read now, in the run and its study.

    Returns:
        How often it has been read for this run, this time included.
    """
    about = {"when": now(), "reason": reason, "photos": photos, "network": network_hash(run)}
    append_json_line(run.test_openings, about)
    study = _study_log(run)
    if study is not None:
        append_json_line(study, {"run": run.path.resolve().name, **about})
    return len(openings_of(run))


def openings_of(run: RunFolder) -> list[Opening]:
    """Return every reading for a run, those on its study's record included, in order of time.

    Raises:
        RunFolderError: if a record is broken.
    """
    study = _study_log(run)
    shared = _read(study, "") if study is not None else Counter[Opening]()
    name = run.path.resolve().name
    # One reading stands in both records; two of the same second stand twice in each.
    both = _read(run.test_openings, name) | Counter(o for o in shared.elements() if o.run == name)
    return _sorted(both)


def openings_in(study: Path, runs: Iterable[RunFolder]) -> list[Opening]:
    """Return every reading in a study, for runs that are there no more too, in order of time.

    Raises:
        RunFolderError: if a record is broken.
    """
    every = _read(study / "test_openings.jsonl", "")
    for run in runs:
        every |= _read(run.test_openings, run.path.resolve().name)
    return _sorted(every)


def is_changed(openings: Iterable[Opening]) -> bool:
    """Whether the readings for a run are known to be by networks that differ."""
    return len({opening.network for opening in openings} - {""}) > 1


def network_hash(run: RunFolder) -> str:
    """Return a hash of what decides a run's answers: weights, architecture, preprocessing.

    Not of the temperature: it is fitted on validation, and changes no answer.
    """
    facts = read_json(run.model)
    about = {name: facts.get(name) for name in ("model", "class_names", "preprocessing")}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    with run.weights.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _study_log(run: RunFolder) -> Path | None:
    study = run.path.resolve().parent
    return study / "test_openings.jsonl" if (study / "study.toml").is_file() else None


def _read(path: Path, run: str) -> Counter[Opening]:
    return Counter(_opening(line, run) for line in read_json_lines(path))


def _opening(line: dict[str, Any], run: str) -> Opening:
    return Opening(
        str(line.get("when", "")), str(line.get("reason", "")), line.get("photos", 0),
        line.get("run", run), line.get("network", ""),
    )  # fmt: skip


def _sorted(openings: Counter[Opening]) -> list[Opening]:
    return sorted(openings.elements(), key=lambda opening: opening.when)
