"""One object from file bytes to the numbers a network sees. It travels with the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from classeur.data.decode import Decoded
from classeur.data.geometry import Geometry
from classeur.errors import ModelError


@dataclass(frozen=True)
class Preprocessing:
    """Geometry on the processor, normalisation on the network's device."""

    geometry: Geometry
    mean: tuple[float, ...]
    """Mean of each channel, pixels scaled to 0..1."""
    std: tuple[float, ...]
    """Standard deviation of each channel, pixels scaled to 0..1."""

    def open(
        self, photo: bytes | NDArray[np.generic] | Image.Image
    ) -> tuple[NDArray[np.uint8], Decoded]:
        """Decode, resize and filter one photo to (H, W, C) uint8.

        Raises:
            UnreadablePhotoError: with the reason, if it does not decode.
        """
        return self.geometry.open(photo)

    def normalize(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, H, W, C) uint8 -> (N, C, H, W) float32, normalised, channels-last in memory."""
        return self.standardize(to_unit(pixels))

    def standardize(self, photos: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) from 0 to 1 -> the same with mean 0 and standard deviation 1."""
        mean = torch.tensor(self.mean, device=photos.device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=photos.device).view(-1, 1, 1)
        return (photos - mean) / std

    def to_dict(self) -> dict[str, Any]:
        """Return the values as a mapping of plain types."""
        return {**self.geometry.to_dict(), "mean": list(self.mean), "std": list(self.std)}

    def __post_init__(self) -> None:
        figures = (*self.mean, *self.std)
        if len(figures) != 2 * self.geometry.channels or not all(map(math.isfinite, figures)):
            raise ModelError(
                f"mean and std need a finite number for each of {self.geometry.channels} channels, "
                f"received {self.mean} and {self.std}."
            )
        if min(self.std) <= 0:
            raise ModelError(f"std must be above 0, received {self.std}.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Build from what `to_dict` returned."""
        rest = dict(values)
        mean, std = tuple(rest.pop("mean")), tuple(rest.pop("std"))
        return cls(Geometry.from_dict(rest), mean, std)


def to_unit(pixels: torch.Tensor) -> torch.Tensor:
    """(N, H, W, C) uint8 -> (N, C, H, W) float32 from 0 to 1, channels-last in memory."""
    return pixels.permute(0, 3, 1, 2).float() / 255  # the permutation copies nothing


def measure(
    photos: NDArray[np.uint8], indices: NDArray[np.int64], at_most: int = 2000
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of each channel over photos of the training split.

    Args:
        photos: (N, H, W, C) uint8.
        indices: rows of the training split.
        at_most: photos to look at, evenly spread over the indices.
    """
    step = max(1, math.ceil(len(indices) / at_most))
    total, squares, count = 0.0, 0.0, 0
    for index in indices[::step]:
        pixels = photos[index].reshape(-1, photos.shape[3]).astype(np.float64) / 255
        total, squares = total + pixels.sum(axis=0), squares + (pixels**2).sum(axis=0)
        count += len(pixels)
    mean = np.atleast_1d(total / count)
    std = np.sqrt(np.maximum(np.atleast_1d(squares / count) - mean**2, 0))
    # Blank photos have no spread; dividing by one leaves them as they are.
    std = np.where(std < 1e-3, 1.0, std)
    return tuple(np.round(mean, 4).tolist()), tuple(np.round(std, 4).tolist())
