"""Photos that look odd, a few of each kind."""

from __future__ import annotations

from pathlib import Path

from classeur.data.inspect import Inspection
from classeur.report.photos import Album, PhotoCard

SHOWN = 6
"""Photos of each kind on a page, at most."""


def odd_sheet(found: Inspection) -> dict[str, list[PhotoCard]]:
    """Return the oddest photos of each kind."""
    album = Album(Path(found.photos))
    return {
        item.kind: [card for path in item.paths[:SHOWN] if (card := album.card(path, ""))]
        for item in found.odd
    }
