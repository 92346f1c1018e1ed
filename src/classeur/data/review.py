"""A reviewed list of suspicious labels -> the photos without the wrong ones, or with other labels.

The list is what `classeur labels` writes: path, label, suggested, …, and a column `decision` that
a person fills in:

    keep, or nothing    the label is right, or nobody has looked
    drop                the photo belongs to no class
    relabel             the suggested label is right
    another label       that one is
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from classeur.data.records import Listing, Record, Review
from classeur.errors import DataError, did_you_mean

NEEDED = ("path", "label", "suggested", "decision")
"""Columns that a reviewed list must have; others may stand beside them."""

_SHOWN = 10  # problems that a message spells out


@dataclass(frozen=True)
class Decision:
    """What a line of a reviewed list says."""

    line: int
    path: str
    label: str
    """The label that the photo had when the list was made."""
    becomes: str | None
    """The label it is to have; None: it is dropped."""


def apply_review(
    listing: Listing,
    file: Path,
    *,
    relabel: bool,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> Listing:
    """Return the listing as a reviewed list wants it.

    Args:
        listing: the photos as they were found.
        file: the reviewed CSV.
        relabel: whether photos with a better label are given it. If not, they are dropped like
            those whose decision is `drop`: no label that a person found wrong is kept.
        left_out: path -> label of photos that other options left out; the list may name them, too.

    Raises:
        DataError: naming every line that cannot be, or if the list decides nothing.
    """
    labels = {record.path: record.label for record in listing.records}
    known = sorted({*labels.values(), *left_out.values()})
    problems: list[str] = []
    decisions = list(_decisions(_rows(file), known, problems))
    problems += _misfits(decisions, {**left_out, **labels})
    if problems:
        raise DataError(f"{file} cannot be applied: {_some(problems)}")
    if not decisions:
        raise DataError(
            f"{file} decides nothing: its column decision is empty or says keep everywhere. Write "
            "drop, relabel or a label there, or leave the option out."
        )
    return _applied(listing, decisions, file, relabel=relabel)


def _applied(listing: Listing, decisions: list[Decision], file: Path, *, relabel: bool) -> Listing:
    becomes = {item.path: item.becomes if relabel else None for item in decisions}

    def decided(record: Record) -> Record | None:
        label = becomes.get(record.path, record.label)
        return None if label is None else replace(record, label=label)

    after = [decided(record) for record in listing.records]
    records = [record for record in after if record is not None]
    changed = sum(
        new is not None and new.label != old.label
        for old, new in zip(listing.records, after, strict=True)
    )
    review = Review(file.name, len(after) - len(records), changed)
    return replace(listing, records=records, review=review)


def _rows(file: Path) -> list[tuple[int, dict[Any, Any]]]:
    """Return the lines and their numbers."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}, is no CSV: {error}.") from error
    columns = list(reader.fieldnames or [])
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise DataError(
            f"{file} is no reviewed list: expected the columns {', '.join(NEEDED)}, received "
            f"{', '.join(columns) or 'none'}. `classeur labels` writes one."
        )
    return rows


def _decisions(
    rows: list[tuple[int, dict[Any, Any]]], labels: list[str], problems: list[str]
) -> Iterator[Decision]:
    """Yield what is decided; add a sentence to the problems for each line that cannot be."""
    seen: set[str] = set()
    for line, row in rows:
        if None in row or None in row.values():  # DictReader's words for too many and too few
            problems.append(f"line {line} has not one value for each column.")
            continue
        path, decision = row["path"], row["decision"].strip()
        if path in seen:
            problems.append(f"line {line}: {path} is there twice.")
        seen.add(path)
        if decision in ("", "keep"):
            continue
        becomes = row["suggested"] if decision == "relabel" else decision
        if decision == "drop":
            yield Decision(line, path, row["label"], None)
        elif becomes in labels:
            if becomes != row["label"]:
                yield Decision(line, path, row["label"], becomes)
        else:
            problems.append(
                f'line {line}: "{becomes}" is neither keep, drop, relabel nor a label of the '
                f"photos.{did_you_mean(becomes, ['keep', 'drop', 'relabel', *labels])}"
            )


def _misfits(decisions: list[Decision], labels: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each decision about a photo that is not there, or is another's now."""
    for item in decisions:
        if item.path not in labels:
            yield f"line {item.line}: {item.path} is not among the photos."
        elif labels[item.path] != item.label:
            yield (
                f'line {item.line}: {item.path} was "{item.label}" when the list was made, and is '
                f'"{labels[item.path]}" now.'
            )


def _some(problems: list[str]) -> str:
    more = len(problems) - _SHOWN
    return " ".join(problems[:_SHOWN]) + (f" And {more} more lines." if more > 0 else "")
