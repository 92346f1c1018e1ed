"""Where a convolutional network looks: Grad-CAM, computed by captum.

Selvaraju et al., 2017, "Grad-CAM: visual explanations from deep networks via gradient-based
localization": the last feature maps, each weighted with how much the answer grows with it. The map
is as coarse as those are, and says where the network looked, not what it saw there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from classeur.errors import ModelError
from classeur.models.classifier import Classifier, to_device


class Explainer:
    """Draws heat maps for one classifier.

    Raises:
        ModelError: if its network has no feature maps to look at.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.layer, shape = last_maps(classifier)
        size = classifier.preprocessing.geometry.size
        reach = _unpadded(classifier.network, self.layer)
        self._down, self._across = (_interpolation(places, size, reach) for places in shape)

    def heat(self, pixels: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
        """Return where a network looks for a class, from 0 to 1, the hottest place being 1.

        Args:
            pixels: one prepared photo, (H, W, C) uint8.
            target: index of the class.

        Returns:
            (H, W); all zeros where nothing speaks for the class.
        """
        from captum.attr import LayerGradCam

        network = self.classifier.network.eval()
        batch = self.classifier.preprocessing.normalize(
            to_device(pixels[None], self.classifier.device)
        )
        batch.requires_grad_()  # of a frozen network nothing else would have a gradient
        found = LayerGradCam(lambda photos: _all_logits(network(photos)), self.layer).attribute(
            batch, int(target), relu_attributions=True
        )  # (1, 1, h, w)
        coarse = found[0, 0].detach().float().cpu().numpy()
        heat: NDArray[np.float32] = self._down @ coarse @ self._across.T  # (h, w) -> (H, W)
        return heat / heat.max() if heat.max() > 0 else heat


def last_maps(classifier: Classifier) -> tuple[nn.Module, tuple[int, int]]:
    """Return the module whose output are the last feature maps (N, C, h, w), and (h, w).

    Maps of a single place have no more to say of where, so that h · w is above 1.

    Raises:
        ModelError: if there are none, or attention or another mixing of places comes after them.
    """
    maps: tuple[nn.Module, tuple[int, int]] | None = None
    convolved = False
    seen: torch.Tensor | None = None

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal maps, convolved, seen
        if output is seen and any(True for _ in module.children()):  # given by one inside it
            return
        convolved |= isinstance(module, nn.Conv2d)
        is_map = isinstance(output, torch.Tensor) and output.ndim == 4
        if convolved and is_map and output.shape[2] * output.shape[3] > 1:
            maps, seen = (module, (output.shape[2], output.shape[3])), output
        elif isinstance(module, nn.Linear) and inputs[0].ndim > 2:
            maps = None  # tokens: what the maps said has been mixed since

    network = classifier.network.eval()
    hooks = [module.register_forward_hook(note) for module in network.modules()]
    height, width, channels = classifier.preprocessing.geometry.shape
    try:
        with torch.no_grad():
            network(torch.zeros(1, channels, height, width, device=classifier.device))
    finally:
        for hook in hooks:
            hook.remove()
    if maps is None:
        raise ModelError(
            f"{classifier.config.name} has no convolution to look at; a heat map needs a "
            "convolutional network, for example conv3 or mobilenetv2_100."
        )
    return maps


def _unpadded(network: nn.Module, layer: nn.Module) -> tuple[float, int] | None:
    """Return the pixel that the first place of a layer looks at, and the step to the next one.

    None for a network that pads, whose places are spread evenly over all of the photo. One that
    does not pad, such as conv3, never has a place at the very border.
    """
    first, step = 0.0, 1
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            if type(module) not in (nn.Conv2d, nn.MaxPool2d) or _one(module.padding):
                return None
            first += (_one(module.kernel_size) - 1) / 2 * step
            step *= _one(module.stride)
        if module is layer:
            return None if list(module.children()) else (first, step)
    return None


def _one(value: Any) -> int:
    """Return the number for both sides of a square kernel; what is no number counts as padding."""
    number = value[0] if isinstance(value, tuple) else value
    return number if isinstance(number, int) else 1


def _interpolation(places: int, size: int, reach: tuple[float, int] | None) -> NDArray[np.float32]:
    """Return the matrix (size, places) of linear interpolation from places to pixels."""
    first, step = reach or ((size / places - 1) / 2, size / places)
    centres = first + step * np.arange(places)
    columns = [np.interp(np.arange(size), centres, one) for one in np.eye(places)]
    return np.stack(columns, axis=1).astype(np.float32)


def _all_logits(logits: torch.Tensor) -> torch.Tensor:
    """(N, 1) or (N, C) -> (N, C): of two classes each has one that grows with its probability."""
    return torch.cat([-logits, logits], dim=1) if logits.shape[1] == 1 else logits
