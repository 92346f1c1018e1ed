"""A network layer by layer: output shapes and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from classeur.models.zca import Zca


@dataclass(frozen=True)
class Layer:
    """One row of the architecture table."""

    name: str
    """Where it stands in the network: `0`, `3.first.0`."""
    kind: str
    """Type and settings: `Conv2d 3→32, 3×3`."""
    output: tuple[int, ...]
    """Shape of the output for one photo, without the batch axis."""
    parameters: int
    """Trainable parameters."""


def summarize(network: nn.Module, shape: tuple[int, int, int]) -> list[Layer]:
    """Return the layers in the order they run, for photos of shape (C, H, W)."""
    layers: list[Layer] = []
    hooks = []

    def note(name: str, module: nn.Module) -> None:
        def hook(_: nn.Module, __: Any, output: torch.Tensor) -> None:
            output_shape = tuple(output.shape[1:])
            layers.append(Layer(name, _kind(module), output_shape, _own_parameters(module)))

        hooks.append(module.register_forward_hook(hook))

    for name, module in network.named_modules():
        is_leaf = not list(module.children()) and not _is_empty(module)
        if is_leaf or _own_parameters(module):  # timm's norms have their activation inside
            note(name, module)
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, *shape, device=device))
    network.train(was_training)
    for handle in hooks:
        handle.remove()
    return layers


def _own_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters(recurse=False) if p.requires_grad)


def _is_empty(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential)


def _kind(module: nn.Module) -> str:
    name = type(module).__name__
    if isinstance(module, nn.Conv2d):
        stride = f", stride {module.stride[0]}" if module.stride[0] != 1 else ""
        size = "×".join(str(k) for k in module.kernel_size)
        return f"{name} {module.in_channels}→{module.out_channels}, {size}{stride}"
    if isinstance(module, nn.Linear):
        return f"{name} {module.in_features}→{module.out_features}"
    if isinstance(module, (nn.Dropout, nn.Dropout2d)):
        return f"{name} {module.p:g}"
    if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
        return f"{name} {module.kernel_size}×{module.kernel_size}"
    if isinstance(module, Zca):
        return f"{name}, {len(module.components)} components"
    return name
