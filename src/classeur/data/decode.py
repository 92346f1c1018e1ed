"""Bytes -> upright RGB or grey picture. The only decoder in the project.

Whatever Pillow cannot turn into the whole photo is an UnreadablePhotoError with its reason:
no photo is ever replaced by another one, a black square or its own upper half.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from classeur.errors import UnreadablePhotoError

DECODER_VERSION = 4
"""Part of every store's key: raise it when the same bytes decode to other pixels."""

MAX_PIXELS = 150_000_000
"""Largest picture that is decoded, in pixels after the reduced scale of a JPEG."""

LARGE_PIXELS = 25_000_000
"""Pictures above it are decoded one at a time, however many threads there are: memory stays bounded
by one picture of MAX_PIXELS, and one of LARGE_PIXELS for each thread."""

MAX_SCANS = 100
"""Most passes over its picture that a JPEG may ask for: progressive ones have about ten, and a few
kilobytes can ask for thousands (libjpeg-turbo, 2015, "Two issues with the JPEG standard")."""

MAX_RLE_PIXELS = 4_000_000
"""Largest run-length encoded bitmap: Pillow unpacks them in Python, pixel by pixel."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF")
"""What Pillow may open. Its JPEG reader also opens MPO, which has no entry of its own."""

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
    ],
)

OTHER_SUFFIXES = frozenset(
    (".heic", ".heif", ".avif", ".jxl", ".jp2", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf",
     ".orf", ".rw2")
)  # fmt: skip
"""Photos of phones and cameras that are not read here: nobody should lose them unnoticed."""

Color = Literal["rgb", "grey"]

# Pillow warns above 89 megapixels and raises above twice that. Our own limit counts what is
# really decoded, so the warning says nothing new; the error is caught like any other.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Its complaints about broken EXIF blocks and TIFF tags name no file and concern no pixel.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_ORIENTATION = 0x0112  # EXIF tag 274
_BITS = 258  # TIFF tags
_SAMPLE_FORMAT = 339
_GREY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"})
_STRIP_PIXELS = 1 << 20
"""Pictures are turned into plain colour by strips of so many pixels, each in little memory."""
_END, _SCAN = 0xD9, 0xDA  # JPEG markers
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
_large = threading.Lock()
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """One decoded photo."""

    image: Image.Image
    """Upright, mode `RGB` or `L`."""
    width: int
    """Width of the upright photo in the file, in pixels."""
    height: int
    """Height of the upright photo in the file, in pixels."""
    mode: str
    """Pillow's mode in the file: RGB, L, CMYK, P, I;16, …"""
    format: str
    """JPEG, PNG, … or ARRAY."""
    reduced: bool
    """Whether a JPEG was decoded at a half, a quarter or an eighth of its scale."""


def decode(
    photo: bytes | NDArray[np.generic] | Image.Image,
    color: Color = "rgb",
    enough: int | None = None,
    in_full: int = 0,
) -> Decoded:
    """Decode one photo.

    Args:
        photo: the bytes of a file, an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a
            Pillow image.
        color: `rgb` or `grey`.
        enough: a JPEG may be decoded at a half, a quarter or an eighth of its scale if both sides
            are then still twice this, in pixels. None: always in full.
        in_full: a JPEG of up to so many pixels is decoded in full all the same.

    Raises:
        UnreadablePhotoError: with the reason, for anything that is not one whole photo.
    """
    try:
        if isinstance(photo, np.ndarray):
            return _decode_image(_image_of_array(photo), "ARRAY", color, None)
        if isinstance(photo, Image.Image):
            return _decode_image(photo, photo.format or "ARRAY", color, None)
        if not photo:
            raise UnreadablePhotoError("is empty (0 bytes)")
        with Image.open(io.BytesIO(photo), formats=FORMATS) as image:
            _check_work(image, photo)
            return _decode_image(image, image.format or "", color, _scale(image, enough, in_full))
    except UnreadablePhotoError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadablePhotoError(_what_it_is_instead(photo)) from error
    except Image.DecompressionBombError as error:
        raise UnreadablePhotoError(f"is a decompression bomb: {error}") from error
    except MemoryError as error:
        raise UnreadablePhotoError("needs more memory than there is") from error
    except Exception as error:  # a broken file can make Pillow's readers raise anything at all
        raise UnreadablePhotoError(f"is broken: {_one_line(error)}") from error


def peek(photo: bytes | NDArray[np.generic]) -> tuple[int, bool]:
    """Return the short side in pixels and whether a photo is grey, from its head alone.

    Raises:
        UnreadablePhotoError: if it has no head that Pillow knows.
    """
    if isinstance(photo, np.ndarray):
        return min(photo.shape[:2]), photo.ndim == 2 or photo.shape[2] == 1
    try:
        with Image.open(io.BytesIO(photo), formats=FORMATS) as image:
            return min(image.size), image.mode in _GREY
    except Exception as error:  # as in decode
        raise UnreadablePhotoError(f"is broken: {_one_line(error)}") from error


def stated_size(photo: bytes) -> tuple[int, int]:
    """Return the width and height that the head of a file states, in pixels; nothing is decoded.

    Raises:
        UnreadablePhotoError: with the reason, if it has no head that Pillow knows.
    """
    try:
        with Image.open(io.BytesIO(photo), formats=FORMATS) as image:
            return image.size
    except UnidentifiedImageError as error:
        raise UnreadablePhotoError(_what_it_is_instead(photo)) from error
    except Image.DecompressionBombError as error:
        raise UnreadablePhotoError(f"is a decompression bomb: {error}") from error
    except Exception as error:  # as in decode
        raise UnreadablePhotoError(f"is broken: {_one_line(error)}") from error


def to_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded image as (H, W, C) uint8, C = 3 or 1."""
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _scale(image: Image.Image, enough: int | None, in_full: int) -> int | None:
    """Return what may be enough of a picture; None: nothing less than all of it."""
    return None if image.width * image.height <= in_full else enough


def _decode_image(
    image: Image.Image, file_format: str, color: Color, enough: int | None
) -> Decoded:
    mode, (width, height) = image.mode, image.size
    if enough is not None and file_format in ("JPEG", "MPO"):
        # Twice the needed size is left for the resize, as Pillow's own thumbnail() does: the
        # result can hardly be told from that of the full picture.
        image.draft(None, (2 * enough, 2 * enough))
    _check_size(image.size, (width, height))
    reduced = image.size != (width, height)
    with _turn(image.width * image.height):
        image.load()  # Pillow turns a TIFF upright here, and reads EXIF that follows the pixels
        orientation = _orientation(image)
        upright = image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image
        if upright.size != image.size or (not reduced and image.size != (width, height)):
            width, height = height, width
        return Decoded(_in_color(upright, color), width, height, mode, file_format, reduced)


def _turn(pixels: int) -> AbstractContextManager[object]:
    """Return what to wait in before so many pixels are decoded."""
    return _large if pixels > LARGE_PIXELS else nullcontext()


def _check_size(decoded: tuple[int, int], stored: tuple[int, int]) -> None:
    if decoded[0] * decoded[1] > MAX_PIXELS:
        raise UnreadablePhotoError(
            f"is a decompression bomb or too large: {stored[0]}×{stored[1]} pixels, "
            f"at most {MAX_PIXELS // 10**6} megapixels are decoded"
        )


def _check_work(image: Image.Image, photo: bytes) -> None:
    """Refuse a small file that asks for hours of work.

    Raises:
        UnreadablePhotoError: naming what it asks for.
    """
    if image.format in ("JPEG", "MPO") and _scans(photo) > MAX_SCANS:
        raise UnreadablePhotoError(
            f"is a JPEG of more than {MAX_SCANS} scans, each of them a pass over the whole picture"
        )
    tiles = getattr(image, "tile", ())
    if any(tile[0] == "bmp_rle" for tile in tiles) and image.width * image.height > MAX_RLE_PIXELS:
        raise UnreadablePhotoError(
            f"is a run-length encoded bitmap of {image.width}×{image.height} pixels; at most "
            f"{MAX_RLE_PIXELS // 10**6} megapixels are decoded"
        )


def _scans(jpeg: bytes) -> int:
    """Count the scans of a JPEG up to its end, no further than is too many."""
    if jpeg.count(bytes((0xFF, _SCAN))) <= MAX_SCANS:  # pixels cannot hold the mark
        return 0
    at, scans = 2, 0
    while scans <= MAX_SCANS and (mark := _MARKER.search(jpeg, at)):
        kind, at = mark[1][0], mark.end()
        if kind == _END:
            break
        scans += kind == _SCAN
        at += int.from_bytes(jpeg[at : at + 2])
    return scans


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken EXIF block says nothing about the pixels: they are shown as stored
        return 1


def _in_color(image: Image.Image, color: Color) -> Image.Image:
    target = "RGB" if color == "rgb" else "L"
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    elif "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = _on_white(image)
    if image.mode == target:
        return image
    if target == "L" and image.mode != "RGB":
        image = image.convert("RGB") if image.mode not in ("1", "L") else image
    return image.convert(target)


def _strips(height: int, row: int) -> Iterator[tuple[int, int]]:
    """Yield (top, end) of strips of rows, so that what is made of each takes little memory."""
    rows = max(1, _STRIP_PIXELS // max(1, row))
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _on_white(image: Image.Image) -> Image.Image:
    whole = Image.new("RGB", image.size)
    for top, end in _strips(image.height, image.width):
        strip = image.crop((0, top, image.width, end))
        if strip.mode in ("RGBa", "La"):
            strip = strip.convert("RGBA" if strip.mode == "RGBa" else "LA")
        layers = strip.convert("RGBA")
        white = Image.new("RGBA", layers.size, (255, 255, 255, 255))
        whole.paste(Image.alpha_composite(white, layers).convert("RGB"), (0, top))
    return whole


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and floating-point grey to 8 bits over the full range of the type.

    Pillow opens signed 16-bit and all 32-bit TIFFs in mode I, as signed 32-bit integers; their
    tags say which they were.
    """
    tags = getattr(image, "tag_v2", {})
    unsigned = bool(tags) and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1

    def rows(top: int, end: int) -> NDArray[np.generic]:
        values = np.asarray(image.crop((0, top, image.width, end)))
        if image.mode != "I":
            return values
        return values.astype(np.int64) & 0xFFFFFFFF if unsigned else values

    def white(low: float, high: float) -> float:
        return _white_of_integers(low, high, tags.get(_BITS, (32,))[0], unsigned=unsigned)

    strips = list(_strips(image.height, image.width))
    return Image.fromarray(_scaled(rows, strips, white if image.mode == "I" else None))


def _white_of_integers(low: float, high: float, bits: int, *, unsigned: bool) -> float:
    """Return what is white in mode I, in which 16-bit photos may also be kept."""
    if low < 0:
        raise UnreadablePhotoError(f"has negative pixels (from {low:.0f})")
    if bits == 16:
        return 0x7FFF
    if high <= 0xFFFF:
        return 0xFFFF
    return 0xFFFFFFFF if unsigned else 0x7FFFFFFF


def _scaled(
    rows: Callable[[int, int], NDArray[np.generic]],
    strips: list[tuple[int, int]],
    white: Callable[[float, float], float] | None,
) -> NDArray[np.uint8]:
    """Scale any pixel type to uint8, strip by strip.

    Args:
        rows: (top, end) -> the pixels of those rows.
        strips: (top, end) of each.
        white: (smallest, largest pixel) -> the one that becomes 255. None: by the type, integers
            by its range, floats from 0..1 or 0..255.
    """
    kind = rows(0, 1).dtype
    if kind == np.uint8:
        return rows(0, strips[-1][1]).astype(np.uint8)
    if kind.kind == "b":
        top = 1.0
    elif kind.kind == "u":
        top = float((1 << 8 * kind.itemsize) - 1)
    else:
        spans = [(values.min(), values.max()) for values in (rows(*strip) for strip in strips)]
        low, high = (float(edge) for edge in (np.min(spans), np.max(spans)))
        top = white(low, high) if white else _white_of(low, high, kind)
    scale = 255 / top
    parts = [np.rint(rows(*strip).astype(np.float64) * scale).astype(np.uint8) for strip in strips]
    return np.concatenate(parts)


def _white_of(low: float, high: float, kind: np.dtype[np.generic]) -> float:
    if not (low >= 0 and high <= 255):  # also true for NaN
        raise UnreadablePhotoError(
            f"has pixels from {low:g} to {high:g}; expected 0 to 1 or 0 to 255"
        )
    return 1 if high <= 1 and kind.kind == "f" else 255


def _image_of_array(pixels: NDArray[np.generic]) -> Image.Image:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.size == 0 or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    ):
        raise UnreadablePhotoError(
            f"is an array of shape {pixels.shape}; expected (H, W), (H, W, 1), (H, W, 3) "
            "or (H, W, 4)"
        )
    if pixels.dtype.kind not in "buif":
        raise UnreadablePhotoError(f"is an array of {pixels.dtype}; expected numbers")
    height, width = pixels.shape[:2]
    _check_size((width, height), (width, height))
    with _turn(height * width):
        strips = list(_strips(height, pixels[0].size))
        return Image.fromarray(_scaled(lambda top, end: pixels[top:end], strips, None))


def _what_it_is_instead(photo: object) -> str:
    start = photo[:512].lstrip().lower() if isinstance(photo, bytes) else b""
    if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start:
        return "is an HTML page, not a photo"
    if start.startswith((b"<?xml", b"<svg")):
        return "is XML or SVG, not a photo"
    if start.startswith(b"%pdf"):
        return "is a PDF, not a photo"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the photo itself"
    return (
        "is not a photo in any known format (JPEG, PNG, WebP, BMP, GIF, TIFF), "
        "or its head is cut off"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
