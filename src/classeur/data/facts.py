"""What decoding a photo taught about it: size, mode, and a hash of its content."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from classeur.data.decode import Decoded, decode, to_pixels
from classeur.data.reader import Content, PhotoReader
from classeur.data.records import Record, Unreadable


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

    @classmethod
    def of(cls, record: Record, decoded: Decoded) -> PhotoFacts:
        """Join a record with what its decoding showed."""
        return cls(
            record.path, record.label, record.split, record.group, record.sha256,
            decoded.width, decoded.height, decoded.mode, decoded.format, content_hash(decoded),
        )  # fmt: skip

    @property
    def record(self) -> Record:
        """The record it was made from."""
        return Record(self.path, self.label, self.split, self.group, self.sha256)


def content_hash(decoded: Decoded) -> str:
    """Return a hash of the upright pixels.

    A JPEG decoded at a reduced scale has a hash marked `~`: equal between copies of one JPEG,
    never equal to that of another format. `settle_content` resolves the difference.
    """
    pixels = to_pixels(decoded.image)
    head = f"{decoded.width}×{decoded.height}×{pixels.shape[2]}:".encode()
    digest = hashlib.sha256(head + pixels.tobytes()).hexdigest()[:32]
    return ("~" if decoded.reduced else "") + digest


def settle_content(facts: list[PhotoFacts], reader: PhotoReader, color: str) -> list[PhotoFacts]:
    """Hash a reduced JPEG again in full where a photo of another format has its exact size.

    Only those can be the same picture in another file, so that no other photo is decoded twice.
    """
    full_sizes = {(f.width, f.height) for f in facts if not f.content.startswith("~")}
    return [
        _in_full(fact, reader.read(fact.path), color)
        if fact.content.startswith("~") and (fact.width, fact.height) in full_sizes
        else fact
        for fact in facts
    ]


def _in_full(fact: PhotoFacts, content: Content, color: str) -> PhotoFacts:
    return PhotoFacts.of(fact.record, decode(content, "grey" if color == "grey" else "rgb"))


_SEEN = ("path", "sha256", "width", "height", "mode", "format", "content")
"""The columns of facts.csv: what the pixels say. Label, split and group come from the listing."""


def write_facts(path: Path, facts: Iterable[PhotoFacts]) -> None:
    """Write facts.csv."""
    _write(path, _SEEN, (asdict(fact) for fact in facts))


def read_facts(path: Path, records: Iterable[Record]) -> list[PhotoFacts]:
    """Read facts.csv and join each row with its record."""
    by_path = {record.path: record for record in records}
    return [
        PhotoFacts(
            row["path"], by_path[row["path"]].label, by_path[row["path"]].split,
            by_path[row["path"]].group, row["sha256"], int(row["width"]), int(row["height"]),
            row["mode"], row["format"], row["content"],
        )
        for row in _read(path)
    ]  # fmt: skip


def read_paths(path: Path) -> list[str]:
    """Read the paths of facts.csv."""
    return [row["path"] for row in _read(path)]


def write_unreadable(path: Path, items: Iterable[Unreadable]) -> None:
    """Write unreadable.csv."""
    _write(path, ("path", "reason"), (asdict(item) for item in items))


def read_unreadable(path: Path) -> list[Unreadable]:
    """Read unreadable.csv."""
    return [Unreadable(row["path"], row["reason"]) for row in _read(path)]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _read(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield from csv.DictReader(file)
