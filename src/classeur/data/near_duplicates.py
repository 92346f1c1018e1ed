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

from classeur.data.candidates import RADIUS, Candidates, candidates
from classeur.data.decode import decode
from classeur.data.facts import PhotoFacts
from classeur.data.joining import Joined
from classeur.data.likeness import SIDE, likeness, small
from classeur.data.neighbours import BITS
from classeur.data.parallel import in_parallel
from classeur.data.perceptual import perceptual_hash
from classeur.data.reader import PhotoReader
from classeur.data.rows import write_rows
from classeur.errors import UnreadablePhotoError

ALIKE = 0.8
"""Likeness from which two photos are near-duplicates."""

CROWDED = 0.97
"""The same, where so many hashes are close that closeness is no evidence: pictures of digits."""

STRANGERS = 0.2
"""Share of the photos of close hashes above which, being unlike each other, they are such a crowd.

Less, and the many are copies: a folder that was augmented before it came."""

RELATED = 0.5
"""Likeness below which two photos are in no group together, whatever lies between them."""

COPIES = 0.9
"""Likeness from which two photos are kept together even so, as long as their group is short."""

LONGEST = 100
"""Photos of a group that copies join, whatever its ends look like. A film is longer."""

Pair = tuple[int, int]

_SAMPLE = 200  # pairs that tell a crowd from many copies
_AT_ONCE = 1024  # pairs looked at before what they join is known
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
    found = candidates([fact.hash for fact in firsts])
    confirmed = _Confirmed([fact.path for fact in firsts], _Looks(reader))
    if found.many and confirmed.strangers(found.sample(_SAMPLE)) > STRANGERS:
        found, confirmed.enough = found.closest(), CROWDED
    leaders = _leaders(found, confirmed)
    close = [
        (min(a, b), max(a, b))
        for one, other in found.close
        for a in leaders[one]
        for b in leaders[other]
    ]
    confirmed.look_at(close, skip_joined=len(close) > found.few)
    return confirmed.pairs()


def _leaders(found: Candidates, confirmed: _Confirmed) -> list[list[int]]:
    """Return the photos that stand for each hash, where others of equal hash are copies of them.

    The first is compared with all of its hash; of those that are unlike it the first leads the
    others, and so on, until all are compared or `found.few` pairs were looked at.
    """
    leaders = [[bucket[0]] for bucket in found.buckets]
    rest = {place: bucket for place, bucket in enumerate(found.buckets) if len(bucket) > 1}
    looked_at = 0
    while rest and looked_at <= found.few:
        pairs = [(first, other) for first, *others in rest.values() for other in others]
        alike = confirmed.look_at(pairs)
        looked_at += len(pairs)
        unlike = {
            place: [other for other in others if (first, other) not in alike]
            for place, (first, *others) in rest.items()
        }
        rest = {place: bucket for place, bucket in unlike.items() if bucket}
        for place, bucket in rest.items():
            leaders[place].append(bucket[0])
    return leaders


def grouped(
    facts: Sequence[PhotoFacts], pairs: Sequence[NearPair], reader: PhotoReader
) -> list[PhotoFacts]:
    """Return the facts with `near` set: the path of the first photo of each one's group.

    Pairs join groups, the most alike first, unless the first photos of both are unlike each other:
    a chain in which each photo resembles the next does not make its ends near-duplicates. Copies
    are joined even so, up to `LONGEST` photos.
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
        joined = members.get(one, [one]) + members.get(other, [other])
        is_kept = pair.likeness >= COPIES and len(joined) <= LONGEST
        is_kept = is_kept or {one, other} == {pair.first, pair.second}
        if not is_kept and looks.likeness(one, other) < RELATED:
            continue
        members[one] = joined
        members.pop(other, None)
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


class _Confirmed:
    """The pairs that turned out to be near-duplicates."""

    def __init__(self, paths: Sequence[str], looks: _Looks) -> None:
        self.enough = ALIKE
        self._paths, self._looks = paths, looks
        self._alike: dict[Pair, NearPair] = {}

    def look_at(self, pairs: Sequence[Pair], *, skip_joined: bool = False) -> set[Pair]:
        """Compare photos, by index, and return the pairs that are near-duplicates.

        Args:
            pairs: the most promising first.
            skip_joined: leave out pairs that are connected through others already.
        """
        joined: Joined[int] = Joined()
        found: dict[Pair, NearPair] = {}
        step = _AT_ONCE if skip_joined else max(1, len(pairs))
        for start in range(0, len(pairs), step):
            some = pairs[start : start + step]
            fresh = sorted(pair for pair in some if len({*map(joined.root, pair)}) == 2)
            for pair, alike in zip(fresh, in_parallel(self._confirm, fresh, chunk=16), strict=True):
                if alike:
                    found[pair] = alike
                    if skip_joined:
                        joined.join(*pair)
        self._alike |= found
        return set(found)

    def strangers(self, pairs: Sequence[Pair]) -> float:
        """Return the share of pairs that are unlike, though their hashes are close."""
        alike = sum(self._confirm(pair) is not None for pair in pairs)
        return 1 - alike / max(1, len(pairs))

    def pairs(self) -> list[NearPair]:
        """Return all of them, in the order of the photos."""
        return [self._alike[pair] for pair in sorted(self._alike)]

    def _confirm(self, pair: Pair) -> NearPair | None:
        first, second = (self._paths[index] for index in pair)
        if self._looks.distance(first, second) > RADIUS:
            return None
        alike = self._looks.likeness(first, second)
        return NearPair(first, second, round(alike, 4)) if alike >= self.enough else None


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
