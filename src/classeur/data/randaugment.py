"""RandAugment (Cubuk et al., 2020): operations drawn at random, all with the same strength.

The fourteen operations of the paper, on batches of floating-point photos. What is blended or
counted follows Pillow's ImageEnhance and ImageOps, which the paper used; edges are reflected, as
for our other augmentations, where the paper filled them with grey.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

from classeur.data.warp import warp

STRONGEST = 10.0
"""Magnitude at which an operation goes as far as it can."""

Operation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Photos (n, C, H, W) and the strength of each (n,), from -1 to 1, to changed photos."""


def randaugment(
    photos: torch.Tensor, operations: int, magnitude: float, generator: torch.Generator
) -> torch.Tensor:
    """Return each photo after some operations, drawn for it alone; one may be drawn twice.

    Args:
        photos: (N, C, H, W) float from 0 to 1, of 1 or 3 channels.
        operations: how many, one after the other.
        magnitude: strength of each, from 0 to `STRONGEST`; half of them go the other way.
        generator: on the CPU, so that a seed draws the same operations on every device.

    Returns:
        (N, C, H, W) float from 0 to 1.
    """
    count, channels = photos.shape[:2]
    known = OPERATIONS if channels == 3 else [each for each in OPERATIONS if each is not _color]
    for _ in range(operations):
        drawn = torch.randint(len(known), (count,), generator=generator)
        side = 2.0 * torch.randint(2, (count,), generator=generator) - 1
        strengths = side * magnitude / STRONGEST
        changed = photos.clone()
        for number, operation in enumerate(known):
            rows = (drawn == number).nonzero()[:, 0]
            if len(rows):
                there = rows.to(photos.device)
                changed[there] = operation(photos[there], strengths[rows]).clamp(0, 1)
        photos = changed
    return photos


def _identity(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    return photos


def _autocontrast(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Stretch each channel from black to white; one of a single shade stays."""
    low, high = photos.amin((2, 3), keepdim=True), photos.amax((2, 3), keepdim=True)
    return torch.where(high > low, (photos - low) / (high - low).clamp(min=1e-6), photos)


def _equalize(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Give each of 256 shades of a channel the same number of pixels, as far as that goes."""
    values = (255 * photos).round().long().flatten(0, 1).flatten(1)  # (n · C, H · W)
    planes, pixels = values.shape
    apart = values + 256 * torch.arange(planes, device=values.device)[:, None]
    counts = torch.bincount(apart.flatten(), minlength=256 * planes).view(planes, 256)
    brightest = counts.gather(1, values.amax(1, keepdim=True))
    step = (pixels - brightest) // 255
    table = (counts.cumsum(1) - counts + step // 2) // step.clamp(min=1)
    equal = torch.where(step > 0, table.clamp(max=255).gather(1, values), values)
    return (equal / 255).view_as(photos)


def _rotate(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """By up to 30 degrees."""
    cos, sin = torch.cos(math.radians(30) * strengths), torch.sin(math.radians(30) * strengths)
    return _linear(photos, cos, -sin, sin, cos)


def _solarize(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Invert what is brighter than a threshold that falls from white to black."""
    return torch.where(photos >= 1 - _each(photos, strengths.abs()), 1 - photos, photos)


def _color(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    return _blend(_grey(photos), photos, strengths)


def _posterize(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Keep the upper 8 to 4 bits of each channel."""
    step = _each(photos, 2 ** (4 * strengths.abs()).round())
    return torch.floor((255 * photos).round() / step) * step / 255


def _contrast(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    return _blend(_grey(photos).mean((1, 2, 3), keepdim=True), photos, strengths)


def _brightness(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    return _blend(torch.zeros_like(photos), photos, strengths)


def _sharpness(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Away from, or towards, the mean of 3×3 pixels whose middle counts five times."""
    channels, height, width = photos.shape[1:]
    if min(height, width) < 3:
        return photos
    kernel = photos.new_ones(3, 3)
    kernel[1, 1] = 5
    kernel = (kernel / kernel.sum()).expand(channels, 1, 3, 3)
    smooth = photos.clone()  # the outermost pixels have no 3×3 pixels around them
    smooth[:, :, 1:-1, 1:-1] = functional.conv2d(photos, kernel, groups=channels)
    return _blend(smooth, photos, strengths)


def _shear_x(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    one = torch.ones_like(strengths)
    return _linear(photos, one, 0.3 * strengths, 0 * one, one)


def _shear_y(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    one = torch.ones_like(strengths)
    return _linear(photos, one, 0 * one, 0.3 * strengths, one)


def _translate_x(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    return _shifted(photos, 0.45 * strengths, 0 * strengths)


def _translate_y(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    return _shifted(photos, 0 * strengths, 0.45 * strengths)


OPERATIONS: tuple[Operation, ...] = (
    _identity, _autocontrast, _equalize, _rotate, _solarize, _color, _posterize, _contrast,
    _brightness, _sharpness, _shear_x, _shear_y, _translate_x, _translate_y,
)  # fmt: skip
"""In the order of the paper. Colour does nothing to grey photos and is not drawn for them."""


def _blend(base: torch.Tensor, photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """From a tenth of what sets a photo apart from its base to 1.9 times as much."""
    return base + (1 + 0.9 * _each(photos, strengths)) * (photos - base)


def _grey(photos: torch.Tensor) -> torch.Tensor:
    if photos.shape[1] == 1:
        return photos
    weights = photos.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)  # ITU-R 601 luma
    return (photos * weights).sum(dim=1, keepdim=True)


def _linear(
    photos: torch.Tensor, xx: torch.Tensor, xy: torch.Tensor, yx: torch.Tensor, yy: torch.Tensor
) -> torch.Tensor:
    matrices = torch.stack([torch.stack([xx, xy], 1), torch.stack([yx, yy], 1)], 1)
    return warp(photos, matrices, torch.zeros(len(photos), 2))


def _shifted(photos: torch.Tensor, right: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    return warp(photos, torch.eye(2).expand(len(photos), 2, 2), torch.stack([right, down], 1))


def _each(photos: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """(n,) on the CPU -> (n, 1, 1, 1) beside the photos."""
    return values.to(photos).view(-1, 1, 1, 1)
