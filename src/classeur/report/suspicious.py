"""Photos whose labels may be wrong, as a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
    """Labels that may be wrong."""
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
    card = album.card(item.path, item.label)
    return card and replace(
        card,
        prediction=item.suggested,
        probability=item.probability_suggested,
        label_probability=item.probability_label,
    )
