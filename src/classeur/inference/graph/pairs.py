"""The weights of a resize where a program has no float64: each number is two float32.

The unevaluated sum of both has some 48 bits (T. J. Dekker, 1971, "A floating-point technique for
extending the available precision"). OpenVINO computes float64 in float32, and Pillow's 22-bit
weights need more than that: one that is wrong in its last bit tips the pixels that lie halfway
between two levels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from classeur.inference.graph.resample import Resample, larger, smaller

Pair = tuple[Tensor, Tensor]
"""(high, low): the number is their sum, and high is that sum as a float32."""


def added(one: Tensor, other: Tensor) -> Pair:
    """Return the exact sum of two float32 (Knuth)."""
    high = one + other
    share = high - one
    return high, (one - (high - share)) + (other - share)


def multiplied(one: Tensor, other: Tensor) -> Pair:
    """Return the exact product of two float32 (Dekker)."""
    high = one * other
    (a, b), (c, d) = _halves(one), _halves(other)
    return high, ((a * c - high) + a * d + b * c) + b * d


def _halves(number: Tensor) -> Pair:
    """Split 24 bits into 12 and 12 (Veltkamp)."""
    shifted = number * 4097.0
    upper = shifted - (shifted - number)
    return upper, number - upper


def plus(one: Pair, other: Pair) -> Pair:
    """Return the sum of two pairs."""
    high, rest = added(one[0], other[0])
    low, least = added(one[1], other[1])
    high, rest = added(high, rest + low)
    return added(high, rest + least)


def minus(one: Pair, other: Pair) -> Pair:
    """Return the difference of two pairs."""
    return plus(one, (-other[0], -other[1]))


def times(one: Pair, other: Pair) -> Pair:
    """Return the product of two pairs."""
    high, low = multiplied(one[0], other[0])
    return added(high, low + (one[0] * other[1] + one[1] * other[0]))


def over(one: Pair, other: Pair) -> Pair:
    """Return the quotient of two pairs: a guess, and what it lacks."""
    guess = one[0] / other[0]
    rest = minus(one, times((guess, torch.zeros_like(guess)), other))
    return added(guess, rest[0] / other[0])


def where(mask: Tensor, one: Pair, other: Pair) -> Pair:
    """Choose between two pairs."""
    return torch.where(mask, one[0], other[0]), torch.where(mask, one[1], other[1])


def magnitude(one: Pair) -> Pair:
    """Return a pair without its sign."""
    return where(one[0] < 0, (-one[0], -one[1]), one)


def whole(number: Tensor) -> Pair:
    """Return a float32 as a pair."""
    return number, torch.zeros_like(number)


def constant(value: float, like: Tensor) -> Pair:
    """Return a float64 as a pair."""
    high = float(torch.tensor(value, dtype=torch.float32))
    return torch.full_like(like, high), torch.full_like(like, value - high)


def rounded(one: Pair) -> Tensor:
    """Return the nearest whole number, halves away from zero."""
    size = magnitude(one)
    below = torch.floor(size[0])
    above = torch.floor((size[0] - below) + size[1] + 0.5)
    return torch.sign(one[0]) * (below + above)


def total(one: Pair, axis: int) -> Pair:
    """Return the sum over an axis of at most 4,096 numbers from −1 to 1.

    They are cut into whole numbers of 12 bits, whose sums a float32 holds in any order.
    """
    high, low = one
    found = whole(torch.zeros_like(high.sum(axis, keepdim=True)))
    for place in range(1, 5):
        part = torch.floor(high * 4096.0)
        high, low = added(high * 4096.0 - part, low * 4096.0)
        found = plus(found, whole(part.sum(axis, keepdim=True) / 4096.0**place))
    return found


class PairedResample(Resample):
    """`Resample` without float64; nearest and lanczos are as they were."""

    def span(self, side: int, other: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return where the part begins that is resampled, its length, and the pixels it becomes."""
        own, size = _number(side), _number(self.size)
        if self.resize == "crop":
            short = _number(smaller(side, other))
            cut = times(whole(short), constant(self.crop_pct, short))
            start = times(minus(whole(own), cut), constant(0.5, own))
            return start[0], plus(start, cut)[0] - start[0], size
        if self.resize == "pad":
            long = _number(larger(side, other))
            inner = rounded(over(multiplied(own, size), whole(long)))
            return torch.zeros_like(own), own, inner.clamp(min=1.0)
        return torch.zeros_like(own), own, size

    def weights(
        self, start: Tensor, extent: Tensor, count: Tensor, side: int, length: int
    ) -> tuple[Tensor, Tensor]:
        """Return the pixels below each block (blocks, L), and their weights (blocks, L, block)."""
        if self.kernel not in ("bilinear", "bicubic"):
            return super().weights(start, extent, count, side, length)
        scale = extent / count
        at = torch.arange(self.blocks * self.block, dtype=torch.float32)
        at = at.view(self.blocks, 1, self.block)
        first = start + (at[:, :, :1] + 0.5) * scale - self.support * scale.clamp(min=1.0)
        pixels = torch.floor(first) - 1 + torch.arange(length, dtype=torch.float32).view(1, -1, 1)
        # Twice the way from the middle of an output to a pixel, in outputs.
        way = minus(multiplied(2 * pixels + 1, count), multiplied(2 * at + 1, extent))
        way = minus(way, multiplied(2 * start, count))
        raw = self.paired_curve(magnitude(over(way, whole(2 * torch.maximum(extent, count)))))
        end = _number(side)
        inside = (pixels >= 0) & (pixels < end) & (at < count)
        raw = where(inside, raw, whole(torch.zeros_like(raw[0])))
        all_of_it = total(raw, 1)
        safe = where(all_of_it[0] == 0, whole(torch.ones_like(all_of_it[0])), all_of_it)
        shares = over(raw, safe)
        found = torch.minimum(pixels.squeeze(2).clamp(min=0.0), end - 1)
        return found.to(torch.int64), rounded((shares[0] * 4194304.0, shares[1] * 4194304.0))

    def paired_curve(self, x: Pair) -> Pair:
        """Return Pillow's kernel at x ≥ 0."""
        none, one = whole(torch.zeros_like(x[0])), whole(torch.ones_like(x[0]))
        if self.kernel == "bilinear":
            return where(x[0] < 1, minus(one, x), none)
        half_far = times(plus(times(minus(x, _times(one, 5)), x), _times(one, 8)), x)
        far = _times(minus(half_far, _times(one, 4)), -0.5)
        near = plus(times(times(minus(_times(x, 1.5), _times(one, 2.5)), x), x), one)
        return where(x[0] < 1, near, where(x[0] < 2, far, none))


def _number(size: int) -> Tensor:
    """Return a size, which may be a symbol, as a scalar."""
    return torch.full((), size, dtype=torch.float32)


def _times(one: Pair, number: float) -> Pair:
    """Return a pair times a number of few bits."""
    return times(one, constant(number, one[0]))
