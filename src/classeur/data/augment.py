"""Random changes to a batch of training photos, on the device that trains.

Every photo of a batch gets its own draw. Geometry is one warp, so that a photo is resampled once
however many of flip, rotation, zoom, shift and shear are on. RandAugment comes after it and the
colours, erasing last.
"""

from __future__ import annotations

import math

import torch

from classeur.config import AugmentationConfig
from classeur.data.randaugment import randaugment
from classeur.data.warp import warp

Batch = tuple[torch.Tensor, torch.Tensor]


def augment(
    photos: torch.Tensor, config: AugmentationConfig, generator: torch.Generator
) -> torch.Tensor:
    """Return a randomly changed copy of each photo.

    Args:
        photos: (N, C, H, W) float from 0 to 1.
        config: what to change, and how far.
        generator: on the CPU, so that a seed draws the same changes on every device.

    Returns:
        (N, C, H, W) float from 0 to 1.
    """
    photos = _warped(photos, config, generator)
    photos = _recolored(photos, config, generator)
    if config.randaugment:
        photos = randaugment(photos, config.randaugment, config.magnitude, generator)
    return _erased(photos, config.erasing, generator) if config.erasing else photos


def mix(photos: torch.Tensor, targets: torch.Tensor, config: AugmentationConfig,
        generator: torch.Generator) -> Batch:  # fmt: skip
    """Blend the photos of a batch pairwise, and their targets alike.

    Mix-up (Zhang et al., 2018) blends whole photos, cut-mix (Yun et al., 2019) pastes a rectangle.
    With both on, each batch draws one of the two.

    Args:
        photos: (N, C, H, W).
        targets: (N, num_classes) probabilities.
        config: the Beta parameters `mixup` and `cutmix`.
        generator: on the CPU.
    """
    if not (config.mixup or config.cutmix):
        return photos, targets
    use_cutmix = bool(config.cutmix) and (
        not config.mixup or bool(torch.rand((), generator=generator) < 0.5)
    )
    alpha = config.cutmix if use_cutmix else config.mixup
    share = _beta(alpha, generator)
    order = torch.randperm(len(photos), generator=generator).to(photos.device)
    if use_cutmix:
        photos, share = _pasted(photos, photos[order], share, generator)
    else:
        photos = share * photos + (1 - share) * photos[order]
    return photos, share * targets + (1 - share) * targets[order]


def _warped(
    photos: torch.Tensor, config: AugmentationConfig, generator: torch.Generator
) -> torch.Tensor:
    if not any((config.flip, config.rotation, config.zoom, config.shift, config.shear)):
        return photos
    count = len(photos)
    mirror = torch.where(torch.rand(count, generator=generator) < config.flip, -1.0, 1.0)
    angle = _uniform(count, math.radians(config.rotation), generator)
    shear = torch.tan(_uniform(count, math.radians(config.shear), generator))
    scale = 1 / (1 + _uniform(count, config.zoom, generator))
    shifts = torch.stack([_uniform(count, config.shift, generator) for _ in "xy"], 1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Output -> input: scale, rotation and shear, then the mirror.
    rows = [
        torch.stack([mirror * scale * cos, mirror * scale * (shear * cos - sin)], 1),
        torch.stack([scale * sin, scale * (shear * sin + cos)], 1),
    ]
    return warp(photos, torch.stack(rows, 1), shifts)


def _recolored(
    photos: torch.Tensor, config: AugmentationConfig, generator: torch.Generator
) -> torch.Tensor:
    if not any((config.brightness, config.contrast, config.saturation)):
        return photos
    count, channels = photos.shape[:2]
    brightness = _factors(count, config.brightness, generator).to(photos.device)
    contrast = _factors(count, config.contrast, generator).to(photos.device)
    saturation = _factors(count, config.saturation, generator).to(photos.device)
    photos = photos * brightness
    mean = photos.mean(dim=(1, 2, 3), keepdim=True)
    photos = mean + contrast * (photos - mean)
    if channels == 3:
        weights = photos.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)  # ITU-R 601 luma
        grey = (photos * weights).sum(dim=1, keepdim=True)
        photos = grey + saturation * (photos - grey)
    return photos.clamp(0, 1)


def _erased(photos: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Fill a random rectangle with the photo's mean colour (Zhong et al., 2017)."""
    count, _, height, width = photos.shape
    area = 0.02 + 0.31 * torch.rand(count, generator=generator)
    aspect = torch.exp(_uniform(count, math.log(3.3), generator))
    half_height = (torch.sqrt(area * aspect) / 2).clamp(max=0.5)
    half_width = (torch.sqrt(area / aspect) / 2).clamp(max=0.5)
    chosen = torch.rand(count, generator=generator) < probability
    inside = _inside(count, height, half_height, generator)[:, :, None]
    inside = inside & _inside(count, width, half_width, generator)[:, None, :]
    mask = (inside & chosen[:, None, None])[:, None].to(photos.device)  # (N, 1, H, W)
    return torch.where(mask, photos.mean(dim=(2, 3), keepdim=True), photos)


def _pasted(
    photos: torch.Tensor, others: torch.Tensor, share: float, generator: torch.Generator
) -> tuple[torch.Tensor, float]:
    """Paste one rectangle of `others`; return the photos and the share that is still theirs."""
    height, width = photos.shape[2:]
    half = torch.full((1,), math.sqrt(1 - share) / 2)
    rows = _inside(1, height, half, generator)[:, :, None]
    mask = rows & _inside(1, width, half, generator)[:, None, :]
    kept = 1 - float(mask.float().mean())
    return torch.where(mask[:, None].to(photos.device), others, photos), kept


def _inside(
    count: int, length: int, half: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Which of `length` pixels lie within ±half (as a fraction) of a random centre, (N, length)."""
    centre = torch.rand(count, generator=generator)[:, None]
    position = ((torch.arange(length) + 0.5) / length)[None]
    return (position - centre).abs() < half[:, None]


def _uniform(count: int, limit: float, generator: torch.Generator) -> torch.Tensor:
    return (2 * torch.rand(count, generator=generator) - 1) * limit


def _factors(count: int, limit: float, generator: torch.Generator) -> torch.Tensor:
    return (1 + _uniform(count, limit, generator)).view(-1, 1, 1, 1)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """Draw from Beta(alpha, alpha) as a ratio of two Gamma draws."""
    pair = torch._standard_gamma(torch.full((2,), alpha), generator=generator)
    return float(pair[0] / pair.sum().clamp(min=1e-30))
