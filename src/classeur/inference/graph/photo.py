"""Upright photo -> pixels -> probabilities: what every export is made from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from classeur.data.filters import parse_filters
from classeur.data.geometry import Geometry
from classeur.inference.graph.filters import graph_filters
from classeur.inference.graph.resample import Resample
from classeur.models.classifier import Classifier


class Prepare(nn.Module):
    """(H, W, 3) uint8, an upright photo in RGB -> (1, S, S, C) uint8, as `Geometry.pixels` has it.

    Args:
        geometry: of the run.
        resample: what resizes; `PairedResample` where there is no float64.

    Raises:
        InferenceError: naming every filter that cannot be part of a graph.
    """

    def __init__(self, geometry: Geometry, resample: type[Resample] = Resample) -> None:
        super().__init__()
        self.size = geometry.size
        self.pads = geometry.resize == "pad"
        self.resample = resample(geometry)
        self.filters = graph_filters(parse_filters(geometry.filters))

    def forward(self, photo: Tensor) -> Tensor:
        """Resize and filter one photo."""
        picture, height, width = self.resample(photo.permute(2, 0, 1))
        for change in self.filters:
            picture, height, width = change(picture, height, width)
        if self.pads:
            picture = self.moved(self.moved(picture, 1, height), 2, width)
        pixels: Tensor = picture.permute(1, 2, 0).to(torch.uint8).unsqueeze(0)
        return pixels

    def moved(self, picture: Tensor, axis: int, length: Tensor) -> Tensor:
        """Move the picture from the edge of one axis to its middle; black around it."""
        at = torch.arange(self.size, dtype=torch.float64) - torch.floor((self.size - length) / 2)
        kept = ((at >= 0) & (at < length)).to(torch.float32)
        found = picture.index_select(axis, at.clamp(0.0, self.size - 1.0).to(torch.int64))
        return found * (kept if axis == 2 else kept.unsqueeze(1))


class Answer(nn.Module):
    """(N, S, S, C) uint8 prepared pixels -> probabilities (N, num_classes), calibrated."""

    mean: Tensor
    std: Tensor

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        channels = classifier.preprocessing.geometry.channels
        self.network = classifier.network
        self.temperature = classifier.temperature
        self.binary = len(classifier.class_names) == 2
        self.register_buffer(
            "mean", torch.tensor(classifier.preprocessing.mean).view(channels, 1, 1)
        )
        self.register_buffer("std", torch.tensor(classifier.preprocessing.std).view(channels, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise, run the network, calibrate."""
        photos = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255
        logits = self.network((photos - self.mean) / self.std) / self.temperature
        if self.binary:
            return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)
        return torch.softmax(logits, dim=1)


class Whole(nn.Module):
    """(H, W, 3) uint8, an upright photo in RGB -> probabilities (1, num_classes)."""

    def __init__(self, prepare: nn.Module, answer: nn.Module) -> None:
        super().__init__()
        self.prepare = prepare
        self.answer = answer

    def forward(self, photo: Tensor) -> Tensor:
        """Classify one photo."""
        result: Tensor = self.answer(self.prepare(photo))
        return result
