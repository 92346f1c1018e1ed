"""Photos at a path -> records with their hashes, and the files that cannot be read, by name."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from classeur.data.groups import with_groups
from classeur.data.parallel import in_parallel
from classeur.data.reader import PhotoReader, sha256
from classeur.data.records import Listing, Record, Unreadable
from classeur.data.sources import list_photos
from classeur.errors import DataError, UnreadablePhotoError, did_you_mean


def scan(
    photos: Path | str,
    *,
    layout: str = "auto",
    label_from: str = "",
    group_from: str = "",
    group_column: str = "",
    classes: Sequence[str] = (),
    top_classes: int = 0,
    limit_per_class: int = 0,
    seed: int = 0,
    only: Collection[str] | None = None,
) -> Listing:
    """List the photos at a path and hash each one.

    Args:
        photos: a folder, or a CSV, TSV, NPZ, NPY or IDX file.
        layout: one of `classeur.config.LAYOUTS`.
        label_from: regular expression on file names whose first group is the label.
        group_from: regular expression on paths whose first group is the group of a photo.
        group_column: column of a table with the groups.
        classes: keep these labels only.
        top_classes: keep the N labels with the most photos; ties go by name. 0: all.
        limit_per_class: keep N photos of each label in each given split, drawn with `seed`.
        seed: seed of that draw.
        only: keep these paths only, whatever they are; no other is read. None: all.

    Returns:
        Records with `sha256`; files that cannot be read stand in `unreadable` with the reason.

    Raises:
        DataError: if there are no photos, a class in `classes` is not there, or no photo has a
            group that was asked for.
    """
    listing = list_photos(photos, layout, label_from, group_column)
    if group_from:
        listing.records = with_groups(listing.records, group_from)
    if classes:
        _keep_classes(listing, classes)
    if top_classes:
        _keep_top(listing, top_classes)
    if limit_per_class:
        _limit(listing, limit_per_class, seed)
    if only is not None:
        listing.records = [record for record in listing.records if record.path in only]
    return _hashed(listing)


def _keep_classes(listing: Listing, classes: Sequence[str]) -> None:
    known = listing.labels()
    strangers = [name for name in classes if name not in known]
    if strangers:
        hints = "".join(did_you_mean(name, known) for name in strangers)
        shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        raise DataError(f"no photos of {', '.join(strangers)}.{hints} The classes are: {shown}.")
    _keep(listing, [r for r in listing.records if r.label in classes], "photos of other classes")


def _keep_top(listing: Listing, number: int) -> None:
    counts = Counter(record.label for record in listing.records)
    top = sorted(counts, key=lambda label: (-counts[label], label))[:number]
    _keep(listing, [r for r in listing.records if r.label in top], "photos of smaller classes")


def _limit(listing: Listing, number: int, seed: int) -> None:
    cells: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in listing.records:
        cells[record.split, record.label].append(record)
    kept: set[str] = set()
    for (split, label), records in cells.items():
        # Drawn, not the first N: neighbours by name are often neighbours in time.
        draw = random.Random(f"{seed}/{split}/{label}".encode("utf-8", "surrogateescape"))
        chosen = draw.sample(records, number) if len(records) > number else records
        kept |= {record.path for record in chosen}
    _keep(listing, [r for r in listing.records if r.path in kept], "photos over the limit")


def _keep(listing: Listing, records: list[Record], reason: str) -> None:
    dropped = len(listing.records) - len(records)
    if dropped:
        listing.passed_over[reason] += dropped
    listing.records = records


def _hashed(listing: Listing) -> Listing:
    reader = PhotoReader(listing.root)

    def hash_one(record: Record) -> Record | Unreadable:
        try:
            return replace(record, sha256=sha256(reader.read(record.path)))
        except UnreadablePhotoError as error:
            return Unreadable(record.path, str(error))

    results = in_parallel(hash_one, listing.records, chunk=16)
    bar = tqdm(results, "reading", len(listing.records), unit=" photos", leave=False, disable=None)
    hashed = list(bar)
    listing.records = [item for item in hashed if isinstance(item, Record)]
    listing.unreadable += [item for item in hashed if isinstance(item, Unreadable)]
    return listing
