"""The page that shows every filter on the user's own photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.report.pages import Page

from classeur.data.filters import FILTERS
from classeur.data.geometry import Geometry
from classeur.data.inspect import Inspection, inspect_listing
from classeur.data.scan import scan
from classeur.report import filters as room
from classeur.report.filters import build_filter_page, choose_photos, write_filter_page
from classeur.report.photos import data_uri


def look(root: Path) -> Inspection:
    return inspect_listing(scan(root))


def test_every_way_is_a_row_of_the_same_photos(class_folders, tmp_path):
    root = class_folders({"<b>cat</b>": 9, "dog": 9}, size=(90, 70))
    write_filter_page(look(root), tmp_path / "filters.html")
    page = Page(tmp_path / "filters.html")
    assert "<script" not in page.html
    assert "<b>cat" not in page.html
    assert "6 photos" in page.text
    assert "150 × 150 pixels" in page.text
    ways = 1 + 3 + 1 + len(FILTERS)
    assert page.html.count('class="way"') == ways
    assert len(page.named("img")) == 6 * ways
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.named("img"))
    for name in FILTERS:
        assert f"--filters {name}" in page.text
        assert FILTERS[name].description in page.text
    for name in ("squash", "crop", "pad"):
        assert f"--resize {name}" in page.text


def test_it_shows_the_pixels_that_a_network_would_see(class_folders, monkeypatch):
    root = class_folders({"a": 1, "b": 1}, size=(40, 30))
    page = build_filter_page(look(root))
    assert page.geometry == Geometry(30)
    content = (root / "a" / "0.png").read_bytes()
    shown = {row.option: row.cards[0] for row in [*page.resizes, *page.filters]}
    for option, geometry in {
        "--resize pad": Geometry(30, resize="pad"),
        "": Geometry(30),
        "--filters equalize": Geometry(30, filters=("equalize",)),
        "--filters rotate=15": Geometry(30, filters=("rotate=15",)),
    }.items():
        pixels, _ = geometry.open(content)
        assert shown[option].source == data_uri(Image.fromarray(pixels))
        assert shown[option].pixelated
    assert page.originals.cards[0].path == "a/0.png"


def test_grey_photos_and_arrays(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 12, 12)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=images, y=[0, 1] * 4)
    page = build_filter_page(look(tmp_path))
    assert page.geometry == Geometry(12, "grey")
    assert len(page.filters) == 1 + len(FILTERS)
    assert len(page.originals.cards) == 6


@pytest.mark.parametrize(
    ("classes", "each", "labels"),
    [
        (2, 5, "000111"),
        (1, 9, "000000"),
        (1, 2, "00"),
        (4, 5, "001123"),
        (12, 3, ["0", "10", "2", "4", "6", "8"]),
    ],
)
def test_photos_of_as_many_classes_as_possible(class_folders, classes, each, labels):
    found = look(class_folders({str(number): each for number in range(classes)}, size=(4, 4)))
    chosen = choose_photos(found)
    if classes > 6:
        assert len({record.label for record in chosen}) == 6
        return
    assert [record.label for record in chosen] == list(labels)
    assert len({record.path for record in chosen}) == len(chosen)


def test_a_photo_that_has_gone_meanwhile(class_folders, tmp_path):
    root = class_folders({"a": 1, "b": 2})
    found = look(root)
    (root / "a" / "0.png").unlink()
    page = build_filter_page(found)
    assert [card.label for card in page.originals.cards] == ["b", "b"]
    assert room.PHOTOS == 6
