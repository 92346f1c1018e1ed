"""Does a photo resemble anything the run has learned from? Distance to its nearest neighbours.

Sun et al., 2022, "Out-of-distribution detection with deep nearest neighbors": the features that
the last layer is given, each scaled to length one, and the distance to the k-th nearest of those of
training photos. Where that becomes strange is said by the validation photos, as in conformal
prediction (Laxhammar and Falkman, 2010): of photos of the run's own kind no more than the stated
share is called strange. `docs/decisions/0016-novelty.md` says what it was compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from classeur.errors import InferenceError, RunFolderError
from classeur.run_folder import RunFolder, replacing

NOVELTY_VERSION = 1

SHARE = 0.05
"""Share of photos of the run's own kind that are called strange, where nothing else is asked."""

NEIGHBOURS = 5
"""k: a photo is as far as its k-th nearest training photo."""

LEAST = math.ceil(1 / SHARE) - 1
"""Validation photos without which `SHARE` cannot be kept."""


@dataclass(frozen=True)
class Novelty:
    """Features of training photos, and how far from them the validation photos are."""

    features: torch.Tensor
    """(M, F) float32, each of length one."""
    distances: torch.Tensor
    """(V,) float32, of the validation photos, ascending."""

    def distance(self, features: torch.Tensor) -> torch.Tensor:
        """(N, F) -> (N,) distance to the k-th nearest training photo, from 0 to 2."""
        return distance(features, self.features)

    def threshold(self, share: float = SHARE) -> float:
        """Return the distance beyond which a photo is strange.

        Args:
            share: of photos of the run's own kind that may be called strange, from 0 to 1.

        Raises:
            InferenceError: if there are too few validation photos for so small a share.
        """
        count = len(self.distances)
        # 1e-9: 0.05 · 20 is not to fall below 1 by a rounding error
        beyond = math.floor(share * (count + 1) + 1e-9)
        if not 0 < share < 1 or beyond < 1:
            raise InferenceError(
                f"a strange share of {share:g} cannot be kept: with {count} validation photos it "
                f"must be at least {1 / (count + 1):.2g}, and below 1."
            )
        return max(float(self.distances[count - min(beyond, count)]), 1e-12)

    def save(self, run: RunFolder) -> None:
        """Write novelty.safetensors. Raises RunFolderError if the disk refuses."""
        tensors = {"features": self.features.half(), "distances": self.distances.float()}
        facts = {"version": str(NOVELTY_VERSION), "neighbours": str(NEIGHBOURS)}
        try:
            with replacing(run.novelty) as temporary:
                save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, temporary, facts)
        except (OSError, SafetensorError) as error:
            raise RunFolderError(f"cannot write {run.novelty}: {error}.") from error

    @classmethod
    def load(cls, run: RunFolder, network: nn.Module) -> Novelty | None:
        """Load what belongs to a run and its network; None if the run has none.

        Raises:
            RunFolderError: if it is broken, of another version, or of another network.
        """
        if not run.novelty.is_file():
            return None
        try:
            with safe_open(run.novelty, "pt") as file:
                facts = file.metadata() or {}
                features, distances = file.get_tensor("features"), file.get_tensor("distances")
        except (OSError, SafetensorError) as error:
            raise RunFolderError(f"{run.novelty} cannot be read: {error}.") from error
        expected = {"version": str(NOVELTY_VERSION), "neighbours": str(NEIGHBOURS)}
        if facts != expected:
            raise RunFolderError(
                f"{run.novelty} is of another version: expected {expected}, received {facts}. "
                "Delete it to predict without it, or train the run again."
            )
        layer = last_dense(network)
        fits = layer is not None and features.shape[1:] == (layer.in_features,)
        whole = len(features) and distances.ndim == 1 and len(distances)
        if not (fits and whole and features.isfinite().all() and distances.isfinite().all()):
            raise RunFolderError(
                f"{run.novelty} does not belong to the network of this run. Delete it to predict "
                "without it, or train the run again."
            )
        return cls(unit(features.float()), distances.float().sort().values)


def distance(features: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """(N, F), (M, F) of length one -> (N,) distance to the k-th nearest of the known."""
    near = (unit(features) @ known.to(features).T).topk(min(NEIGHBOURS, len(known))).values
    return (2 - 2 * near[:, -1]).clamp(min=0).sqrt()


def unit(features: torch.Tensor) -> torch.Tensor:
    """Scale features (N, F) to length one; what is all zero stays so."""
    return nn.functional.normalize(features.float(), eps=1e-9)


def last_dense(network: nn.Module) -> nn.Linear | None:
    """Return the layer that gives the logits; None for a network without one."""
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return layers[-1] if layers else None


@contextmanager
def watching(network: nn.Module, note: Callable[[torch.Tensor], None]) -> Iterator[None]:
    """Call `note` with the features (N, F) that the last layer is given, at every pass."""

    def hook(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        note(inputs[0].detach().float())

    layer = last_dense(network)
    handle = layer.register_forward_pre_hook(hook) if layer is not None else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


@contextmanager
def measuring(network: nn.Module, known: torch.Tensor) -> Iterator[list[NDArray[np.float32]]]:
    """Give a list to which every pass through the network adds the distances (N,) of its photos."""
    found: list[NDArray[np.float32]] = []
    with watching(network, lambda some: found.append(distance(some, known).cpu().numpy())):
        yield found
