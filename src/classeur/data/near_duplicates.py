"""Photos that show the same picture, but not pixel for pixel: resized, re-encoded, cropped a bit.

Candidates are photos whose perceptual hashes differ in few bits; they are decoded once more, small,
and count if their fine detail agrees. All of it depends on the files alone, so that the same photos
are grouped, and so split, alike for every size that they are prepared at.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classeur.data.decode import decode
from classeur.data.facts import PhotoFacts
from classeur.data.likeness import SIDE, likeness, small
from classeur.data.neighbours import BITS, PAIRS_EACH, neighbours
from classeur.data.parallel import in_parallel
from classeur.data.perceptual import perceptual_hash
from classeur.data.reader import PhotoReader
from classeur.data.rows import write_rows
from classeur.errors import UnreadablePhotoError

RADIUS = 24
"""Bits of 128 in which the hashes of near-duplicates differ at most."""

SLACK = 3
"""Bits more at the first look, whose hash may be of a picture decoded at another scale."""

ALIKE = 0.8
"""Likeness from which two photos are near-duplicates."""

CROWDED = 0.97
"""The same, where so many hashes are close that closeness is no evidence: pictures of digits."""

RELATED = 0.5
"""Likeness below which two photos are in no group together, whatever lies between them."""

_KEPT = 4096  # small pictures kept in memory, 12 KB each


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two photos that are near-duplicates."""

    first: str
    second: str
    likeness: float
    """Correlation of their fine detail, at most 1."""


def find_near_duplicates(facts: Sequence[PhotoFacts], reader: PhotoReader) -> list[NearPair]:
    """Return the pairs of near-duplicates among photos with a perceptual hash.

    Of photos that are equal pixel for pixel the first stands for all.

    Args:
        facts: settled, so that equal content means equal pixels.
        reader: of the same root.
    """
    firsts = list({fact.content: fact for fact in reversed(facts) if fact.hash}.values())[::-1]
    pairs, crowded = candidates([fact.hash for fact in firsts])
    enough = CROWDED if crowded else ALIKE
    looks = _Looks(reader)

    def confirm(pair: NDArray[np.int64]) -> NearPair | None:
        first, second = (firsts[i].path for i in pair)
        if looks.distance(first, second) > RADIUS:
            return None
        alike = looks.likeness(first, second)
        return NearPair(first, second, round(alike, 4)) if alike >= enough else None

    return [pair for pair in in_parallel(confirm, pairs, chunk=16) if pair is not None]


def candidates(hashes: Sequence[str]) -> tuple[NDArray[np.int64], bool]:
    """Return the pairs of hashes, (M, 2) indices, that differ in at most `RADIUS + SLACK` bits.

    Of equal hashes the first stands for all, and is paired with each. The second value says
    whether there are so many pairs, on average, that a close hash is no evidence.
    """
    if len(hashes) < 2:
        return np.empty((0, 2), np.int64), False
    codes = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, BITS // 64)
    distinct, firsts, places = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    leaders = firsts[places.reshape(-1)]
    followers = np.flatnonzero(leaders != np.arange(len(codes)))
    equal = np.stack([leaders[followers], followers], axis=1)
    close, radius = neighbours(distinct, RADIUS + SLACK)
    near = np.sort(firsts[close], axis=1)
    pairs = np.concatenate([equal, near])
    crowded = radius < RADIUS + SLACK or len(close) > PAIRS_EACH * len(distinct)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], crowded


def grouped(
    facts: Sequence[PhotoFacts], pairs: Sequence[NearPair], reader: PhotoReader
) -> list[PhotoFacts]:
    """Return the facts with `near` set: the path of the first photo of each one's group.

    Pairs join groups, the most alike first, unless the first photos of both are unlike each other:
    a chain in which each photo resembles the next does not make its ends near-duplicates.
    """
    rank = {fact.path: index for index, fact in enumerate(facts)}
    head: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    looks = _Looks(reader)
    for pair in sorted(pairs, key=lambda pair: -pair.likeness):
        heads = {head.get(path, path) for path in (pair.first, pair.second)}
        if len(heads) == 1:
            continue
        one, other = sorted(heads, key=rank.__getitem__)
        if {one, other} != {pair.first, pair.second} and looks.likeness(one, other) < RELATED:
            continue
        joined = members.setdefault(one, [one])
        joined += members.pop(other, [other])
        head.update(dict.fromkeys(joined, one))
    by_content = {fact.content: head[fact.path] for fact in facts if fact.path in head}
    return [replace(fact, near=by_content.get(fact.content, "")) for fact in facts]


def write_near_duplicates(path: Path, pairs: Iterable[NearPair]) -> None:
    """Write near_duplicates.csv."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        write_rows(file, ("first", "second", "likeness"), pairs)


def read_near_duplicates(path: Path) -> list[NearPair]:
    """Read near_duplicates.csv."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    return [NearPair(row["first"], row["second"], float(row["likeness"])) for row in rows]


class _Looks:
    """Small pictures, decoded for comparison alike whatever the photos are prepared for."""

    def __init__(self, reader: PhotoReader) -> None:
        self._reader = reader
        self._look = lru_cache(_KEPT)(self._decoded)

    def distance(self, first: str, second: str) -> int:
        """Return the bits in which two hashes differ; all of them if there are not two."""
        one, other = (self._look(path)[1] for path in (first, second))
        return (int(one, 16) ^ int(other, 16)).bit_count() if one and other else BITS

    def likeness(self, first: str, second: str) -> float:
        """Return how alike two photos are, from -1 to 1."""
        return likeness(self._look(first)[0], self._look(second)[0])

    def _decoded(self, path: str) -> tuple[NDArray[np.uint8], str]:
        try:
            decoded = decode(self._reader.read(path), enough=SIDE)
        except UnreadablePhotoError:  # gone meanwhile: it stays unlike any other photo
            return np.zeros((SIDE, SIDE, 3), np.uint8), ""
        return small(decoded.image), perceptual_hash(decoded)
