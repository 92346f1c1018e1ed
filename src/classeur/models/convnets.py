"""The small convolutional networks of the published student projects, from scratch."""

from __future__ import annotations

from torch import nn

from classeur.config import ModelConfig
from classeur.errors import ModelError
from classeur.models.baselines import dense_head, glorot
from classeur.models.registry import Shape, register

CHANNELS_PER_GROUP = 16
"""Of group normalisation: 2, 4 and 4 groups in conv3. So narrow a network has no room for the 32
groups that are usual in wide ones: on 32 filters, each channel would be a group of its own."""


@register("conv1", "dropout", "zca")
def conv1(shape: Shape, outputs: int, config: ModelConfig) -> nn.Module:
    """One convolution: 32 filters 3×3 ReLU, flatten, 128 ReLU, dropout, output."""
    channels, height, width = shape
    if min(height, width) < 3:
        raise ModelError(f"conv1 needs photos of at least 3×3 pixels, received {height}×{width}.")
    features = 32 * (height - 2) * (width - 2)
    return glorot(
        nn.Sequential(
            nn.Conv2d(channels, 32, 3),
            nn.ReLU(),
            nn.Flatten(),
            *dense_head(features, outputs, config),
        )
    )


@register("conv3", "dropout", "spatial_dropout", "normalization", "zca")
def conv3(shape: Shape, outputs: int, config: ModelConfig) -> nn.Module:
    """Three convolutions: 32, 64, 64 filters 3×3 ReLU, each max-pooled 2×2; 128, dropout, output.

    With `normalization` each convolution is followed by batch normalisation (Ioffe and Szegedy,
    2015), by group normalisation (Wu and He, 2018) in groups of `CHANNELS_PER_GROUP`, or by layer
    normalisation (Ba et al., 2016), which is one group of all channels. With `spatial_dropout` each
    block is followed by dropout of whole channels (Tompson et al., 2015).
    """
    channels, height, width = shape
    layers: list[nn.Module] = []
    for filters in (32, 64, 64):
        layers += _block(channels, filters, config)
        channels, height, width = filters, (height - 2) // 2, (width - 2) // 2
    if min(height, width) < 1:
        raise ModelError(
            f"conv3 needs photos of at least 22×22 pixels, received {shape[1]}×{shape[2]}. "
            "Choose a larger size, or conv1."
        )
    features = channels * height * width
    return glorot(nn.Sequential(*layers, nn.Flatten(), *dense_head(features, outputs, config)))


def _block(channels: int, filters: int, config: ModelConfig) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(channels, filters, 3)]
    layers += _normalization(filters, config.normalization)
    # ReLU after the pooling is the same function, on a quarter of the elements.
    layers += [nn.MaxPool2d(2), nn.ReLU()]
    if config.spatial_dropout:
        layers.append(nn.Dropout2d(config.spatial_dropout))
    return layers


def _normalization(filters: int, kind: str) -> list[nn.Module]:
    if kind == "batch":
        return [nn.BatchNorm2d(filters)]
    if kind == "group":
        return [nn.GroupNorm(filters // CHANNELS_PER_GROUP, filters)]
    return [nn.GroupNorm(1, filters)] if kind == "layer" else []
