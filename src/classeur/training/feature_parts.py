"""Features on disk: tables, and tables that are each a part of the photos of one store.

    <cache>/features/<name>.npy     (n, F) float32, memory-mapped
    <cache>/features/<name>.json    the seconds it took, the hash of the file; of a part: its photos

A table is written once and never changed. Folds and other splits of the same photos find the parts
that earlier runs wrote, and compute only the photos that are in none.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.data.store import cache_root
from classeur.errors import RunFolderError
from classeur.run_folder import read_json, replacing, write_json

Batches = Iterator[NDArray[np.float32]]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Features of some photos of a store."""

    rows: Rows
    """The photos' places in the store, (n,), ascending."""
    table: NDArray[np.float32]
    """(n, F), memory-mapped."""
    seconds: float
    """What computing them took, whenever that was."""


@dataclass
class Parts:
    """Tables that together hold the features of a store's photos, read as one array is."""

    photos: int
    """In the store."""
    held: list[Part] = field(default_factory=list)

    def __getitem__(self, rows: Rows) -> NDArray[np.float32]:
        """Return the features (n, F) of photos (n,), each of which is in some part."""
        found = np.empty((len(rows), self.held[0].table.shape[1]), np.float32)
        for part, mine in zip(self.held, self._shares(rows), strict=True):
            found[mine] = part.table[np.searchsorted(part.rows, rows[mine])]
        return found

    def lacking(self, rows: Rows) -> Rows:
        """Return those of the rows that are in no part, ascending."""
        return np.setdiff1d(rows, np.concatenate([np.zeros(0, np.int64), *self._rows()]))

    def seconds(self, rows: Rows) -> float:
        """Return what these rows took: of each part's time, the share that they are of it."""
        shares = zip(self.held, self._shares(rows), strict=True)
        return float(sum(part.seconds * mine.sum() / len(part.rows) for part, mine in shares))

    def _rows(self) -> list[Rows]:
        return [part.rows for part in self.held]

    def _shares(self, rows: Rows) -> list[NDArray[np.bool_]]:
        """Return for each part which of the rows are taken from it, (n,): the first that has it."""
        owner = np.full(self.photos, -1, np.int64)
        for number in reversed(range(len(self.held))):
            owner[self.held[number].rows] = number
        return [owner[rows] == number for number in range(len(self.held))]


def read_parts(key: str, rows: Rows, photos: int) -> Parts:
    """Return the intact parts that hold photos wanted, the largest shares first.

    Args:
        key: what the features are known by.
        rows: the photos wanted.
        photos: in the store.
    """
    found = Parts(photos)
    there = [
        (file, held)
        for file in sorted(_folder().glob(f"{key}-*.json"))
        if (held := _held(file, photos)) is not None
    ]
    there.sort(key=lambda item: -len(np.intersect1d(item[1], rows)))
    for file, held in there:
        if len(np.intersect1d(found.lacking(rows), held)):
            stored = read_table(file.stem)
            if stored is not None and len(stored[0]) == len(held):
                found.held.append(Part(held, *stored))
    return found


def write_part(
    key: str, rows: Rows, photos: int, batches: Batches, about: Mapping[str, Any]
) -> Part:
    """Compute and write a part.

    Args:
        key: what the features are known by.
        rows: the photos, ascending.
        photos: in the store.
        batches: their features, in this order.
        about: to note beside them.
    """
    held = np.zeros(photos, np.bool_)
    held[rows] = True
    bits = np.packbits(held).tobytes()
    name = f"{key}-{hashlib.blake2b(bits, digest_size=8).hexdigest()}"
    return Part(rows, *write_table(name, batches, len(rows), {**about, "photos": bits.hex()}))


def write_table(
    name: str, batches: Batches, rows: int, about: Mapping[str, Any]
) -> tuple[NDArray[np.float32], float]:
    """Write features as they come, (rows, F); return them, memory-mapped, and the seconds."""
    path = _folder() / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with replacing(path) as temporary, temporary.open("wb") as file:
        for number, batch in enumerate(batches):
            if number == 0:
                header = {"descr": "<f4", "fortran_order": False, "shape": (rows, batch.shape[1])}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(batch, "<f4").data)
    seconds = time.monotonic() - started
    noted = {**about, "seconds": seconds, "file": _file_hash(path)}
    write_json(path.with_suffix(".json"), noted)
    return _load(path), seconds


def read_table(name: str) -> tuple[NDArray[np.float32], float] | None:
    """Return a table that holds what was written, and its seconds; reads all of it, once."""
    path = _folder() / f"{name}.npy"
    try:
        about = read_json(path.with_suffix(".json"))
        if path.is_file() and about["file"] == _file_hash(path):
            return _load(path), float(about["seconds"])
    except (RunFolderError, KeyError, TypeError, ValueError, OSError):
        pass  # damaged, or gone meanwhile: it is computed again
    return None


def _held(file: Path, photos: int) -> Rows | None:
    """Return the photos of a part, or None if the file does not say."""
    try:
        bits = np.frombuffer(bytes.fromhex(read_json(file)["photos"]), np.uint8)
    except (RunFolderError, KeyError, TypeError, ValueError):
        return None
    return np.flatnonzero(np.unpackbits(bits)[:photos]).astype(np.int64)


def _folder() -> Path:
    return cache_root() / "features"


def _load(path: Path) -> NDArray[np.float32]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
