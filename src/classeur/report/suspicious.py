"""Photos whose labels are probably wrong, as a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classeur.errors import UnreadablePhotoError
from classeur.evaluation.suspicious import Suspect
from classeur.report.photos import Album, PhotoCard

SHOWN = 200
"""Photos on the page, at most; the list has them all."""


@dataclass(frozen=True)
class SuspiciousPage:
    """All that the page shows."""

    photos: str
    """Where the photos are."""
    total: int
    """Photos that were looked at."""
    suspicious: int
    """Labels that are probably wrong."""
    by: str
    """What computed the probabilities, in words."""
    file: str
    """Name of the list beside the page."""
    cards: list[PhotoCard]
    """The most suspicious first; `prediction` is the suggested label."""


def build_suspicious_page(
    root: Path, total: int, suspects: Sequence[Suspect], by: str, file: str
) -> SuspiciousPage:
    """Return the page of the most suspicious labels.

    Args:
        root: what the paths are relative to.
        total: photos that were looked at.
        suspects: the most suspicious first.
        by: what computed the probabilities, in words.
        file: name of the list beside the page.
    """
    album = Album(root)
    cards = [card for item in suspects[:SHOWN] if (card := _card(album, item))]
    return SuspiciousPage(str(root), total, len(suspects), by, file, cards)


def write_suspicious_page(page: SuspiciousPage, path: Path) -> None:
    """Write the page."""
    from classeur.report.render import render_suspicious

    render_suspicious(page, path)


def _card(album: Album, item: Suspect) -> PhotoCard | None:
    """Return the card of a photo, or None if the file has gone since it was judged."""
    try:
        source, pixelated = album.thumbnail(item.path)
    except UnreadablePhotoError:
        return None
    return PhotoCard(
        source, item.path, item.label, item.suggested, item.probability_suggested,
        item.probability_label, pixelated,
    )  # fmt: skip
