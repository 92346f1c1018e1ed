"""Photos that lie in several splits: what they do to a score, and how they look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from classeur.data.inspect import Inspection
from classeur.errors import UnreadablePhotoError
from classeur.evaluation.leaks import LeakEffect, ValLeaks
from classeur.report.photos import Album, PhotoCard
from classeur.report.units import quantity
from classeur.report.words import interval, percent

MOST_PAIRS = 24
"""Pairs of near-duplicates that a page shows."""


@dataclass(frozen=True)
class PairCard:
    """Two near-duplicates that came in different splits."""

    photos: list[PhotoCard]
    splits: list[str]
    likeness: float


def describe_leaks(effect: LeakEffect | None) -> list[str]:
    """Say how many test photos have a copy in training, and what the score is without them."""
    if effect is None:
        return []
    copies = effect.exact + effect.near
    kinds = [f"{n} {kind}" for n, kind in ((effect.exact, "exact"), (effect.near, "near")) if n]
    said = (
        f"{copies:,} of the {copies + effect.photos:,} test photos "
        f"{'has a copy' if copies == 1 else 'have copies'} among the training photos "
        f"({', '.join(kinds)})."
    )
    if effect.without is None:
        return [f"{said} No test photo is left without one: the score says nothing of new photos."]
    return [
        f"{said} With them {percent(effect.accuracy.value)} are right, without them "
        f"{percent(effect.without.value)} (95 % interval {interval(effect.without)})."
    ]


def describe_val_leaks(found: ValLeaks | None) -> list[str]:
    """Say which copies make validation a bad adviser, and what does without them."""
    said = []
    if found and found.copied:
        rest = (
            "Temperature and thresholds were found without them."
            if found.copied < found.photos
            else "There are no others, so temperature and thresholds are from them, too."
        )
        said.append(
            f"{found.copied:,} of the {found.photos:,} validation photos "
            f"{'has a copy' if found.copied == 1 else 'have copies'} among the training photos: "
            f"validation, which chose the epoch, is too good on them. {rest}"
        )
    if found and found.shared:
        said.append(
            f"{quantity(found.shared, 'test photo has a copy', 'test photos have copies')} among "
            "the validation photos, which chose the epoch: test figures may be a little too good."
        )
    return said


def leaking_pairs(found: Inspection) -> list[PairCard]:
    """Return the first pairs of near-duplicates that came in different splits, as photos."""
    album = Album(Path(found.photos))
    pairs = []
    for leak in found.near_leaks[:MOST_PAIRS]:
        try:
            looks = [album.thumbnail(path) for path in leak.paths]
        except UnreadablePhotoError:  # gone since it was compared
            continue
        cards = [
            PhotoCard(source, path, label, pixelated=pixelated)
            for (source, pixelated), path, label in zip(looks, leak.paths, leak.labels, strict=True)
        ]
        pairs.append(PairCard(cards, leak.splits, leak.likeness))
    return pairs
