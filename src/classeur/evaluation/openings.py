"""Every reading of the test split, on record: when, why, by which network.

The first score on photos that nobody had seen counts. To score the same network again changes
nothing; to change a network after its test score was seen makes the next score optimistic. So each
line carries a hash of the network, and a run inside a study is recorded in both folders: a run
that is deleted and trained again has not been forgotten. When the score is known, a line with the
accuracy follows, so that the first one can still be shown when another has taken its place.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from classeur.errors import RunFolderError
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
    accuracy: float | None = field(default=None, compare=False)
    """What was read; None: it was broken off, or recorded by a Classeur that kept no score."""


def record_opening(run: RunFolder, reason: str, photos: int, *, may_go_on: bool = False) -> int:
    """Record that the test split is read now, in the run and its study.

    Args:
        run: whose test split.
        reason: why.
        photos: that are read.
        may_go_on: where the last reading had the same reason and network and was broken off before
            its score was known, this is the same opening: nobody has seen anything.

    Returns:
        How often it has been read for this run, this time included.
    """
    before, network = openings_of(run), network_hash(run)
    if not (may_go_on and before and _was_broken_off(before[-1], reason, network)):
        _append(run, {"when": now(), "reason": reason, "photos": photos, "network": network})
    return len(openings_of(run))


def record_score(run: RunFolder, accuracy: float) -> None:
    """Record what the last reading of the test split has shown."""
    last = openings_of(run)[-1]
    _append(run, {"accuracy": accuracy, "of": last.when, "network": last.network})


def _was_broken_off(last: Opening, reason: str, network: str) -> bool:
    return (last.reason, last.network, last.accuracy) == (reason, network, None)


def _append(run: RunFolder, line: dict[str, Any]) -> None:
    append_json_line(run.test_openings, line)
    if (study := _study_log(run)) is not None:
        append_json_line(study, {"run": run.path.resolve().name, **line})


def openings_of(run: RunFolder) -> list[Opening]:
    """Return every reading for a run, those on its study's record included, in order of time.

    Raises:
        RunFolderError: if a record is broken.
    """
    study, name = _study_log(run), run.path.resolve().name
    lines = _lines(run.test_openings, name)
    shared = [line for line in _lines(study, "") if line["run"] == name] if study else []
    return _openings([lines, shared])


def openings_in(study: Path, runs: Iterable[RunFolder]) -> list[Opening]:
    """Return every reading in a study, for runs that are there no more too, in order of time.

    Raises:
        RunFolderError: if a record is broken.
    """
    own = [_lines(run.test_openings, run.path.resolve().name) for run in runs]
    return _openings([_lines(study / "test_openings.jsonl", ""), *own])


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


def _lines(path: Path, run: str) -> list[dict[str, Any]]:
    lines = read_json_lines(path)
    if not all(isinstance(line, dict) for line in lines):
        raise RunFolderError(f"{path} is broken: expected a mapping on every line.")
    return [{"run": run, **line} for line in lines]


def _openings(records: Iterable[list[dict[str, Any]]]) -> list[Opening]:
    """Return what stands in any of the records, in order of time, with the scores."""
    found: Counter[Opening] = Counter()
    scores: dict[tuple[str, ...], Any] = {}
    for lines in records:
        # One reading stands in both records; two of the same second stand twice in each.
        found |= Counter(_opening(line) for line in lines if "of" not in line)
        for line in lines:
            if "of" in line:
                key = (str(line["run"]), str(line["of"]), str(line.get("network", "")))
                scores[key] = line.get("accuracy")
    return [
        replace(one, accuracy=_number(scores.get((one.run, one.when, one.network))))
        for one in sorted(found.elements(), key=lambda opening: opening.when)
    ]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _opening(line: dict[str, Any]) -> Opening:
    return Opening(
        str(line.get("when", "")), str(line.get("reason", "")), line.get("photos", 0),
        line["run"], line.get("network", ""),
    )  # fmt: skip
