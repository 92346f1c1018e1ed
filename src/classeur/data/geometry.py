"""A decoded photo -> the square of pixels that a network sees, before normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classeur.data.decode import LARGE_PIXELS, Color, Decoded, decode, peek, to_pixels
from classeur.data.filters import Step, apply_filters, parse_filters, undo_moves
from classeur.data.reader import PhotoReader
from classeur.data.records import Listing
from classeur.errors import ConfigError, UnreadablePhotoError, unknown

Resize = Literal["squash", "crop", "pad"]

MAX_SIZE = 4096
"""Largest side of the square, in pixels."""

SAMPLE = 200
"""Photos that are looked at, at most, to choose what was left open."""

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Geometry:
    """Size, colour, resize and filters of the pixels; the first half of a run's preprocessing.

    Raises:
        ConfigError: naming every filter and every other value that cannot be.
    """

    size: int
    """Side of the square, in pixels."""
    color: Color = "rgb"
    """`rgb`: three channels; `grey`: one."""
    resize: Resize = "squash"
    """`squash` both sides to the square; `crop` its centre; `pad` the short side with black."""
    interpolation: str = "bilinear"
    """Pillow's resampling filter, antialiased: nearest, bilinear, bicubic or lanczos."""
    crop_pct: float = 1.0
    """With `crop`: the square's side as a fraction of the short side after the resize."""
    filters: tuple[str, ...] = ()
    """Names of `classeur.data.filters`, applied in this order after the resize; with `pad` before
    the border is added, so that it does not count."""

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigError(problems)
        _ = self._steps

    def _problems(self) -> Iterator[str]:
        """Yield a sentence for each value that cannot be: a run folder may come from anybody."""
        if type(self.size) is not int or not 1 <= self.size <= MAX_SIZE:
            yield f"size must be from 1 to {MAX_SIZE} pixels, received {self.size!r}."
        for name, known in (
            ("color", ("rgb", "grey")),
            ("resize", ("squash", "crop", "pad")),
            ("interpolation", tuple(_RESAMPLING)),
        ):
            if getattr(self, name) not in known:
                yield unknown(name, str(getattr(self, name)), known)
        if type(self.crop_pct) not in (int, float) or not 0.01 <= self.crop_pct <= 1:
            yield f"crop_pct must be from 0.01 to 1, received {self.crop_pct!r}."

    @cached_property
    def _steps(self) -> list[Step]:
        return parse_filters(self.filters)

    @property
    def channels(self) -> int:
        """Number of channels, 3 or 1."""
        return 3 if self.color == "rgb" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the pixels."""
        return (self.size, self.size, self.channels)

    def open(
        self, photo: bytes | NDArray[np.generic] | Image.Image
    ) -> tuple[NDArray[np.uint8], Decoded]:
        """Decode, resize and filter one photo to (size, size, C) uint8.

        Raises:
            UnreadablePhotoError: with the reason, if it does not decode.
        """
        decoded = self.decode(photo)
        return self.pixels(decoded.image), decoded

    def decode(self, photo: bytes | NDArray[np.generic] | Image.Image) -> Decoded:
        """Decode one photo. Raises what `open` does.

        A JPEG above `LARGE_PIXELS` is decoded at no larger a scale than its pixels need. Others
        are decoded in full, as any other program does: answers would else differ from an exported
        file's by up to 0.06 (decision 0022).
        """
        return self.decoded(photo, self.color)

    def decoded(self, photo: bytes | NDArray[np.generic] | Image.Image, color: Color) -> Decoded:
        """Decode one photo as `decode` does, in another colour mode."""
        return decode(photo, color, enough=round(self.size / self.crop_pct), in_full=LARGE_PIXELS)

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize and filter an upright image to (size, size, C) uint8."""
        return self.finish(self.shrink(image))

    def shrink(self, image: Image.Image) -> Image.Image:
        """Resize an upright image to (size, size), with `pad` to its long side."""
        if self.resize == "crop":
            return self._cropped(image)
        if self.resize == "pad":
            return self._inner(image)
        if image.size != (self.size, self.size):
            return image.resize((self.size, self.size), _RESAMPLING[self.interpolation])
        return image

    def finish(self, small: Image.Image) -> NDArray[np.uint8]:
        """Apply the filters to what `shrink` returned, add the border: (size, size, C) uint8."""
        image = apply_filters(small, self._steps)
        return to_pixels(self._padded(image) if self.resize == "pad" else image)

    def laid_back(
        self, values: NDArray[np.float32], width: int, height: int
    ) -> NDArray[np.float32]:
        """Lay what was found in the square over the upright photo it was made of.

        Args:
            values: (size, size).
            width: of the photo, in pixels.
            height: of the photo, in pixels.

        Returns:
            (height, width); zero where `crop` has cut the photo off.
        """
        square = Image.fromarray(values.astype(np.float32))
        photo = Image.new("F", (width, height))
        if self.resize == "crop":
            side = min(width, height) * self.crop_pct
            left, top = (width - side) / 2, (height - side) / 2
            corner, end = (round(left), round(top)), (round(left + side), round(top + side))
            area = max(1, end[0] - corner[0]), max(1, end[1] - corner[1])
            cut = undo_moves(square, self._steps)
            photo.paste(cut.resize(area, Image.Resampling.BILINEAR), corner)
            return np.asarray(photo)
        if self.resize == "pad":
            square = self._without_border(square, width, height)
        moved = undo_moves(square, self._steps)
        return np.asarray(moved.resize(photo.size, Image.Resampling.BILINEAR))

    def to_dict(self) -> dict[str, Any]:
        """Return the values as a mapping of plain types."""
        return {**asdict(self), "filters": list(self.filters)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from what `to_dict` returned; there were no filters once.

        Raises:
            ConfigError: if it names a filter that cannot be.
            TypeError: if it is not what `to_dict` returned.
        """
        return cls(**{**values, "filters": tuple(values.get("filters", ()))})

    def _cropped(self, image: Image.Image) -> Image.Image:
        # One resample of the crop box, not a resize followed by a crop: the same picture, and a
        # panorama does not become a huge intermediate one.
        side = min(image.size) * self.crop_pct
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        return image.resize((self.size, self.size), _RESAMPLING[self.interpolation], box=box)

    def _inner(self, image: Image.Image) -> Image.Image:
        return image.resize(self._inner_size(*image.size), _RESAMPLING[self.interpolation])

    def _inner_size(self, width: int, height: int) -> tuple[int, int]:
        scale = self.size / max(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _without_border(self, square: Image.Image, width: int, height: int) -> Image.Image:
        blank = Image.new("L", self._inner_size(width, height))
        inner = apply_filters(blank, self._steps)  # it may have been turned
        left, top = (self.size - inner.width) // 2, (self.size - inner.height) // 2
        return square.crop((left, top, left + inner.width, top + inner.height))

    def _padded(self, small: Image.Image) -> Image.Image:
        canvas = Image.new(small.mode, (self.size, self.size))
        canvas.paste(small, ((self.size - small.width) // 2, (self.size - small.height) // 2))
        return canvas


def suggest_geometry(
    listing: Listing,
    size: int = 0,
    color: str = "auto",
    resize: str = "squash",
    interpolation: str = "auto",
    filters: tuple[str, ...] = (),
) -> Geometry:
    """Return a geometry, with what was left open chosen from the heads of at most 200 photos.

    Args:
        listing: the photos.
        size: side in pixels. 0: small photos (short side up to 64 pixels) keep their size, others
            become 150 pixels.
        color: `rgb`, `grey`, or `auto`: grey if all of those are.
        resize: `squash`, `crop` or `pad`.
        interpolation: Pillow's resampling filter; `auto`: bilinear.
        filters: names of `classeur.data.filters`, in their order.

    Raises:
        ConfigError: naming every filter that cannot be.
    """
    looks = _looks(listing) if size == 0 or color == "auto" else []
    sides = [side for side, _ in looks]
    if size == 0:
        middle = int(np.median(sides)) if sides else 150
        size = max(4, middle) if middle <= 64 else 150
    if color == "auto":
        color = "grey" if looks and all(grey for _, grey in looks) else "rgb"
    interpolation = "bilinear" if interpolation == "auto" else interpolation
    return Geometry(
        size, cast("Color", color), cast("Resize", resize), interpolation, filters=filters
    )


def _looks(listing: Listing) -> list[tuple[int, bool]]:
    """Return (short side, whether grey) of evenly spread photos; reads heads, decodes nothing."""
    reader = PhotoReader(listing.root)
    step = max(1, math.ceil(len(listing.records) / SAMPLE))
    looks = []
    for record in listing.records[::step]:
        try:
            looks.append(peek(reader.read(record.path)))
        except UnreadablePhotoError:
            continue  # named when the photos are prepared
    return looks
