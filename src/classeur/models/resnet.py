"""A strong small network for photos from scratch: a narrow residual network.

Basic blocks of He et al. (2015), with the changes of "Bag of Tricks for Image Classification"
(He et al., 2019; ResNet-D): a deep stem, an average-pooled shortcut, and the last normalisation of
each block starting at zero, so that the network starts as a shallow one.
"""

from __future__ import annotations

import torch
from torch import nn

from classeur.config import ModelConfig
from classeur.errors import ModelError
from classeur.models.registry import Shape, register

WIDTHS = (64, 128, 256)
BLOCKS = 2


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_conv(inputs, outputs, stride), nn.ReLU())
        self.second = nn.Sequential(*_conv(outputs, outputs, 1))
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))
        self.activation = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        result: torch.Tensor = self.activation(self.second(self.first(x)) + self.shortcut(x))
        return result


@register("resnet-small", "dropout", "zca")
def resnet_small(shape: Shape, outputs: int, config: ModelConfig) -> nn.Module:
    """A narrow ResNet-D of 15 layers: 2.8 million parameters, global average pooling."""
    channels, height, width = shape
    if min(height, width) < 8:
        raise ModelError(
            f"resnet-small needs photos of at least 8×8 pixels, received {height}×{width}."
        )
    layers = _stem(channels, min(height, width))
    inputs = 32
    for stage, filters in enumerate(WIDTHS):
        for block in range(BLOCKS):
            stride = 2 if block == 0 and stage > 0 else 1
            layers.append(BasicBlock(inputs, filters, stride))
            inputs = filters
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(config.dropout)]
    return _initialized(nn.Sequential(*layers, *head, nn.Linear(inputs, outputs)))


def _stem(channels: int, side: int) -> list[nn.Module]:
    """Return two convolutions; large photos are halved, or quartered, before the blocks."""
    layers = [
        *_conv(channels, 32, 2 if side >= 64 else 1),
        nn.ReLU(),
        *_conv(32, 32, 1),
        nn.ReLU(),
    ]
    if side >= 96:
        layers.append(nn.MaxPool2d(3, stride=2, padding=1))
    return layers


def _conv(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


def _initialized(network: nn.Module) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, BasicBlock):
            nn.init.zeros_(layer.second[-1].weight)  # type: ignore[arg-type]
    return network
