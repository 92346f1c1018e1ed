"""Bytes -> upright RGB or grey picture. The only decoder in the project.

Whatever Pillow cannot turn into the whole photo is an UnreadablePhotoError with its reason:
no photo is ever replaced by another one, a black square or its own upper half.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from classeur.errors import UnreadablePhotoError

DECODER_VERSION = 3
"""Part of every store's key: raise it when the same bytes decode to other pixels."""

MAX_PIXELS = 150_000_000
"""Largest picture that is decoded, in pixels after the reduced scale of a JPEG."""

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
) -> Decoded:
    """Decode one photo.

    Args:
        photo: the bytes of a file, an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a
            Pillow image.
        color: `rgb` or `grey`.
        enough: a JPEG may be decoded at a half, a quarter or an eighth of its scale if both sides
            are then still twice this, in pixels. None: always in full.

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
            return _decode_image(image, image.format or "", color, enough)
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


def to_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded image as (H, W, C) uint8, C = 3 or 1."""
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _decode_image(
    image: Image.Image, file_format: str, color: Color, enough: int | None
) -> Decoded:
    mode, (width, height) = image.mode, image.size
    if enough is not None and file_format in ("JPEG", "MPO"):
        # Twice the needed size is left for the resize, as Pillow's own thumbnail() does: the
        # result can hardly be told from that of the full picture.
        image.draft(None, (2 * enough, 2 * enough))
    if image.width * image.height > MAX_PIXELS:
        raise UnreadablePhotoError(
            f"is a decompression bomb or too large: {width}×{height} pixels, "
            f"at most {MAX_PIXELS // 10**6} megapixels are decoded"
        )
    reduced = image.size != (width, height)
    image.load()  # Pillow turns a TIFF upright here, and reads EXIF that follows the pixels
    orientation = _orientation(image)
    upright = image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image
    if upright.size != image.size or (not reduced and image.size != (width, height)):
        width, height = height, width
    return Decoded(_in_color(upright, color), width, height, mode, file_format, reduced)


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


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    layers = image.convert("RGBA")
    white = Image.new("RGBA", layers.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layers).convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and floating-point grey to 8 bits over the full range of the type."""
    return Image.fromarray(_scaled(_fractions(image) if image.mode == "I" else np.asarray(image)))


def _fractions(image: Image.Image) -> NDArray[np.float64]:
    """Scale Pillow's mode I to 0..1.

    Pillow opens signed 16-bit and all 32-bit TIFFs in this mode, as signed 32-bit integers; their
    tags say which they were. 16-bit photos are also kept in 32 bits: true 32-bit ones exceed them.
    """
    tags = getattr(image, "tag_v2", {})
    unsigned = bool(tags) and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1
    values = np.asarray(image).astype(np.int64)
    if unsigned:
        values &= 0xFFFFFFFF
    low, high = int(values.min()), int(values.max())
    if low < 0:
        raise UnreadablePhotoError(f"has negative pixels (from {low})")
    if tags.get(_BITS, (32,))[0] == 16:
        return values / 0x7FFF
    if high <= 0xFFFF:
        return values / 0xFFFF
    return values / (0xFFFFFFFF if unsigned else 0x7FFFFFFF)


def _scaled(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale any pixel type to uint8: integers by the range of their type, floats from 0..1."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    if values.dtype == np.bool_:
        return np.where(values, 255, 0).astype(np.uint8)
    if values.dtype.kind == "u":
        top = (1 << 8 * values.dtype.itemsize) - 1
        return np.rint(values.astype(np.float64) * (255.0 / top)).astype(np.uint8)
    floats = values.astype(np.float64)
    low, high = float(floats.min()), float(floats.max())
    if not (low >= 0 and high <= 255):  # also true for NaN
        raise UnreadablePhotoError(
            f"has pixels from {low:g} to {high:g}; expected 0 to 1 or 0 to 255"
        )
    return np.rint(floats * (255 if high <= 1 and values.dtype.kind == "f" else 1)).astype(np.uint8)


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
    return Image.fromarray(_scaled(pixels))


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
