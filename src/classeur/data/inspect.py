"""Findings about the photos: balance, sizes, unreadable files, duplicates, leakage."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from classeur.data.decode import decode
from classeur.data.facts import PhotoFacts, full_hash
from classeur.data.near_duplicates import NearPair, find_near_duplicates, grouped
from classeur.data.near_findings import (
    NearDuplicates,
    NearLeak,
    cut_pairs,
    near_duplicates,
    near_leaks,
    near_sentences,
)
from classeur.data.parallel import in_parallel
from classeur.data.quality import KINDS, Odd, odd_photos
from classeur.data.reader import PhotoReader, file_size
from classeur.data.records import Listing, Record, Review, Unreadable, count_by
from classeur.data.trivial import Trivial, find_trivial
from classeur.errors import DataError, UnreadablePhotoError

SAMPLES = 8
"""Photos of each class in a sample sheet."""


UNLIKE = 1.5
"""Photos of one split so many times the size of another's are worth a word."""


@dataclass(frozen=True)
class Spread:
    """How a number varies over the photos, in pixels."""

    minimum: int
    low: float
    """5th percentile."""
    median: float
    high: float
    """95th percentile."""
    maximum: int
    mean: float

    @classmethod
    def of(cls, values: Sequence[int]) -> Spread:
        """Summarise one or more values."""
        low, median, high = np.percentile(values, [5, 50, 95])
        return cls(
            min(values), float(low), float(median), float(high), max(values),
            float(np.mean(values)),
        )  # fmt: skip


@dataclass(frozen=True)
class Duplicates:
    """Photos that show the same picture, pixel for pixel."""

    paths: list[str]
    labels: list[str]
    """The different labels they carry; more than one is a contradiction."""
    splits: list[str]
    """The different splits they came in; '' for none. More than one given split is a leak."""


@dataclass(frozen=True)
class GroupLeak:
    """A group whose photos came in several splits."""

    group: str
    splits: dict[str, int]
    """Given split -> photos of the group in it."""


@dataclass(frozen=True)
class Inspection:
    """What was found in a folder of photos. A value: printing it is somebody else's work."""

    photos: str
    layout: str
    total: int
    counts: dict[str, dict[str, int]]
    """split ('' if the data has none) -> label -> photos."""
    imbalance: float
    """Photos of the largest class for each photo of the smallest."""
    widths: Spread
    heights: Spread
    modes: dict[str, int]
    formats: dict[str, int]
    passed_over: dict[str, int]
    unreadable: list[Unreadable]
    duplicates: list[Duplicates]
    samples: dict[str, list[str]]
    """Label -> paths of a few photos, drawn at random but the same on every call."""
    group_leaks: list[GroupLeak] = field(default_factory=list)
    sides: dict[str, float] = field(default_factory=dict)
    """Given split -> median of the photos' shorter side, in pixels."""
    odd: list[Odd] = field(default_factory=list)
    """Photos that are dark, blurred, blank, … by kind."""
    trivial: Trivial | None = None
    """What size, mode and colour alone tell of the labels; None: not asked, or too few photos."""
    review: Review | None = None
    """What a reviewed list of labels changed; None: there was none."""
    near_duplicates: list[NearDuplicates] = field(default_factory=list)
    near_leaks: list[NearLeak] = field(default_factory=list)
    cut_pairs: int = 0
    """Pairs of near-duplicates that are in no group together: a split may separate them."""

    @property
    def class_names(self) -> list[str]:
        """The labels, sorted by name."""
        return sorted({label for labels in self.counts.values() for label in labels})

    @property
    def per_class(self) -> dict[str, int]:
        """Label -> photos over all splits, sorted by name."""
        total: Counter[str] = Counter()
        for labels in self.counts.values():
            total.update(labels)
        return dict(sorted(total.items()))

    @property
    def contradictions(self) -> list[Duplicates]:
        """Duplicates that carry different labels."""
        return [item for item in self.duplicates if len(item.labels) > 1]

    @property
    def near_contradictions(self) -> list[NearDuplicates]:
        """Near-duplicates that carry different labels."""
        return [item for item in self.near_duplicates if len(item.labels) > 1]

    @property
    def leaks(self) -> list[Duplicates]:
        """Duplicates that came in different splits."""
        return [item for item in self.duplicates if len({*item.splits} - {""}) > 1]

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain values for JSON."""
        return {
            **asdict(self),
            "per_class": self.per_class,
            "contradictions": [asdict(item) for item in self.contradictions],
            "leaks": [asdict(item) for item in self.leaks],
            "near_contradictions": [asdict(item) for item in self.near_contradictions],
        }

    def sentences(self) -> list[str]:
        """Return the findings that call for a decision, one plain sentence each."""
        counted = [
            (len(self.unreadable), "file cannot be read and is", "files cannot be read and are",
             "left out of every score"),
            (len(self.contradictions), "picture stands", "pictures stand",
             "under more than one label: at least one of the labels is wrong"),
            (len(self.leaks), "picture lies", "pictures lie",
             "in more than one split: scores on such photos are too good"),
            (len(self.group_leaks), "group lies", "groups lie",
             "in more than one split: scores on such photos may be too good"),
            (sum(len(item.paths) - 1 for item in self.duplicates), "photo is an exact copy",
             "photos are exact copies", "of another"),
        ]  # fmt: skip
        found = [f"{n} {one if n == 1 else many} {rest}." for n, one, many, rest in counted if n]
        if self.odd:
            kinds = ", ".join(f"{len(item.paths):,} {KINDS[item.kind]}" for item in self.odd)
            found.append(f"Some photos look odd, see whether they belong here: {kinds}.")
        if self.trivial and self.trivial.tells:
            found.append(self.trivial.sentence())
        if self.review:
            found.append(self.review.sentence())
        found += near_sentences(self.near_duplicates, self.near_leaks, self.cut_pairs)
        if self.imbalance >= 3:
            found.append(
                f"The largest class has {self.imbalance:.1f} photos for each one of the smallest: "
                "read balanced accuracy and macro-F1 beside accuracy."
            )
        if len(self.sides) > 1 and max(self.sides.values()) >= UNLIKE * min(self.sides.values()):
            sides = ", ".join(f"{side:.0f} pixels in {split}" for split, side in self.sides.items())
            found.append(
                f"The splits hold photos of different sizes (median of the shorter side: {sides}): "
                "a network may see detail in one that another never showed it."
            )
        return found


def inspect_listing(listing: Listing) -> Inspection:
    """Decode every photo in full, in parallel, and return the findings.

    Raises:
        DataError: if none of the photos could be read.
    """
    reader = PhotoReader(listing.root)

    def look(record: Record) -> PhotoFacts | Unreadable:
        try:
            content = reader.read_same(record)
            decoded = decode(content)
        except UnreadablePhotoError as error:
            return Unreadable(record.path, str(error))
        return PhotoFacts.of(record, decoded, full_hash(decoded), file_size(content))

    results = in_parallel(look, listing.records, chunk=8)
    bar = tqdm(
        results, "inspecting", len(listing.records), unit=" photos", leave=False, disable=None
    )
    seen = list(bar)
    facts = [item for item in seen if isinstance(item, PhotoFacts)]
    unreadable = [*listing.unreadable, *(item for item in seen if isinstance(item, Unreadable))]
    pairs = find_near_duplicates(facts, reader)
    facts = grouped(facts, pairs, reader)
    found = findings(listing, facts, unreadable, pairs)
    return replace(found, trivial=find_trivial(facts))


def findings(
    listing: Listing,
    facts: Sequence[PhotoFacts],
    unreadable: Iterable[Unreadable],
    near: Sequence[NearPair] = (),
) -> Inspection:
    """Return the findings about photos that were decoded before, for example into a store.

    Args:
        listing: the photos as they were found.
        facts: of those that decoded.
        unreadable: the others.
        near: pairs of near-duplicates among them.

    Raises:
        DataError: if none of the photos could be read.
    """
    bad = list(unreadable)
    if not facts:
        first = f" The first: {bad[0].path} {bad[0].reason}." if bad else ""
        raise DataError(f"none of the photos at {listing.root} can be read.{first}")
    per_class = Counter(fact.label for fact in facts)
    return Inspection(
        photos=str(listing.root),
        layout=listing.layout,
        total=len(facts),
        counts={k: dict(sorted(v.items())) for k, v in count_by(f.record for f in facts).items()},
        imbalance=max(per_class.values()) / min(per_class.values()),
        widths=Spread.of([fact.width for fact in facts]),
        heights=Spread.of([fact.height for fact in facts]),
        modes=dict(Counter(fact.mode for fact in facts).most_common()),
        formats=dict(Counter(fact.format for fact in facts).most_common()),
        passed_over=dict(listing.passed_over.most_common()),
        unreadable=bad,
        duplicates=_duplicates(facts),
        samples=_samples(facts),
        group_leaks=_group_leaks(facts),
        sides=_sides(facts),
        odd=odd_photos(facts),
        review=listing.review,
        near_duplicates=near_duplicates(facts, near),
        near_leaks=near_leaks(facts, near),
        cut_pairs=cut_pairs(facts, near),
    )


def _samples(facts: Sequence[PhotoFacts]) -> dict[str, list[str]]:
    by_label: dict[str, list[str]] = defaultdict(list)
    for fact in facts:
        by_label[fact.label].append(fact.path)
    samples = {}
    for label, paths in sorted(by_label.items()):
        draw = random.Random(label.encode("utf-8", "surrogateescape"))
        samples[label] = draw.sample(paths, min(SAMPLES, len(paths)))
    return samples


def _duplicates(facts: Sequence[PhotoFacts]) -> list[Duplicates]:
    same: dict[str, list[PhotoFacts]] = defaultdict(list)
    for fact in facts:
        same[fact.content].append(fact)
    return [
        Duplicates(
            [fact.path for fact in group],
            sorted({fact.label for fact in group}),
            sorted({fact.split for fact in group}),
        )
        for group in same.values()
        if len(group) > 1
    ]


def _sides(facts: Sequence[PhotoFacts]) -> dict[str, float]:
    by_split: dict[str, list[int]] = defaultdict(list)
    for fact in facts:
        if fact.split:
            by_split[fact.split].append(min(fact.width, fact.height))
    return {split: float(np.median(sides)) for split, sides in sorted(by_split.items())}


def _group_leaks(facts: Sequence[PhotoFacts]) -> list[GroupLeak]:
    splits: dict[str, Counter[str]] = defaultdict(Counter)
    for fact in facts:
        if fact.group and fact.split:
            splits[fact.group][fact.split] += 1
    return [
        GroupLeak(group, dict(sorted(counts.items())))
        for group, counts in splits.items()
        if len(counts) > 1
    ]
