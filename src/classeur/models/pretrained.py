"""A backbone that has learned from other photos, and a head for ours.

Every network of timm may be the backbone (Wightman, 2019, huggingface/pytorch-image-models). The
head is linear on the backbone's pooled features, or dense on its feature maps as in the classic
VGG16 recipe (Chollet, 2016, "Building powerful image classification models using very little
data").
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import build_model_with_cfg, group_parameters
from torch import nn

from classeur.config import ModelConfig
from classeur.errors import ModelError, WeightsError
from classeur.models.weights import Weights, fetched

MAX_NUMBER = 8192
"""Largest number in an argument: of layers, channels, pixels."""

_NOT_OF_NETWORKS = {
    *inspect.signature(timm.create_model).parameters,
    *inspect.signature(build_model_with_cfg).parameters,
} - {"kwargs"}
"""What timm itself takes: which weights to load, from which file or site."""

OPTIONS = ("dropout", "head", "units", "arguments")
"""The fields of ModelConfig that a pre-trained network uses."""


class Pretrained(nn.Module):
    """A backbone and a head: (N, 3, H, W) -> logits (N, outputs)."""

    def __init__(self, backbone: nn.Module, head: nn.Module, *, pooled: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.pooled = pooled
        self.keep_norms = False
        """Whether batch-norm statistics stay as they are even where the backbone learns."""

    def features(self, photos: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> pooled features (N, F), or flattened feature maps (N, F·h·w)."""
        maps = self.backbone.forward_features(photos)  # type: ignore[operator]
        if self.pooled:
            maps = self.backbone.forward_head(maps, pre_logits=True)  # type: ignore[operator]
        result: torch.Tensor = maps.flatten(1)
        return result

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> logits (N, outputs)."""
        result: torch.Tensor = self.head(self.features(photos))
        return result

    def train(self, mode: bool = True) -> Pretrained:
        """Switch to training, but for what is frozen: its batch-norm statistics do not move."""
        super().train(mode)
        if not any(p.requires_grad for p in self.backbone.parameters()):
            self.backbone.eval()
        for module in self.backbone.modules():
            is_frozen = not any(p.requires_grad for p in module.parameters())
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
                self.keep_norms or is_frozen
            ):
                module.eval()
        return self

    def blocks(self) -> dict[str, int]:
        """Return each parameter of the backbone -> the number of its block, 0 nearest the photo."""
        matcher = self.backbone.group_matcher(coarse=True)  # type: ignore[operator]
        by_name: dict[str, int] = group_parameters(self.backbone, matcher, reverse=True)
        rank = {number: i for i, number in enumerate(sorted(set(by_name.values())))}
        return {name: rank[number] for name, number in by_name.items()}

    def unfreeze(self, blocks: int | None) -> None:
        """Let the topmost blocks of the backbone learn, and the head; None: all blocks."""
        numbers = self.blocks()
        first = 0 if blocks is None else max(numbers.values()) + 1 - blocks
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad = numbers[name] >= first


def build_pretrained(shape: tuple[int, int, int], outputs: int, config: ModelConfig) -> Pretrained:
    """Build a backbone with freshly drawn weights and its head.

    Raises:
        ModelError: if timm refuses the arguments or the size of the photos, or they are grey.
    """
    if shape[0] != 3:
        raise ModelError(f"{config.name} needs photos in colour; leave out --color grey.")
    backbone = _backbone(config, shape[1])
    pooled = config.head == "linear"
    if not pooled:  # what follows the feature maps is not part of the network then
        for name in ("pre_logits", "head", "fc", "classifier"):
            if hasattr(backbone, name):
                setattr(backbone, name, nn.Identity())
    network = Pretrained(backbone, nn.Identity(), pooled=pooled)
    try:
        with torch.no_grad():
            width = network.eval().features(torch.zeros(1, *shape)).shape[1]
    except (RuntimeError, AssertionError, AttributeError) as error:
        raise ModelError(
            f"{config.name} does not fit photos of {shape[1]} pixels: {_one_line(error)}."
        ) from error
    network.head = _head(width, outputs, config)
    return network


def load_backbone(network: Pretrained, weights: Weights) -> Path:
    """Load pre-trained weights into a backbone, fetching them if they are on the hub.

    Returns:
        The file they came from.

    Raises:
        WeightsError: if they cannot be had, or are not those of this very network.
    """
    file = fetched(weights)
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {error}.") from error
    expected = network.backbone.state_dict()
    # Batch norm's counters decide nothing, and not every file has them.
    missing = [n for n in expected if n not in state and not n.endswith("num_batches_tracked")]
    wrong = [n for n in expected if n in state and state[n].shape != expected[n].shape]
    if missing or wrong:
        raise WeightsError(
            f"{file} does not hold the weights of {weights.name}: "
            + (f"it lacks {_some(missing)}" if missing else f"other shapes in {_some(wrong)}")
            + "."
        )
    own = {name: tensor for name, tensor in state.items() if name in expected}
    network.backbone.load_state_dict(own, strict=False)
    return file


def parse_arguments(arguments: tuple[str, ...]) -> dict[str, Any]:
    """`("pad_type=same", "depth=3")` -> `{"pad_type": "same", "depth": 3}`.

    Raises:
        ModelError: for one that is no `name=value`, that timm would load something by, or whose
            number is beyond any network's: a run folder may come from anybody.
    """
    parsed: dict[str, Any] = {}
    for argument in arguments:
        name, sign, text = argument.partition("=")
        if not (name.isidentifier() and sign):
            raise ModelError(f'arguments must be name=value, received "{argument}".')
        if name in _NOT_OF_NETWORKS:
            raise ModelError(f"{name} is no argument of a network. Leave it out.")
        if any(int(number) > MAX_NUMBER for number in re.findall(r"\d{1,300}", text)):
            raise ModelError(f'arguments hold numbers up to {MAX_NUMBER}, received "{argument}".')
        try:
            parsed[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            parsed[name] = text
    return parsed


def _backbone(config: ModelConfig, size: int) -> nn.Module:
    arguments = parse_arguments(config.arguments)
    try:
        try:
            # Transformers fix the size of the photos when they are built; convolutions refuse it.
            return timm.create_model(config.name, num_classes=0, img_size=size, **arguments)
        except TypeError:
            return timm.create_model(config.name, num_classes=0, **arguments)
    except (TypeError, RuntimeError, AssertionError, ValueError) as error:
        raise ModelError(f"{config.name} cannot be built: {_one_line(error)}.") from error


def _head(width: int, outputs: int, config: ModelConfig) -> nn.Module:
    if config.head == "linear":
        return nn.Sequential(nn.Dropout(config.dropout), nn.Linear(width, outputs))
    return nn.Sequential(
        nn.Linear(width, config.units),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.units, outputs),
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
