"""Pillow's resize as products of matrices, for pictures of any height and width.

Pillow resamples rows, rounds to whole levels, then resamples columns; high pictures the other way
round. Every output pixel is a sum over the pixels below its kernel, with weights in fixed point
(`src/libImaging/Resample.c`). Here these weights are computed inside the graph from the height and
the width, and the sums are made by two products in float32 that lose nothing: the result is that
of Pillow, to the last bit.

The outputs are done in blocks, each from the columns below it alone: work and memory grow with the
picture, and not with the picture times the size of the result.

All of it can be traced by `torch.export` with dynamic shapes and compiled by `torch.jit.script`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from classeur.data.geometry import Geometry

BLOCK = 16
"""Columns of the result that are made of the same columns of the picture."""

SUPPORT = {"bilinear": 1, "bicubic": 2, "lanczos": 3}
"""Half the width of each kernel, in output pixels."""

# TorchScript takes no `type: ignore` inside of what it compiles.
_is_scripting: Callable[[], bool] = torch.jit.is_scripting  # type: ignore[attr-defined]
_larger: Callable[[int, int], int] = torch.sym_max
_smaller: Callable[[int, int], int] = torch.sym_min


def larger(one: int, other: int) -> int:
    """Return the larger of two sizes, which may be symbols."""
    return max(one, other) if _is_scripting() else _larger(one, other)


def smaller(one: int, other: int) -> int:
    """Return the smaller of two sizes, which may be symbols."""
    return min(one, other) if _is_scripting() else _smaller(one, other)


class Resample(torch.nn.Module):
    """(C, H, W) uint8 -> ((C, S, S) float32 in whole levels, height, width).

    With `pad` the picture lies in the top left corner; height and width, float64 scalars, say how
    much of the square it fills. They are S for the other ways to resize.
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.size = geometry.size
        self.resize: str = geometry.resize
        self.kernel = geometry.interpolation
        self.crop_pct = geometry.crop_pct
        self.grey = geometry.color == "grey"
        self.support = SUPPORT.get(geometry.interpolation, 0)
        self.block = min(BLOCK, geometry.size)
        self.blocks = math.ceil(geometry.size / self.block)

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Resize one picture."""
        height, width = photo.shape[1], photo.shape[2]
        rows = self.span(height, width)[2]
        columns = self.span(width, height)[2]
        # Pillow 13 resamples columns first where that spares most of the work.
        tall = torch.full((), height, dtype=torch.float64) - rows
        wide = torch.full((), width, dtype=torch.float64) - columns
        columns_first = (tall > 0) & (tall > 2 * wide)
        given = (photo, *self.taps(width, height), *self.taps(height, width))
        if _is_scripting():
            picture = self.turned(*given) if bool(columns_first) else self.upright(*given)
        elif torch.compiler.is_exporting():
            picture = torch.cond(columns_first, self.turned, self.upright, given)
        else:  # torch.cond would compile both, for half a minute
            picture = self.turned(*given) if bool(columns_first) else self.upright(*given)
        return picture, rows, columns

    def upright(
        self, photo: Tensor, across: Tensor, shares: Tensor, down: Tensor, parts: Tensor
    ) -> Tensor:
        """Resample the rows, then the columns."""
        half = self.along(photo, across, shares, self.grey).transpose(1, 2)
        return self.along(half, down, parts, False).transpose(1, 2).contiguous()

    def turned(
        self, photo: Tensor, across: Tensor, shares: Tensor, down: Tensor, parts: Tensor
    ) -> Tensor:
        """Resample the columns, then the rows."""
        half = self.along(photo.transpose(1, 2), down, parts, self.grey).transpose(1, 2)
        return self.along(half, across, shares, False).contiguous()

    def span(self, side: int, other: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return where the part begins that is resampled, its length, and the pixels it becomes."""
        long = torch.full((), larger(side, other), dtype=torch.float64)
        short = torch.full((), smaller(side, other), dtype=torch.float64)
        own = torch.full((), side, dtype=torch.float64)
        size = torch.full((), self.size, dtype=torch.float64)
        if self.resize == "crop":
            cut = short * self.crop_pct
            start = (own - cut) / 2
            first = start.to(torch.float32)  # Pillow keeps its box in that precision
            return first.to(torch.float64), ((start + cut).float() - first).double(), size
        if self.resize == "pad":
            inner = torch.round(own * (size / long)).clamp(min=1.0)
            return torch.zeros_like(own), own, inner
        return torch.zeros_like(own), own, size

    def steepest(self, side: int, other: int) -> tuple[int, int]:
        """Return a numerator and a denominator that no step between outputs exceeds, in pixels."""
        if self.resize == "crop":
            return smaller(side, other) + 1, self.size
        if self.resize == "pad":  # a side below 1.5 pixels becomes one
            return 3 * larger(side, other), 2 * self.size
        return side, self.size

    def taps(self, side: int, other: int) -> tuple[Tensor, Tensor]:
        """Return which pixels of a side are below the outputs, and their weights.

        (blocks, L) and (blocks, L, block); with `nearest` (S,) and (S,), 0 where no output is.
        """
        start, extent, count = self.span(side, other)
        if self.kernel == "nearest":
            return self.nearest(start, extent, count, side)
        limit, per = self.steepest(side, other)
        length = (self.block + 2 * self.support) * limit // per + 2 * self.support + 4
        return self.weights(start, extent, count, side, length)

    def along(self, picture: Tensor, below: Tensor, weights: Tensor, grey: bool) -> Tensor:
        """(C, A, B) -> (C, A, S) float32: resample the last axis.

        Args:
            picture: as the photo is, or with the other axis done.
            below: the pixels, from `taps`.
            weights: theirs.
            grey: whether to mix the channels.
        """
        levels = picture.index_select(2, below.flatten()).to(torch.float32)
        if self.kernel == "nearest":
            return (_mixed(levels) if grey else levels) * weights
        # (C, A, blocks · L) -> (blocks, C, A, L)
        levels = levels.view(levels.shape[0], levels.shape[1], self.blocks, below.shape[1])
        levels = levels.permute(2, 0, 1, 3)
        found = _summed(_mixed(levels) if grey else levels, weights)  # (blocks, C, A, block)
        return found.permute(1, 2, 0, 3).flatten(2)[:, :, : self.size]

    def weights(
        self, start: Tensor, extent: Tensor, count: Tensor, side: int, length: int
    ) -> tuple[Tensor, Tensor]:
        """Return the pixels below each block (blocks, L), and their weights (blocks, L, block).

        Weights are whole numbers in float64, of 2^22 for each output together.
        """
        scale = extent / count
        stretch = scale.clamp(min=1.0)
        reach = self.support * stretch
        at = torch.arange(self.blocks * self.block, dtype=torch.float64)
        at = at.view(self.blocks, 1, self.block)
        centre = start + (at + 0.5) * scale  # (blocks, 1, block)
        base = torch.floor(centre[:, :, :1] - reach) - 1
        pixels = base + torch.arange(length, dtype=torch.float64).view(1, -1, 1)  # (blocks, L, 1)
        end = torch.full((), side, dtype=torch.float64)
        low = torch.trunc(centre - reach + 0.5).clamp(min=0.0)
        high = torch.minimum(torch.trunc(centre + reach + 0.5), end)
        inside = (pixels >= low) & (pixels < high) & (at < count)
        # In whole numbers up to the division: OpenVINO computes all of this in float32.
        away = ((2 * pixels + 1) * count - (2 * at + 1) * extent) / (2 * count) - start
        raw = self.curve(away * (1.0 / stretch))
        raw = torch.where(inside, raw, torch.zeros_like(raw))
        total = raw.sum(1, keepdim=True)
        shares = raw / torch.where(total == 0, torch.ones_like(total), total)
        whole = torch.trunc(shares * 4194304.0 + torch.sign(shares) * 0.5)  # 2^22
        found = torch.minimum(pixels.squeeze(2).clamp(min=0.0), end - 1)
        return found.to(torch.int64), whole

    def curve(self, x: Tensor) -> Tensor:
        """Return Pillow's kernel at x: triangle, cubic with a = −0.5, or Lanczos with a = 3."""
        x = x.abs()
        if self.kernel == "bicubic":
            near = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1
            far = (((x - 5) * x + 8) * x - 4) * -0.5
            return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
        if self.kernel == "lanczos":
            return torch.where(x < 3, _sinc(x) * _sinc(x / 3), torch.zeros_like(x))
        return (1 - x).clamp(min=0.0)

    def nearest(
        self, start: Tensor, extent: Tensor, count: Tensor, side: int
    ) -> tuple[Tensor, Tensor]:
        """Return the pixel below each output (S,), and whether it is one (S,)."""
        scale = extent / count
        steps = scale.expand(self.size - 1)
        # Pillow adds step to step, and what that rounds decides which of two neighbours it is.
        at = torch.cumsum(torch.cat([(start + scale * 0.5).unsqueeze(0), steps]), 0)
        last = torch.full((), side - 1, dtype=torch.float64)
        found = torch.minimum(torch.trunc(at), last).to(torch.int64)
        inside = torch.arange(self.size, dtype=torch.float64) < count
        return found, inside.to(torch.float32)


def _sinc(x: Tensor) -> Tensor:
    angle = torch.where(x == 0, torch.ones_like(x), x) * math.pi
    return torch.where(x == 0, torch.ones_like(x), torch.sin(angle) / angle)


def _mixed(levels: Tensor) -> Tensor:
    """(…, 3, A, B) -> (…, 1, A, B) grey, as Pillow's L: ITU-R 601-2 in 16-bit fixed point."""
    red, green, blue = levels.unbind(-3)
    total = red * 19595.0 + green * 38470.0 + blue * 7471.0 + 32768.0  # below 2^24: exact
    return torch.floor(total / 65536.0).unsqueeze(-3)


def _summed(levels: Tensor, weights: Tensor) -> Tensor:
    """(B, C, A, L) times (B, L, n) -> (B, C, A, n) in whole levels, rounded as Pillow rounds.

    float32 holds 24 bits and the sums have 30. So the upper and the lower bits of the weights are
    summed apart, and each sum is exact.
    """
    half, whole = 2048.0, 4194304.0  # 2^11, 2^22
    upper = torch.floor(weights / half)
    lower = weights - upper * half
    high = torch.matmul(levels, upper.to(torch.float32).unsqueeze(1))
    low = torch.matmul(levels, lower.to(torch.float32).unsqueeze(1))
    carried = torch.floor(high / half)
    rest = (high - carried * half) * half + low
    rounded = carried + torch.floor(rest / whole + 0.5)
    return rounded.clamp(0.0, 255.0)
