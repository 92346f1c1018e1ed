"""How alike two photos look: aligned, then their fine detail correlated.

At a glance many photos look alike: two chest X-rays, two shirts on white. What copies share, and
different photos do not, is detail. A copy may be cropped a little, so the second photo is first
scaled and shifted along both axes to fit the first (Lucas and Kanade, 1981).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Both sides of what is compared, in pixels."""

FLAT = 1.0
"""Below this standard deviation of its detail, in grey levels, a photo is like no other."""

_BORDER = 6  # pixels: what a crop cut off one photo is not compared
_STEPS = 10
_FARTHEST = 0.12  # largest change of scale; largest shift as a fraction of half the side

Pixels = NDArray[np.float32]

_CENTRE = (SIDE - 1) / 2
_INNER = np.s_[_BORDER:-_BORDER, _BORDER:-_BORDER]


def small(image: Image.Image) -> NDArray[np.uint8]:
    """Return an upright photo as (64, 64, 3) uint8, to be compared."""
    resized = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def likeness(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the correlation of the fine detail of two photos, from -1 to 1.

    Args:
        first: (64, 64, 3), as `small` returns it.
        second: the same.

    Returns:
        About 1 for copies, however they were scaled, encoded or made brighter; 0 where one of the
        two has no detail.
    """
    one, other = first.astype(np.float32), second.astype(np.float32)
    moved = _moved(other, *_fit(one.mean(axis=2), other.mean(axis=2)))
    a, b = (_detail(photo)[_INNER].ravel() for photo in (one, moved))
    if min(a.std(), b.std()) < FLAT:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _fit(one: Pixels, other: Pixels) -> tuple[Pixels, Pixels]:
    """Return the (64, 64) matrices for rows and columns that move `other` onto `one`."""
    target, start = _band(one), _band(other)
    slope_y, slope_x = np.gradient(start, axis=0), np.gradient(start, axis=1)
    along = np.linspace(-1, 1, SIDE, dtype=np.float32)
    slopes = [slope_y * along[:, None], slope_y, slope_x * along, slope_x]
    slope = np.stack([(s * _CENTRE)[_INNER].ravel() for s in slopes])  # (4, pixels)
    solve = np.linalg.pinv(slope @ slope.T) @ slope
    motion = np.zeros(4)  # scale and shift of rows, scale and shift of columns
    for _ in range(_STEPS):
        rows, columns = _resample(*motion[:2]), _resample(*motion[2:])
        rest = target - rows @ start @ columns.T
        step = solve @ rest[_INNER].ravel()
        motion = np.clip(motion + step, -_FARTHEST, _FARTHEST)
        if np.abs(step).max() < 1e-3:
            break
    return _resample(*motion[:2]), _resample(*motion[2:])


def _resample(scale: float, shift: float) -> Pixels:
    """Return the (64, 64) matrix of linear interpolation at scaled and shifted places."""
    places = _CENTRE + (np.arange(SIDE) - _CENTRE) * (1 + scale) + shift * _CENTRE
    places = np.clip(places, 0, SIDE - 1)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(SIDE)))
    return np.asarray(weights, np.float32)


def _moved(photo: Pixels, rows: Pixels, columns: Pixels) -> Pixels:
    return np.stack([rows @ photo[:, :, c] @ columns.T for c in range(3)], axis=2)


def _band(grey: Pixels) -> Pixels:
    """Return what is neither finer than a pixel nor coarser than eight: it guides the fit."""
    return _blurred(grey, 1) - _blurred(grey, 8)


def _detail(photo: Pixels) -> Pixels:
    return np.stack([photo[:, :, c] - _blurred(photo[:, :, c], 4) for c in range(3)], axis=2)


def _blurred(channel: Pixels, sigma: float) -> Pixels:
    matrix = _blur(sigma)
    return np.asarray(matrix @ channel @ matrix.T)


@cache
def _blur(sigma: float) -> Pixels:
    """Return the (64, 64) matrix of a Gaussian blur along one axis."""
    away = np.arange(SIDE)[:, None] - np.arange(SIDE)
    weights = np.exp(-0.5 * (away / sigma) ** 2)
    weights[weights < 1e-4] = 0  # numbers close to zero are ten times as slow
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
