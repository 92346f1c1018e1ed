"""A hash of what a photo looks like: close for photos that look alike."""

from __future__ import annotations

import numpy as np

from classeur.data.decode import Decoded

SMALLEST = 48
"""Photos with a shorter side, in pixels, have no hash: too many of them look alike."""

FLAT = 3.0
"""Nor have photos whose grey levels vary by less than this, as a standard deviation."""

_SIDE = 64


def perceptual_hash(decoded: Decoded) -> str:
    """Return a hash that changes little with a photo's size, format or margin, as 32 digits.

    It is the difference hash (Krawetz, 2013) of imagehash, along rows and along columns. Empty for
    a photo that is too small or too flat for it to be evidence.
    """
    if min(decoded.width, decoded.height) < SMALLEST:
        return ""
    import imagehash  # slow to import

    # Made small first: the hash shrinks it to 9 by 8, and a long way at once is slow.
    image = decoded.image
    grey = image.reduce((max(1, image.width // _SIDE), max(1, image.height // _SIDE))).convert("L")
    if np.asarray(grey).std() < FLAT:
        return ""
    bits = [imagehash.dhash(grey).hash, imagehash.dhash_vertical(grey).hash]
    return np.packbits(np.stack(bits)).tobytes().hex()
