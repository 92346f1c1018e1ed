"""Which photo is in which split: path, label, split, sha256, width, height, group.

`kept_with` follows where photos are kept together for another reason than their group: copies.
Further columns hold what else is known of each photo: see `attributes`.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.data.facts import PhotoFacts
from classeur.data.records import SPLITS, Listing, Record
from classeur.data.rows import RowWriter
from classeur.errors import DataError
from classeur.run_folder import write_text


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One photo and its split."""

    path: str
    """Relative to the folder of photos, with `/`."""
    label: str
    split: str
    sha256: str
    width: int
    height: int
    group: str
    attributes: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Further columns: what a score may depend on. The same split is the same without them."""
    kept_with: str = field(default="", compare=False)
    """What names the photos it is kept together with, where its group does not: the path of a copy.
    Empty in manifests of earlier versions."""

    @property
    def unit(self) -> str:
        """What names the photos that are no independent evidence beside it; empty: it is alone."""
        return self.kept_with or self.group

    @classmethod
    def of(cls, fact: PhotoFacts, split: str) -> ManifestRow:
        """Join a photo's facts with the split it was given."""
        return cls(fact.path, fact.label, split, fact.sha256, fact.width, fact.height, fact.group)


KEPT_WITH = "kept_with"

COLUMNS = tuple(f.name for f in fields(ManifestRow) if f.name not in ("attributes", KEPT_WITH))
"""The columns that every manifest begins with."""


@dataclass(frozen=True)
class Manifest:
    """The split of a run, in the order of its store."""

    rows: list[ManifestRow]

    @property
    def class_names(self) -> list[str]:
        """The labels, sorted by name."""
        return sorted({row.label for row in self.rows})

    def indices(self, split: str) -> NDArray[np.int64]:
        """Return the positions of a split's rows, (n,) int64, ascending."""
        return np.array([i for i, row in enumerate(self.rows) if row.split == split], np.int64)

    def counts(self) -> dict[str, Counter[str]]:
        """Return split -> label -> photos."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
        for row in self.rows:
            counts[row.split][row.label] += 1
        return counts

    def records(self) -> list[Record]:
        """Return the photos with the splits that they were given."""
        return [Record(row.path, row.label, row.split, row.group, row.sha256) for row in self.rows]

    def to_csv(self) -> str:
        """Return the manifest as CSV text."""
        text = io.StringIO()
        more = list(dict.fromkeys(name for row in self.rows for name in row.attributes))
        own = (*COLUMNS, *([KEPT_WITH] if any(row.kept_with for row in self.rows) else []))
        writer = RowWriter(text, [*own, *more])
        for row in self.rows:
            known = (getattr(row, name) for name in own)
            writer.write([*known, *(row.attributes.get(name, "") for name in more)])
        return text.getvalue()

    def write(self, path: Path) -> None:
        """Write the manifest as CSV, in one piece."""
        write_text(path, self.to_csv())


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.csv.

    Raises:
        DataError: if it is missing, begins with other columns, has a column or a path twice, a
            line of another length, an unknown split, or a path that leads out of the folder of
            photos.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = list(reader.fieldnames or [])
    if tuple(names[: len(COLUMNS)]) != COLUMNS or len(set(names)) < len(names):
        raise DataError(
            f"{path} is no manifest: expected the columns {','.join(COLUMNS)} and others of "
            f"different names, received {','.join(names)}."
        )
    rows: list[ManifestRow] = []
    seen: set[str] = set()
    for values in reader:
        row = _row(path, reader.line_num, values)
        if row.path in seen:
            raise DataError(f"{path}, line {reader.line_num}: {row.path} is there twice.")
        seen.add(row.path)
        rows.append(row)
    return Manifest(rows)


def select(listing: Listing, manifest: Manifest, source: Path) -> Listing:
    """Return the listing reduced to a manifest's photos, with its labels and splits.

    Raises:
        DataError: naming photos of the manifest that are gone or have other content now.
    """
    found = {record.path: record for record in listing.records}
    missing = [row.path for row in manifest.rows if row.path not in found]
    changed = [
        row.path
        for row in manifest.rows
        if row.path in found and found[row.path].sha256 != row.sha256
    ]
    for paths, what in ((missing, "are not there"), (changed, "have changed since")):
        if paths:
            shown = ", ".join(paths[:5]) + (", …" if len(paths) > 5 else "")
            raise DataError(
                f"{len(paths)} of the {len(manifest.rows)} photos in {source} {what}: {shown}. "
                "Expected the very photos that the manifest was made from."
            )
    records = [
        Record(row.path, row.label, row.split, row.group, row.sha256) for row in manifest.rows
    ]
    return replace(listing, records=records, unreadable=[], review=None)


def _row(path: Path, line: int, values: dict[Any, Any]) -> ManifestRow:
    if None in values or None in values.values():  # DictReader's words for too many and too few
        raise DataError(f"{path}, line {line}: expected one value for each column.")
    try:
        width, height = int(values["width"]), int(values["height"])
    except ValueError as error:
        raise DataError(f"{path}, line {line}: width and height must be whole numbers.") from error
    if values["split"] not in SPLITS:
        raise DataError(
            f'{path}, line {line}: unknown split "{values["split"]}". Expected train, val or test.'
        )
    name = PurePosixPath(values["path"])
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise DataError(
            f'{path}, line {line}: "{values["path"]}" leads out of the folder of photos.'
        )
    return ManifestRow(
        values["path"], values["label"], values["split"], values["sha256"], width, height,
        values["group"], {k: v for k, v in values.items() if k not in (*COLUMNS, KEPT_WITH)},
        values.get(KEPT_WITH, ""),
    )  # fmt: skip
