"""A photo that a layout has found: where it is, and what it is said to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "val", "test")

SPLIT_NAMES = {
    "train": "train", "training": "train", "train_set": "train", "training_set": "train",
    "trainset": "train", "train_images": "train",
    "val": "val", "valid": "val", "validation": "val", "val_set": "val", "valid_set": "val",
    "validation_set": "val", "dev": "val",
    "test": "test", "testing": "test", "test_set": "test", "testing_set": "test",
    "testset": "test", "test1": "test", "t10k": "test",
}  # fmt: skip
"""The names people give to the splits."""


@dataclass(frozen=True, slots=True)
class Record:
    """One photo as found, not yet read."""

    path: str
    """Relative to the root, with `/`. `file.npz#x_train/12` is row 12 of an array in a file."""
    label: str
    split: str = ""
    """The split it came in; empty if the data has none for it."""
    group: str = ""
    """Photos of one group (patient, camera, …) stay in one split. Empty: none."""
    sha256: str = ""
    """Of the file's bytes, or of the array's row."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One file that is no photo we can use, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewed list of labels changed."""

    file: str
    dropped: int
    """Photos left out."""
    relabelled: int
    """Photos under another label than they came with."""

    def sentence(self) -> str:
        """Say so."""
        return (
            f"As decided in {self.file}, {self.dropped:,} of the photos were dropped and "
            f"{self.relabelled:,} relabelled."
        )


@dataclass
class Listing:
    """What a layout found at a root."""

    root: Path
    layout: str
    records: list[Record] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    """Files that were not taken, counted by reason."""
    review: Review | None = None
    """What a reviewed list changed; None: there was none."""
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    """Further columns of a table: column -> path -> value."""

    def labels(self) -> list[str]:
        """Return the labels, sorted by name."""
        return sorted({record.label for record in self.records})


def split_of(name: str) -> str | None:
    """Return `train`, `val` or `test` for a name people give to it, else None."""
    return SPLIT_NAMES.get(name.strip().lower().replace("-", "_").replace(" ", "_"))


def count_by(records: Iterable[Record]) -> dict[str, Counter[str]]:
    """Count photos: split (or '') -> label -> photos."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        counts.setdefault(record.split, Counter())[record.label] += 1
    return counts
