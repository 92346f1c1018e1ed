"""What a network learns from: prepared pixels, or the features of a frozen backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.config import AugmentationConfig
from classeur.data.augment import augment, mix
from classeur.models.preprocessing import Preprocessing, to_unit


@dataclass
class TrainingData:
    """Prepared pixels and the rows of the two splits that training may see."""

    photos: NDArray[np.uint8]
    """(N, H, W, C), usually memory-mapped."""
    labels: NDArray[np.int64]
    """(N,)"""
    train: NDArray[np.int64]
    """Rows of the training split."""
    val: NDArray[np.int64]
    """Rows of the validation split."""


class Inputs(Protocol):
    """Rows of the training data, made into what a network takes."""

    data: TrainingData

    def read(
        self, rows: NDArray[np.int64], epoch: int, turns: NDArray[np.int64] | None = None
    ) -> NDArray[Any]:
        """Return rows as they lie on disk.

        Args:
            rows: of the data, (n,).
            epoch: counted from 1; 0: for scoring.
            turns: how often each row came before in the epoch, (n,); None: not at all.
        """

    def to_train(
        self, batch: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and their targets (N, num_classes), changed at random -> the network's input."""

    def to_score(self, batch: torch.Tensor) -> torch.Tensor:
        """Rows -> the network's input, nothing at random."""


@dataclass
class Pixels:
    """Photos, augmented on the device."""

    data: TrainingData
    preprocessing: Preprocessing
    augmentation: AugmentationConfig

    def read(
        self,
        rows: NDArray[np.int64],
        epoch: int,  # noqa: ARG002
        turns: NDArray[np.int64] | None = None,  # noqa: ARG002
    ) -> NDArray[np.uint8]:
        """Return photos (n, H, W, C)."""
        return self.data.photos[rows]

    def to_train(
        self, batch: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, H, W, C) uint8 -> (n, C, H, W) float32, augmented and standardized; targets mixed."""
        photos = augment(to_unit(batch), self.augmentation, generator)
        return mix(self.preprocessing.standardize(photos), targets, self.augmentation, generator)

    def to_score(self, batch: torch.Tensor) -> torch.Tensor:
        """(n, H, W, C) uint8 -> (n, C, H, W) float32, standardized."""
        return self.preprocessing.normalize(batch)
