"""A row per epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from classeur.run_folder import write_text


@dataclass(frozen=True)
class EpochRow:
    """What one epoch brought."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    """Mean loss of the steps, with augmentation, dropout and smoothing as they were."""
    train_accuracy: float
    """Of the same steps, measured as they went by."""
    val_loss: float
    """Log-loss on the validation split, nothing random."""
    val_accuracy: float
    learning_rate: float
    """Of the last step."""
    seconds: float
    """Of the epoch, validation included."""


def best_row(history: Sequence[EpochRow]) -> EpochRow:
    """Return the epoch whose weights are kept: the highest validation accuracy.

    Of equals the one with the lower validation loss, then the earlier one: the order in which a
    study sorts its rungs.
    """
    return max(history, key=lambda row: (row.val_accuracy, -row.val_loss))


def write_history(path: Path, rows: Sequence[EpochRow]) -> None:
    """Write history.csv in one piece."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = asdict(row)
        writer.writerow({k: v if k == "epoch" else f"{v:.6g}" for k, v in values.items()})
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[EpochRow]:
    """Read history.csv; a run that trained nothing has no rows."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            EpochRow(int(row.pop("epoch")), **{name: float(value) for name, value in row.items()})
            for row in csv.DictReader(file)
        ]
