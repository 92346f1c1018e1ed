"""What any network has to beat: the majority class, and a dense network."""

from __future__ import annotations

import math

import torch
from torch import nn

from classeur.config import ModelConfig
from classeur.models.registry import Shape, register


class Majority(nn.Module):
    """Gives every photo the log of the training frequencies of the labels; never looks at it."""

    log_prior: torch.Tensor

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.register_buffer("log_prior", torch.zeros(outputs))

    def fit(self, counts: torch.Tensor) -> None:
        """Learn the frequencies from photos a class, (num_classes,)."""
        logs = torch.log(counts.float() / counts.sum())
        self.log_prior.copy_(logs[1:] - logs[:1] if len(self.log_prior) == 1 else logs)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, outputs)."""
        return self.log_prior.expand(len(photos), -1)


@register("majority")
def majority(shape: Shape, outputs: int, config: ModelConfig) -> nn.Module:  # noqa: ARG001
    """The most frequent class for every photo: what a score is worth nothing below."""
    return Majority(outputs)


@register("dense", "dropout", "zca")
def dense(shape: Shape, outputs: int, config: ModelConfig) -> nn.Module:
    """A dense network: flatten, 128 ReLU, dropout, output."""
    return glorot(nn.Sequential(nn.Flatten(), *dense_head(math.prod(shape), outputs, config)))


def dense_head(features: int, outputs: int, config: ModelConfig) -> list[nn.Module]:
    """Return 128 ReLU, dropout and output, for flattened features (N, features)."""
    return [
        nn.Linear(features, 128),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(128, outputs),
    ]


def glorot(network: nn.Module) -> nn.Module:
    """Draw weights as Keras does by default: Glorot-uniform, biases zero.

    The published projects were trained from there (Glorot and Bengio, 2010).
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
