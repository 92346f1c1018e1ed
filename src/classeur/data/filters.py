"""Changes to each photo that are the same on every call: an image in, one of the same mode out.

They are applied one after the other, in the order given, to the resized photo; see `Geometry`.
Pillow and NumPy are imported where they are used, because help pages name the filters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from classeur.errors import ConfigError, unknown

if TYPE_CHECKING:
    from PIL.Image import Image

Change = Callable[["Image", float], "Image"]
"""(image of mode RGB or L, the filter's number) -> an image of the same mode."""

WHITE_STD = 64.0
"""Standard deviation that `whiten` gives each channel, in grey levels: 0 and 255 are two of it
away from the middle."""


@dataclass(frozen=True)
class Filter:
    """A registered filter."""

    name: str
    change: Change
    unit: str
    """What its number counts: `degrees`. Empty: it takes none."""
    low: float
    high: float
    """Limits of the number."""
    default: float | None
    """The number where none is given. None: it must be given."""

    @property
    def usage(self) -> str:
        """How it is asked for: `mirror`, `autocontrast[=PERCENT]`, `rotate=DEGREES`."""
        if not self.unit:
            return self.name
        number = f"={self.unit.upper()}"
        return self.name + (number if self.default is None else f"[{number}]")

    @property
    def description(self) -> str:
        """What it does, in a sentence."""
        return (inspect.getdoc(self.change) or "").partition("\n")[0]


@dataclass(frozen=True)
class Step:
    """A filter with its number."""

    filter: Filter
    number: float

    def __call__(self, image: Image) -> Image:
        """Return the image with the filter applied."""
        return self.filter.change(image, self.number)


FILTERS: dict[str, Filter] = {}
"""Filter by name, in the order of the page that shows them."""


def register(
    name: str, unit: str = "", *, low: float = 0, high: float = 0, default: float | None = 0
) -> Callable[[Change], Change]:
    """Register a filter under a name; the first line of its docstring says what it does."""

    def add(change: Change) -> Change:
        FILTERS[name] = Filter(name, change, unit, low, high, default)
        return change

    return add


def parse_filters(texts: Iterable[str]) -> list[Step]:
    """`("equalize", "rotate=10")` -> the steps to apply, in this order.

    Raises:
        ConfigError: with every unknown filter and every number that cannot be.
    """
    steps = [_read(text) for text in texts]
    if problems := [item for item in steps if isinstance(item, str)]:
        raise ConfigError(problems)
    return [item for item in steps if isinstance(item, Step)]


def filter_problems(texts: Iterable[str]) -> list[str]:
    """Return a sentence for every unknown filter and every number that cannot be."""
    return [item for text in texts if isinstance(item := _read(text), str)]


def apply_filters(image: Image, steps: Sequence[Step]) -> Image:
    """Return the image after all steps. It may be turned, so that its sides are exchanged."""
    for step in steps:
        image = step(image)
    return image


def undo_moves(image: Image, steps: Sequence[Step]) -> Image:
    """Return what lies on the filtered photo as it lies on the photo before; colours are left."""
    from PIL import Image

    for step in reversed(steps):
        if step.filter.name in ("mirror", "flip", "transpose"):
            image = step(image)
        elif step.filter.name == "rotate":
            is_quarter = step.number % 90 == 0
            image = image.rotate(-step.number, Image.Resampling.BILINEAR, expand=is_quarter)
    return image


def _read(text: str) -> Step | str:
    """Return the step that a text stands for, or the problem with it."""
    name, sign, number = text.partition("=")
    if name not in FILTERS:
        return unknown("filter", name, FILTERS)
    found = FILTERS[name]
    if not found.unit:
        return f'filter {name} takes no number, received "{text}".' if sign else Step(found, 0)
    if not sign and found.default is not None:
        return Step(found, found.default)
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if found.low <= value <= found.high:
        return Step(found, value)
    return (
        f"filter {name} takes {found.unit} from {found.low:g} to {found.high:g}, as in "
        f'{name}=10; received "{text}".'
    )


@register("autocontrast", "percent", high=49)
def _autocontrast(image: Image, percent: float) -> Image:
    """Stretches each channel from black to white; with a number, past that per cent at each end.

    Pillow's `ImageOps.autocontrast`. Without a number, one black and one white pixel are enough
    for it to change nothing.
    """
    from PIL import ImageOps

    return ImageOps.autocontrast(image, percent)


@register("equalize")
def _equalize(image: Image, _: float) -> Image:
    """Spreads each channel so that all its levels are about equally frequent."""
    from PIL import ImageOps

    return ImageOps.equalize(image)


@register("whiten")
def _whiten(image: Image, _: float) -> Image:
    """Gives each channel the same mean and spread, whatever the light was.

    Mean 127.5 and standard deviation `WHITE_STD`, in 8 bits; what lies beyond 0 and 255 is cut
    off. A spread below one level counts as one, so that a blank photo stays blank.
    """
    import numpy as np
    from PIL import Image

    levels = np.asarray(image).astype(np.float64)
    centred = levels - levels.mean(axis=(0, 1))
    white = 127.5 + centred * (WHITE_STD / np.maximum(levels.std(axis=(0, 1)), 1))
    return Image.fromarray(np.rint(white).clip(0, 255).astype(np.uint8))


@register("mirror")
def _mirror(image: Image, _: float) -> Image:
    """Exchanges left and right."""
    from PIL import ImageOps

    return ImageOps.mirror(image)


@register("flip")
def _flip(image: Image, _: float) -> Image:
    """Exchanges top and bottom."""
    from PIL import ImageOps

    return ImageOps.flip(image)


@register("transpose")
def _transpose(image: Image, _: float) -> Image:
    """Exchanges rows and columns: a mirror image along the diagonal from the top left."""
    from PIL import Image

    return image.transpose(Image.Transpose.TRANSPOSE)


@register("rotate", "degrees", low=-180, high=180, default=None)
def _rotate(image: Image, degrees: float) -> Image:
    """Turns the photo counter-clockwise; its mean colour fills the corners.

    Bilinear, at the same size. A later filter hardly notices the mean colour, as it would black.
    Quarter turns lose nothing and have no corners to fill.
    """
    from PIL import Image, ImageStat

    if degrees % 90 == 0:
        return image.rotate(degrees, expand=True)
    mean = tuple(round(level) for level in ImageStat.Stat(image).mean)
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=mean)
