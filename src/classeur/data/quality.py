"""What a photo looks like in a dozen numbers, and which photos look odd.

What is looked for is what CleanVision looks for (Cleanlab, 2022), by its thresholds for dark,
over-exposed, blank and narrow photos. It is measured on the picture that the one decoding pass
holds anyway, shrunk to 64 pixels. Sharpness is the spread of the Laplacian (Pech-Pacheco et al.,
2000).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classeur.data.decode import Decoded
from classeur.data.outliers import outlying

if TYPE_CHECKING:
    from classeur.data.facts import PhotoFacts

SIDE = 64
"""Longest side of the picture that is measured, in pixels."""

SMALLEST = SIDE
"""Photos with a shorter side below this, in pixels, are not called blurred or blank: so few pixels
say neither."""

DARK = 0.32
"""A photo is dark if 99 % of its pixels are darker than this; black is 0, white 1."""

BRIGHT = 0.95
"""A photo is over-exposed if 95 % of its pixels are brighter than this."""

BLANK = 3.0
"""A photo is blank if its grey levels hold less information than this, in bits."""

BLURRED = 10.0
"""A photo is blurred if its sharpness is below this, and it is not dull for another reason: none of
600 photos of cats and dogs was, and 99 % were after a Gaussian blur of 1.5 of the 64 pixels."""

NARROW = 0.35
"""A photo has an odd shape if its short side is a smaller fraction of its long one."""

UNUSUAL = 5.0
"""A photo has an odd size if its side is so many times that of the median, or so small a part."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was measured of one photo."""

    file_bytes: int = 0
    """Size of its file; 0 for a row of an array."""
    brightest: float = 1.0
    """99th percentile of brightness, 0 to 1."""
    darkest: float = 0.0
    """5th percentile of brightness, 0 to 1."""
    sharpness: float = 255.0
    """Standard deviation of its Laplacian, in grey levels of 0 to 255."""
    entropy: float = 8.0
    """Of its grey levels, in bits."""
    red: float = 0.0
    green: float = 0.0
    blue: float = 0.0
    """Mean colour, 0 to 255."""
    border_red: float = 0.0
    border_green: float = 0.0
    border_blue: float = 0.0
    """Mean colour of its outermost pixels, 0 to 255."""

    @classmethod
    def of(cls, decoded: Decoded, file_bytes: int = 0) -> Self:
        """Measure a photo."""
        small = _shrunk(decoded.image)
        pixels = np.asarray(small.convert("RGB"))
        grey = small.convert("L")
        brightness = _brightness(pixels)
        brightness.sort()
        low, high = (brightness[round(at * (len(brightness) - 1))] for at in (0.05, 0.99))
        values = (
            float(high), float(low), _sharpness(np.asarray(grey, np.int16)), grey.entropy(),
            *pixels.mean(axis=(0, 1)), *_border(pixels).mean(axis=0),
        )  # fmt: skip
        return cls(file_bytes, *(round(float(value), 4) for value in values))

    @classmethod
    def read(cls, row: dict[str, str]) -> Self:
        """Build from a row of facts.csv."""
        return cls(int(row["file_bytes"]), *(float(row[name]) for name in COLUMNS[1:]))


COLUMNS = tuple(field.name for field in fields(Look))
"""The columns of facts.csv that hold a look."""


@dataclass(frozen=True)
class Odd:
    """Photos that look odd in one way."""

    kind: str
    """One of KINDS."""
    paths: list[str]
    """The oddest first."""


KINDS = {
    "dark": "dark",
    "bright": "over-exposed",
    "blank": "nearly blank",
    "blurred": "blurred",
    "shape": "of an odd shape",
    "size": "of an odd size",
    "unlike": "unlike the others",
}
"""Kind -> what is said of such photos."""

Oddness = Callable[["PhotoFacts"], float]


def odd_photos(facts: Sequence[PhotoFacts]) -> list[Odd]:
    """Return the photos that look odd, by kind, in the order of KINDS."""
    middle = float(np.median([_side(fact) for fact in facts])) if facts else 1.0

    def unusual(fact: PhotoFacts) -> float:
        ratio = _side(fact) / middle
        return max(ratio, 1 / ratio) / UNUSUAL - 1

    dull: dict[str, Oddness] = {
        "dark": lambda f: DARK - f.look.brightest,
        "bright": lambda f: f.look.darkest - BRIGHT,
        "blank": lambda f: BLANK - f.look.entropy if _is_judged(f) else -1,
    }

    def blurred(fact: PhotoFacts) -> float:
        is_judged = _is_judged(fact) and all(oddness(fact) <= 0 for oddness in dull.values())
        return BLURRED - fact.look.sharpness if is_judged else -1

    measures: dict[str, Oddness] = {
        **dull,
        "blurred": blurred,
        "shape": lambda f: NARROW - min(f.width, f.height) / max(f.width, f.height),
        "size": unusual,
    }
    found = [odd for kind, how in measures.items() if (odd := _oddest(kind, facts, how)).paths]
    return [*found, *_unlike(facts, {path for odd in found for path in odd.paths})]


def _unlike(facts: Sequence[PhotoFacts], named: Collection[str]) -> list[Odd]:
    """Return the photos that are odd in no way that has a name, but unlike the others."""
    beyond = outlying(facts)
    order = np.argsort(-beyond, kind="stable")
    far = [facts[i].path for i in order if beyond[i] > 0]
    paths = [path for path in far if path not in named]
    return [Odd("unlike", paths)] if paths else []


def _oddest(kind: str, facts: Iterable[PhotoFacts], oddness: Oddness) -> Odd:
    found = [(-oddness(fact), fact.path) for fact in facts]
    return Odd(kind, [path for value, path in sorted(found) if value < 0])


def _is_judged(fact: PhotoFacts) -> bool:
    return min(fact.width, fact.height) >= SMALLEST


def _side(fact: PhotoFacts) -> float:
    return math.sqrt(fact.width * fact.height)


def _shrunk(image: Image.Image) -> Image.Image:
    scale = SIDE / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=1.0)


def _brightness(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 3) 0..255 -> perceived brightness (H·W,), 0 to 1."""
    squares = np.square(pixels.reshape(-1, 3), dtype=np.float32)
    return np.asarray(np.sqrt(squares @ _PERCEIVED) / 255)


_PERCEIVED = np.array([0.241, 0.691, 0.068], np.float32)


def _sharpness(grey: NDArray[np.int16]) -> float:
    """Return the standard deviation of the Laplacian; the border has none."""
    if min(grey.shape) < 3:
        return 0.0
    beside = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((4 * grey[1:-1, 1:-1] - beside).std())


def _border(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 3) -> its outermost pixels, (n, 3)."""
    is_border = np.ones(pixels.shape[:2], bool)
    is_border[1:-1, 1:-1] = False
    return pixels[is_border]
