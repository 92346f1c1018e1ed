"""What each way to resize and each filter make of a few of the user's own photos, as a page."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from classeur.data.decode import decode
from classeur.data.filters import FILTERS
from classeur.data.geometry import Geometry, suggest_geometry
from classeur.data.inspect import Inspection
from classeur.data.reader import Content, PhotoReader
from classeur.data.records import Listing, Record
from classeur.errors import UnreadablePhotoError
from classeur.report.photos import THUMBNAIL, PhotoCard, data_uri, is_small

PHOTOS = 6
"""Photos that are shown, at most."""

_EXAMPLES = {"rotate": "rotate=15"}
"""How a filter that needs a number is shown."""

_RESIZES = {
    "squash": "Both sides become the square's: all of the photo, its shape changed.",
    "crop": "The middle of the photo: its shape kept, its ends lost.",
    "pad": "All of the photo in its shape, with a black border.",
}


@dataclass(frozen=True)
class FilterRow:
    """One way to prepare the photos."""

    option: str
    """As it is asked for: `--filters equalize`. Empty: the photos as they are."""
    title: str
    description: str
    cards: list[PhotoCard]


@dataclass(frozen=True)
class FilterPage:
    """All that the page shows."""

    photos: str
    geometry: Geometry
    """How the photos are resized where nothing else is asked for."""
    originals: FilterRow
    resizes: list[FilterRow]
    filters: list[FilterRow]


def build_filter_page(found: Inspection) -> FilterPage:
    """Prepare a few photos of different classes in every way there is."""
    photos = _read(found)
    listing = Listing(Path(found.photos), found.layout, [record for record, _ in photos])
    geometry = suggest_geometry(listing)

    def row(option: str, title: str, description: str, way: Geometry | None) -> FilterRow:
        cards = [_card(record, _seen(content, way)) for record, content in photos]
        return FilterRow(option, title, description, cards)

    resizes = [
        row(f"--resize {name}", name, text, replace(geometry, resize=name))  # type: ignore[arg-type]
        for name, text in _RESIZES.items()
    ]
    filters = [row("", "none", "The squashed photo, for comparison.", geometry)]
    for name, item in FILTERS.items():
        text = _EXAMPLES.get(name, name)
        way = replace(geometry, filters=(text,))
        filters.append(row(f"--filters {text}", name, item.description, way))
    originals = row("", "original", "Upright, as they lie on the disk.", None)
    return FilterPage(found.photos, geometry, originals, resizes, filters)


def write_filter_page(found: Inspection, path: Path) -> None:
    """Write the page."""
    from classeur.report.render import render_filters

    render_filters(build_filter_page(found), path)


def choose_photos(found: Inspection, number: int = PHOTOS) -> list[Record]:
    """Return a few photos: of as many classes as possible, and as evenly, ordered by class."""
    classes = [
        [Record(path, label) for path in paths] for label, paths in found.samples.items() if paths
    ]
    if len(classes) > number:  # spread over the classes, not the first of the alphabet
        classes = [classes[place * len(classes) // number] for place in range(number)]
    chosen: list[Record] = []
    for turn in range(max(map(len, classes), default=0)):
        chosen += [photos[turn] for photos in classes if turn < len(photos)]
    return sorted(chosen[:number], key=lambda record: record.label)


def _read(found: Inspection) -> list[tuple[Record, Content]]:
    """Return the photos to show with what their files hold."""
    reader = PhotoReader(Path(found.photos))
    photos = []
    for record in choose_photos(found):
        with suppress(UnreadablePhotoError):  # gone since it was counted
            photos.append((record, reader.read(record.path)))
    return photos


def _seen(content: Content, way: Geometry | None) -> Image.Image:
    """Return a photo as a network would see it; None: as it is."""
    if way is None:
        return decode(content, enough=THUMBNAIL).image
    pixels, _ = way.open(content)
    return Image.fromarray(pixels if way.channels == 3 else pixels[:, :, 0])


def _card(record: Record, image: Image.Image) -> PhotoCard:
    return PhotoCard(data_uri(image), record.path, record.label, pixelated=is_small(image))
