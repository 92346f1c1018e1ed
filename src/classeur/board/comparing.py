"""Two runs photo by photo: which one got it right, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classeur.board.finding import Found
from classeur.board.reading import check_files
from classeur.board.states import finite
from classeur.data.manifest import ManifestRow, read_manifest
from classeur.errors import EvaluationError, RunFolderError
from classeur.evaluation.comparison import compare
from classeur.evaluation.predictions import Predictions, read_predictions
from classeur.run_folder import RunFolder, printable

SPLITS = ("test", "val")
"""Of which a run keeps predictions."""

CELLS = ("first", "second", "both", "neither")
"""Who is right: the four cells of the table."""

PAGE = 48
"""Photos on a page."""

LARGEST = 1 << 30
"""Bytes of predictions that are read."""

MOST_VALUES = 200_000_000
"""Rows times columns."""


@dataclass(frozen=True)
class Scored:
    """What a run says of its photos, and which photo is in which split."""

    rows: list[ManifestRow]
    predictions: Predictions


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same photos of one split."""

    facts: dict[str, Any]
    """Table, difference and test, as the page gets them."""
    first: Predictions
    second: Predictions
    cells: dict[str, NDArray[np.int64]]
    """Cell -> rows of the predictions in it, the surest disagreements first."""
    numbers: list[int]
    """(N,) row of each photo in the manifest of the first run."""


def read_scored(one: Found) -> Scored:
    """Read the predictions and the split of a run.

    Raises:
        RunFolderError: if it has none, or a file is larger than any of ours.
        EvaluationError: if they cannot be read.
        DataError: if its manifest cannot be read.
    """
    run, name = RunFolder(one.path), printable(one.path.name)
    if "metrics.json" not in one.files or "predictions.parquet" not in one.files:
        raise RunFolderError(f"{name} keeps no predictions: it has not been scored yet.")
    check_files(one)
    if one.files["predictions.parquet"][1] > LARGEST:
        raise RunFolderError(f"the predictions of {name} are too large to compare.")
    try:
        about = pq.read_metadata(run.predictions)
    except Exception as error:  # pyarrow may raise anything for a broken file
        reason = " ".join(str(error).split())[:200]
        raise EvaluationError(f"the predictions of {name} cannot be read: {reason}.") from error
    if about.num_rows * about.num_columns > MOST_VALUES:
        raise RunFolderError(f"the predictions of {name} are too many to compare.")
    return Scored(read_manifest(run.manifest).rows, read_predictions(run.predictions))


def compare_runs(names: tuple[str, str], scored: tuple[Scored, Scored], split: str) -> Comparison:
    """Compare two runs on the photos of a split.

    Args:
        names: of the two; what messages and the answer call them.
        scored: what they have said.
        split: test or val.

    Raises:
        EvaluationError: if they were trained or scored on different splits.
    """
    check_same_split(names, scored)
    first, second = (some.predictions.of_split(split) for some in scored)
    if first.class_names != second.class_names or (first.labels != second.labels).any():
        raise EvaluationError("the two runs know different classes: they cannot be compared.")
    keys = names if names[0] != names[1] else (names[0], f"{names[1]} (2)")
    right = dict(zip(keys, (first.correct, second.correct), strict=True))
    paths = dict(zip(keys, (first.paths, second.paths), strict=True))
    pair = compare(right, groups=first.groups, paths=paths)[0]
    cells = _cells(first, second)
    place = {printable(row.path): number for number, row in enumerate(scored[0].rows)}
    facts = {
        "split": split,
        "photos": len(first.paths),
        "counts": {name: len(rows) for name, rows in cells.items()},
        "accuracy": [finite(float(some.correct.mean())) for some in (first, second)],
        "difference": [finite(x) for x in vars(pair.difference).values()],
        "p": finite(pair.p_value),
        "groups": pair.groups,
        "differs": pair.differs,
        "more_photos": pair.more_photos,
    }
    return Comparison(facts, first, second, cells, [place[path] for path in first.paths])


def check_same_split(names: tuple[str, str], scored: tuple[Scored, Scored]) -> None:
    """Raise EvaluationError, saying what differs, unless both runs had the same split."""
    first, second = (
        {row.path: (row.sha256, row.label, row.split) for row in some.rows} for some in scored
    )
    if first == second:
        return
    differing = sum(first.get(path) != second.get(path) for path in {**first, **second})
    raise EvaluationError(
        f"{names[0]} and {names[1]} had different photos, labels or splits: {differing:,} photos "
        "differ. Runs of one study can be compared, and runs with the same --manifest."
    )


def photos_of(found: Comparison, cell: str, page: int) -> list[dict[str, Any]]:
    """Return some photos of a cell of the table, with what both runs say."""
    rows = found.cells[cell][page * PAGE : (page + 1) * PAGE]
    names = found.first.class_names
    return [
        {
            "row": found.numbers[row],
            "path": found.first.paths[row],
            "label": names[found.first.labels[row]],
            "said": [_said(some, int(row)) for some in (found.first, found.second)],
        }
        for row in rows
    ]


def _said(predictions: Predictions, row: int) -> dict[str, Any]:
    answer, label = predictions.predicted[row], predictions.labels[row]
    values = predictions.probabilities[row]
    return {
        "label": predictions.class_names[answer],
        "probability": finite(float(values[answer])),
        "of_label": finite(float(values[label])),
        "right": bool(answer == label),
    }


def _cells(first: Predictions, second: Predictions) -> dict[str, NDArray[np.int64]]:
    one, other = first.correct, second.correct
    where = {
        "first": one & ~other, "second": ~one & other, "both": one & other, "neither": ~one & ~other
    }  # fmt: skip
    rows = np.arange(len(first.labels))
    apart = np.abs(
        first.probabilities[rows, first.labels] - second.probabilities[rows, second.labels]
    )
    order = np.argsort(-apart, kind="stable")
    return {name: order[is_there[order]] for name, is_there in where.items()}
