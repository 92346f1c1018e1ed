"""Photos inside a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classeur.errors import UnreadablePhotoError
from classeur.report.photos import THUMBNAIL, Album, PhotoCard, data_uri


def opened(source: str) -> Image.Image:
    head, _, body = source.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return Image.open(io.BytesIO(base64.b64decode(body)))


def test_a_large_photo_becomes_a_small_jpeg() -> None:
    image = opened(data_uri(Image.new("RGB", (640, 480), "red")))
    assert (image.format, image.size) == ("JPEG", (THUMBNAIL, 120))


def test_a_small_photo_keeps_every_pixel() -> None:
    pixels = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    image = opened(data_uri(Image.fromarray(pixels)))
    assert image.format == "PNG"
    assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_and_coloured_photos_are_shown(mode: str) -> None:
    assert opened(data_uri(Image.new(mode, (300, 200)))).size == (THUMBNAIL, 107)


def test_a_thumbnail_is_the_file(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (250, 10, 10)).save(tmp_path / "a.png")
    source, pixelated = Album(tmp_path).thumbnail("a.png")
    assert pixelated
    assert opened(source).convert("RGB").getpixel((5, 5)) == (250, 10, 10)


def test_a_photo_is_shown_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright
    Image.new("RGB", (200, 100)).save(tmp_path / "a.jpg", exif=exif)
    source, pixelated = Album(tmp_path).thumbnail("a.jpg")
    assert not pixelated
    assert opened(source).size == (80, 160)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_prepared_pixels_stand_in_for_a_file_that_is_gone(
    tmp_path: Path, channels: int
) -> None:
    prepared = np.full((32, 32, channels), 77, np.uint8)
    source, pixelated = Album(tmp_path).thumbnail("gone.jpg", prepared)
    assert pixelated
    assert np.asarray(opened(source)).ravel().tolist() == [77] * prepared.size


def test_a_broken_file_without_a_stand_in_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    with pytest.raises(UnreadablePhotoError):
        Album(tmp_path).thumbnail("a.jpg")


def test_a_card_knows_whether_it_is_right() -> None:
    assert PhotoCard("data:,", "a.jpg", "cat", "cat").is_right
    assert not PhotoCard("data:,", "a.jpg", "cat", "dog").is_right
