"""What a score may depend on: size, shape, brightness and mode of a photo, columns of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classeur.data.attributes import MOST_VALUES, numbers
from classeur.data.manifest import ManifestRow
from classeur.evaluation.slices import Feature

_LUMA = np.array([299, 587, 114]) / 1000
"""Red, green and blue in luminance: ITU-R BT.601, as in Pillow's mode L."""

_NONE = "no value"

_UNEVEN = 1.25
"""Long side over short side, from which on a photo is upright or wide."""


def photo_features(
    rows: Sequence[ManifestRow], brightness: Sequence[float], size: int
) -> list[Feature]:
    """Return every feature of photos: what pixels say first, then the columns.

    Args:
        rows: of the manifest.
        brightness: mean luminance of each photo as the network sees it, from 0 to 255.
        size: side of the square that the network sees, in pixels.
    """
    sides = [min(row.width, row.height) for row in rows]
    aspects = [row.width / row.height for row in rows]
    scales = (
        f"below {size} pixels: enlarged", f"{size} to {2 * size} pixels",
        f"above {2 * size} pixels: much reduced",
    )  # fmt: skip
    features = [
        Feature("shorter side", scales, [(side >= size) + (side > 2 * size) for side in sides]),
        Feature(
            "shape",
            ("upright", "about square", "wide"),
            [(aspect > 1 / _UNEVEN) + (aspect >= _UNEVEN) for aspect in aspects],
        ),
        _thirds("brightness", brightness, ("darkest third", "middle third", "brightest third")),
    ]
    taken = {feature.name for feature in features}
    for name in dict.fromkeys(name for row in rows for name in row.attributes):
        texts = [row.attributes.get(name, "") for row in rows]
        features += of_column(f"{name} (column)" if name in taken else name, texts)
    return features


def of_column(name: str, texts: Sequence[str]) -> list[Feature]:
    """Return the feature of a column: value by value if there are few, numbers in thirds.

    Nothing for other texts: each would be a slice of its own.
    """
    values = sorted(set(texts))
    if len(values) <= MOST_VALUES:
        place = {value: i for i, value in enumerate(values)}
        named = tuple(value or _NONE for value in values)
        return [Feature(name, named, [place[text] for text in texts])]
    known = numbers(texts)
    return [_thirds(name, known)] if known else []


def brightness_of(
    photos: NDArray[np.uint8], rows: NDArray[np.int64], batch_size: int = 256
) -> list[float]:
    """Return the mean luminance of prepared photos, from 0 to 255.

    Args:
        photos: (N, H, W, C) uint8.
        rows: of the photos to look at.
        batch_size: photos in memory at once.
    """
    means: list[float] = []
    for start in range(0, len(rows), batch_size):
        channels = np.asarray(photos[rows[start : start + batch_size]]).mean(axis=(1, 2))  # (n, C)
        means += (channels @ _LUMA if channels.shape[1] == 3 else channels[:, 0]).tolist()
    return means


def _thirds(
    name: str, values: Sequence[float], named: tuple[str, str, str] | None = None
) -> Feature:
    """Return the feature of which third a value is in; equal values are in the same."""
    known = [value for value in values if not math.isnan(value)]
    low, high = (float(edge) for edge in np.quantile(known, [1 / 3, 2 / 3]))
    thirds = named or (f"up to {low:.4g}", f"{low:.4g} to {high:.4g}", f"above {high:.4g}")
    places = [3 if math.isnan(value) else (value > low) + (value > high) for value in values]
    return Feature(name, (*thirds, _NONE), places)
