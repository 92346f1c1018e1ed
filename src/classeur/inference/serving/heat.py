"""A heat map as a picture to lay over its photo."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 512
"""Longest side of the picture, in pixels."""

_COLD, _HOT = np.array([180, 20, 60]), np.array([255, 230, 60])
_STRONGEST = 0.75
"""Opacity of the hottest place."""


def heat_png(heat: NDArray[np.float32]) -> bytes:
    """Return (H, W) from 0 to 1 as a PNG, from clear over red to yellow; it holds no photo."""
    warmth = heat.clip(0, 1)[:, :, None]
    colour = _COLD + warmth * (_HOT - _COLD)
    pixels = np.concatenate([colour, 255 * _STRONGEST * warmth], axis=2)
    file = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
