"""What a run says of each photo, as a value and as a Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classeur.errors import EvaluationError
from classeur.run_folder import printable, replacing

_PREFIX = "probability_"


@dataclass(frozen=True)
class Predictions:
    """Probabilities and truth for photos of one or more splits."""

    paths: list[str]
    splits: list[str]
    labels: NDArray[np.int64]
    """(N,) index of the given label in `class_names`."""
    probabilities: NDArray[np.float32]
    """(N, num_classes)"""
    class_names: list[str]
    groups: list[str] = field(default_factory=list)
    """The group of each photo, "" for none. Empty: no photo has one."""
    strangeness: NDArray[np.float32] | None = None
    """(N,) above 1: the photo resembles nothing the run has seen. None: it was not measured."""

    def __post_init__(self) -> None:
        shapes = {len(self.paths), len(self.splits), len(self.labels), len(self.probabilities)}
        if self.groups:
            shapes.add(len(self.groups))
        if len(shapes) != 1 or self.probabilities.shape[1:] != (len(self.class_names),):
            raise EvaluationError(
                f"predictions do not fit together: {len(self.paths)} paths, {len(self.labels)} "
                f"labels, probabilities {self.probabilities.shape}, "
                f"{len(self.class_names)} classes"
                f"{f', {len(self.groups)} groups' if self.groups else ''}."
            )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) index of the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(N,) whether the most probable class is the label."""
        result: NDArray[np.bool_] = self.predicted == self.labels
        return result

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(N,) probability of the most probable class."""
        result: NDArray[np.float32] = self.probabilities.max(axis=1)
        return result

    def of_split(self, split: str) -> Predictions:
        """Return the rows of one split."""
        return self.of_rows([index for index, name in enumerate(self.splits) if name == split])

    def of_rows(self, rows: Sequence[int]) -> Predictions:
        """Return some of the rows, by index."""
        return Predictions(
            [self.paths[i] for i in rows],
            [self.splits[i] for i in rows],
            self.labels[rows],
            self.probabilities[rows],
            self.class_names,
            [self.groups[i] for i in rows] if self.groups else [],
            None if self.strangeness is None else self.strangeness[rows],
        )

    def write(self, path: Path) -> None:
        """Write a row a photo: path, split, label, prediction, a probability for each class.

        Where photos have groups, there is a column `group` as well.
        """
        names = np.array(self.class_names, dtype=object)
        columns: dict[str, pa.Array] = {
            "path": pa.array([printable(path) for path in self.paths]),
            "split": pa.array(self.splits),
            "label": pa.array(names[self.labels]),
            "prediction": pa.array(names[self.predicted]),
        }
        if any(self.groups):
            columns["group"] = pa.array([printable(group) for group in self.groups])
        for index, name in enumerate(self.class_names):
            columns[_PREFIX + name] = pa.array(self.probabilities[:, index])
        if self.strangeness is not None:
            columns["strangeness"] = pa.array(self.strangeness)
        with replacing(path) as temporary:
            pq.write_table(pa.table(columns), temporary)


def read_predictions(path: Path) -> Predictions:
    """Read a predictions.parquet. Raises EvaluationError if it is missing or something else."""
    try:
        table = pq.read_table(path)
        class_names = [
            name.removeprefix(_PREFIX) for name in table.column_names if name.startswith(_PREFIX)
        ]
        index = {name: i for i, name in enumerate(class_names)}
        probabilities = [table[_PREFIX + name].to_numpy() for name in class_names]
        return Predictions(
            table["path"].to_pylist(),
            table["split"].to_pylist(),
            np.array([index[label] for label in table["label"].to_pylist()], np.int64),
            np.stack(probabilities, axis=1).astype(np.float32),
            class_names,
            table["group"].to_pylist() if "group" in table.column_names else [],
            table["strangeness"].to_numpy() if "strangeness" in table.column_names else None,
        )
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise EvaluationError(f"{path} cannot be read as predictions: {reason}.") from error
