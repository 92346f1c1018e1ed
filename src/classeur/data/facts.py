"""What decoding a photo taught about it: size, mode, a hash of its content, and its look."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classeur.data.decode import Color, Decoded, decode, to_pixels
from classeur.data.parallel import in_parallel
from classeur.data.perceptual import perceptual_hash
from classeur.data.quality import COLUMNS, Look
from classeur.data.reader import PhotoReader
from classeur.data.records import Record, Unreadable
from classeur.data.rows import RowWriter, write_rows
from classeur.errors import UnreadablePhotoError


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """A record that decoded, with what was seen."""

    path: str
    label: str
    split: str
    """The split it came in; empty if the data has none for it."""
    group: str
    sha256: str
    """Of the file."""
    width: int
    height: int
    """Upright, in pixels."""
    mode: str
    """Pillow's mode: RGB, L, CMYK, …"""
    format: str
    content: str
    """Hash of the decoded picture: equal for the same picture in another file or format."""
    look: Look = field(default_factory=Look)
    """Brightness, sharpness, colour, …"""
    hash: str = ""
    """Perceptual hash, 32 digits; empty where it would be no evidence."""
    near: str = ""
    """The path that names its group of near-duplicates; empty: it has none."""

    @classmethod
    def of(cls, record: Record, decoded: Decoded, content: str, file_bytes: int = 0) -> PhotoFacts:
        """Join a record with what its decoding showed."""
        return cls(
            record.path, record.label, record.split, record.group, record.sha256,
            decoded.width, decoded.height, decoded.mode, decoded.format, content,
            Look.of(decoded, file_bytes),
            perceptual_hash(decoded),
        )  # fmt: skip

    @property
    def record(self) -> Record:
        """The record it was made from."""
        return Record(self.path, self.label, self.split, self.group, self.sha256)


def full_hash(decoded: Decoded) -> str:
    """Return a hash of the upright pixels: equal for the same picture in any file."""
    return f"full:{_digest(decoded, to_pixels(decoded.image))}"


def prepared_hash(decoded: Decoded, pixels: NDArray[np.uint8]) -> str:
    """Return a hash of the prepared pixels: a tenth of the work, and equal for equal pictures.

    Different pictures may share it, and a JPEG decoded at a reduced scale never shares that of
    another format; `settle_content` resolves both.
    """
    return f"{'reduced' if decoded.reduced else 'prepared'}:{_digest(decoded, pixels)}"


def settle_content(
    facts: Sequence[PhotoFacts], reader: PhotoReader, color: Color
) -> list[PhotoFacts]:
    """Decode again, in full, the few photos whose prepared hash leaves a doubt.

    That is where different files share a hash, and where a JPEG that was decoded at a reduced
    scale has exactly the size of a photo that was not.
    """
    files: dict[str, set[str]] = defaultdict(set)
    kinds: dict[tuple[int, int], set[str]] = defaultdict(set)
    for fact in facts:
        files[fact.content].add(fact.sha256)
        kinds[fact.width, fact.height].add(fact.content.partition(":")[0])

    def settle(fact: PhotoFacts) -> PhotoFacts:
        if len(files[fact.content]) == 1 and len(kinds[fact.width, fact.height]) == 1:
            return fact
        try:
            return replace(fact, content=full_hash(decode(reader.read_same(fact.record), color)))
        except UnreadablePhotoError:
            return (
                fact  # gone, another by now, or too large in full: it stays unlike any other photo
            )

    return list(in_parallel(settle, facts, chunk=16))


def _digest(decoded: Decoded, pixels: NDArray[np.uint8]) -> str:
    head = f"{decoded.width}×{decoded.height}×{pixels.shape[2]}:".encode()
    digest = hashlib.blake2b(head, digest_size=16)  # twice as fast as SHA-256 on most processors
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


_SEEN = ("path", "sha256", "width", "height", "mode", "format", "content", "hash", "near")
"""The columns of facts.csv: what the pixels say. Label, split and group come from the listing."""


def write_facts(path: Path, facts: Iterable[PhotoFacts]) -> None:
    """Write facts.csv."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = RowWriter(file, (*_SEEN, *COLUMNS))
        for fact in facts:
            seen = (getattr(fact, name) for name in _SEEN)
            writer.write((*seen, *(getattr(fact.look, name) for name in COLUMNS)))


def read_facts(path: Path, records: Iterable[Record]) -> list[PhotoFacts]:
    """Read facts.csv and join each row with its record."""
    by_path = {record.path: record for record in records}
    return [
        PhotoFacts(
            row["path"], by_path[row["path"]].label, by_path[row["path"]].split,
            by_path[row["path"]].group, row["sha256"], int(row["width"]), int(row["height"]),
            row["mode"], row["format"], row["content"], Look.read(row), row["hash"], row["near"],
        )
        for row in _read(path)
    ]  # fmt: skip


def read_paths(path: Path) -> list[str]:
    """Read the paths of facts.csv."""
    return [row["path"] for row in _read(path)]


def write_unreadable(path: Path, items: Iterable[Unreadable]) -> None:
    """Write unreadable.csv."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        write_rows(file, ("path", "reason"), items)


def read_unreadable(path: Path) -> list[Unreadable]:
    """Read unreadable.csv."""
    return [Unreadable(row["path"], row["reason"]) for row in _read(path)]


def _read(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield from csv.DictReader(file)
