"""The per-photo filters of `classeur.data.filters`, as torch modules that give the same levels.

Each takes and returns (picture (C, S, S) float32 in whole levels, height, width): the picture lies
in the top left corner of the square and fills height × width of it, float64 scalars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from classeur.data.filters import WHITE_STD, Step
from classeur.errors import InferenceError

Picture = tuple[Tensor, Tensor, Tensor]


def graph_filters(steps: Sequence[Step]) -> nn.ModuleList:
    """Return a module for each filter, in their order.

    Raises:
        InferenceError: naming every filter that has none.
    """
    lacking = [step.filter.name for step in steps if step.filter.name not in _BUILD]
    if lacking:
        raise InferenceError(
            f"this run uses {', '.join(dict.fromkeys(lacking))}, which no exported file can do. "
            f"Expected no filter but {', '.join(_BUILD)}. Train it without."
        )
    return nn.ModuleList(_BUILD[step.filter.name](step.number) for step in steps)


def _levels(picture: Tensor) -> Tensor:
    """(C, S, S) -> where each pixel's level is in a flat table of 256 for each channel."""
    channels = picture.shape[0]
    shift = torch.arange(channels, dtype=torch.int64).view(-1, 1, 1) * 256
    return (picture.to(torch.int64) + shift).flatten()


def _inside(picture: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Return (S, S) float64, 1 where the picture is."""
    side = torch.arange(picture.shape[2], dtype=torch.float64)
    return ((side.unsqueeze(1) < height) & (side.unsqueeze(0) < width)).to(torch.float64)


def _histogram(picture: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Return how often each level is there, (C, 256) float64."""
    ones = _inside(picture, height, width).expand(picture.shape).flatten()
    empty = torch.zeros(picture.shape[0] * 256, dtype=torch.float64)
    return empty.scatter_add(0, _levels(picture), ones).view(-1, 256)


def _looked_up(picture: Tensor, table: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Return the picture with the levels that a table (C, 256) gives; zero outside."""
    found = table.flatten().index_select(0, _levels(picture)).view(picture.shape)
    return (found * _inside(picture, height, width)).to(torch.float32)


def _over(number: float, divisor: Tensor) -> Tensor:
    """Divide a number; torch would multiply it by the reciprocal, which rounds twice."""
    return torch.full_like(divisor, number) / divisor


def _all_levels() -> Tensor:
    return torch.arange(256, dtype=torch.float64).unsqueeze(0)


class Autocontrast(nn.Module):
    """Pillow's `ImageOps.autocontrast(image, percent)`."""

    def __init__(self, percent: float) -> None:
        super().__init__()
        self.percent = percent

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Stretch each channel."""
        counts = _histogram(picture, height, width)
        total = height * width * self.percent
        cut = (total - torch.fmod(total, 100.0)) / 100
        reached = torch.cumsum(counts, 1)
        whole = reached[:, 255:]
        low = (reached <= cut).to(torch.float64).sum(1, keepdim=True)
        high = (reached < whole - cut).to(torch.float64).sum(1, keepdim=True)
        levels = _all_levels()
        spread = high - low
        scale = _over(255.0, spread.clamp(min=1.0))
        stretched = torch.trunc(levels * scale + -low * scale).clamp(0.0, 255.0)
        table = torch.where(spread <= 0, levels.expand(stretched.shape), stretched)
        return _looked_up(picture, table, height, width), height, width


class Equalize(nn.Module):
    """Pillow's `ImageOps.equalize(image)`."""

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Spread the levels of each channel."""
        counts = _histogram(picture, height, width)
        reached = torch.cumsum(counts, 1)
        whole = reached[:, 255:]
        below = reached - counts
        # all but the pixels of the brightest level that is there
        rest = torch.where(reached >= whole, torch.zeros_like(reached), reached).amax(1, True)
        step = torch.floor(rest / 255)
        safe = step.clamp(min=1.0)
        spread = torch.floor((torch.floor(step / 2) + below) / safe).clamp(max=255.0)
        table = torch.where(step < 1, _all_levels().expand(spread.shape), spread)
        return _looked_up(picture, table, height, width), height, width


class Whiten(nn.Module):
    """Mean 127.5 and standard deviation `WHITE_STD` for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = WHITE_STD

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Give each channel the same mean and spread."""
        inside = _inside(picture, height, width)
        levels, count = picture.to(torch.float64), height * width
        mean = (levels * inside).sum((1, 2), keepdim=True) / count
        centred = (levels - mean) * inside
        deviation = ((centred * centred).sum((1, 2), keepdim=True) / count).sqrt()
        white = 127.5 + centred * _over(self.spread, deviation.clamp(min=1.0))
        return (torch.round(white).clamp(0.0, 255.0) * inside).to(torch.float32), height, width


def _reversed(picture: Tensor, axis: int, length: Tensor) -> Tensor:
    """Return the picture with one axis backwards, still in the top left corner."""
    at = length - 1 - torch.arange(picture.shape[2], dtype=torch.float64)
    kept = (at >= 0).to(torch.float32)
    turned = picture.index_select(axis, at.clamp(min=0.0).to(torch.int64))
    return turned * (kept if axis == 2 else kept.unsqueeze(1))


class Mirror(nn.Module):
    """Left and right exchanged."""

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Exchange left and right."""
        return _reversed(picture, 2, width), height, width


class Flip(nn.Module):
    """Top and bottom exchanged."""

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Exchange top and bottom."""
        return _reversed(picture, 1, height), height, width


class Transpose(nn.Module):
    """Rows and columns exchanged."""

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Exchange rows and columns."""
        return picture.transpose(1, 2), width, height


class QuarterTurns(nn.Module):
    """Counter-clockwise quarter turns."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns % 4

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Turn the picture."""
        if self.turns == 1:
            return _reversed(picture.transpose(1, 2), 1, width), width, height
        if self.turns == 2:
            return _reversed(_reversed(picture, 1, height), 2, width), height, width
        if self.turns == 3:
            return _reversed(picture.transpose(1, 2), 2, height), width, height
        return picture, height, width


class Rotate(nn.Module):
    """Pillow's `rotate(degrees, BILINEAR, fillcolor=mean)`: at the same size."""

    def __init__(self, degrees: float) -> None:
        super().__init__()
        angle = -math.radians(degrees % 360)
        self.cos, self.sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
        self.minus_sin = round(-math.sin(angle), 15)

    def forward(self, picture: Tensor, height: Tensor, width: Tensor) -> Picture:
        """Turn the picture around its middle."""
        half_x, half_y = width / 2, height / 2
        shift_x = self.cos * -half_x + self.sin * -half_y + half_x
        shift_y = self.minus_sin * -half_x + self.cos * -half_y + half_y
        side = torch.arange(picture.shape[2], dtype=torch.float64) + 0.5
        x, y = side.unsqueeze(0), side.unsqueeze(1)
        at_x = self.cos * x + self.sin * y + shift_x
        at_y = self.minus_sin * x + self.cos * y + shift_y
        there = (at_x >= 0) & (at_x < width) & (at_y >= 0) & (at_y < height)
        turned = torch.trunc(_between(picture, at_x - 0.5, at_y - 0.5, height, width))
        inside = _inside(picture, height, width)
        mean = torch.round((picture * inside).sum((1, 2), keepdim=True) / (height * width))
        filled = torch.where(there, turned, mean.expand(turned.shape))
        return (filled * inside).to(torch.float32), height, width


def _between(picture: Tensor, x: Tensor, y: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Return the levels (C, S, S) at places between pixels, bilinear, float64."""
    left, top = torch.floor(x), torch.floor(y)
    across, down = x - left, y - top
    upper = _mixed_row(picture, left, top, across, height, width)
    lower = _mixed_row(picture, left, top + 1, across, height, width)
    return upper + (lower - upper) * down


def _mixed_row(
    picture: Tensor, left: Tensor, row: Tensor, share: Tensor, height: Tensor, width: Tensor
) -> Tensor:
    one = _at(picture, left, row, height, width)
    other = _at(picture, left + 1, row, height, width)
    return one + (other - one) * share


def _at(picture: Tensor, x: Tensor, y: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Return the pixels (C, S, S) at whole places, the nearest one for those outside."""
    column = torch.minimum(x.clamp(min=0.0), width - 1)
    row = torch.minimum(y.clamp(min=0.0), height - 1)
    place = (row * picture.shape[2] + column).to(torch.int64).flatten()
    found = picture.flatten(1).index_select(1, place)
    return found.view(picture.shape).to(torch.float64)


def _rotation(degrees: float) -> nn.Module:
    return QuarterTurns(int(degrees // 90)) if degrees % 90 == 0 else Rotate(degrees)


_BUILD: dict[str, Callable[[float], nn.Module]] = {
    "autocontrast": Autocontrast,
    "equalize": lambda _: Equalize(),
    "whiten": lambda _: Whiten(),
    "mirror": lambda _: Mirror(),
    "flip": lambda _: Flip(),
    "transpose": lambda _: Transpose(),
    "rotate": _rotation,
}
