"""Photos inside a page: small, and part of the file, so that it opens anywhere."""

from __future__ import annotations

import base64
import io
import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classeur.data.decode import decode
from classeur.data.reader import PhotoReader
from classeur.data.records import Record
from classeur.errors import DataError, UnreadablePhotoError
from classeur.evaluation.metrics import SMALLEST

log = logging.getLogger(__name__)

THUMBNAIL = 160
"""Longest side of a photo in a page, in pixels."""

_SMALL = 64
"""Photos up to this side are shown pixel by pixel."""


@dataclass(frozen=True)
class PhotoCard:
    """One photo in a page, with what is said about it."""

    source: str
    """A data URI."""
    path: str
    label: str
    """The given label."""
    prediction: str = ""
    """Empty where nothing was predicted."""
    probability: float = 0.0
    """Of the prediction."""
    label_probability: float = 0.0
    """That the network gave to the label."""
    pixelated: bool = False
    """Whether the photo is so small that its pixels should show."""
    heat: str = ""
    """The photo with the heat map of the prediction, a data URI; empty: none."""
    strangeness: float | None = None
    """Above 1 it resembles nothing the run has seen; None: not measured."""

    @property
    def loss(self) -> float:
        """Return minus the natural log of the label's probability, 16.1 at most."""
        return -math.log(max(self.label_probability, SMALLEST))

    @property
    def is_right(self) -> bool:
        """Whether the prediction is the label."""
        return self.prediction == self.label


class Album:
    """Makes thumbnails of the photos below a root."""

    def __init__(self, root: Path) -> None:
        self._reader = PhotoReader(root)

    def thumbnail(
        self, path: str, prepared: NDArray[np.uint8] | None = None, sha256: str = ""
    ) -> tuple[str, bool]:
        """Return a data URI for a photo and whether it is to be shown pixel by pixel.

        Where the file is gone, has become unreadable or is another by now, the prepared pixels
        (H, W, C) stand in: the same photo as the network saw it. That is said in the log.

        Args:
            path: the photo, as its record names it.
            prepared: what may stand in. None: nothing.
            sha256: of the photo that was scanned; empty: whatever is there is shown.

        Raises:
            UnreadablePhotoError: if there is nothing to show.
        """
        image, _ = self.picture(path, prepared, sha256)
        return data_uri(image), is_small(image)

    def picture(
        self, path: str, prepared: NDArray[np.uint8] | None = None, sha256: str = ""
    ) -> tuple[Image.Image, bool]:
        """Return a photo as an image, and whether the prepared pixels stand in for it.

        Takes and raises what `thumbnail` does.
        """
        record = Record(path, "", sha256=sha256)
        try:
            content = self._reader.read_same(record) if sha256 else self._reader.read(path)
            return decode(content, enough=THUMBNAIL).image, False
        except (DataError, OSError) as error:
            shown = "is not shown" if prepared is None else "is shown as it was prepared"
            log.warning("%s %s; it %s", path, error, shown)
            if prepared is None:
                raise
            return Image.fromarray(prepared if prepared.shape[2] == 3 else prepared[:, :, 0]), True

    def card(self, path: str, label: str, sha256: str = "") -> PhotoCard | None:
        """Return the card of a photo, or None if it has gone or changed since it was counted."""
        try:
            source, pixelated = self.thumbnail(path, sha256=sha256)
        except UnreadablePhotoError:
            return None
        return PhotoCard(source, path, label, pixelated=pixelated)


def is_small(image: Image.Image) -> bool:
    """Whether an image is so small that its pixels should show."""
    return max(image.size) <= _SMALL


def data_uri(image: Image.Image) -> str:
    """Return an image as a data URI: a small JPEG, or a PNG where pixels should show."""
    stream = io.BytesIO()
    if is_small(image):
        image.save(stream, "PNG", optimize=True)
        kind = "png"
    else:
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        image.convert("RGB").save(stream, "JPEG", quality=80)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
