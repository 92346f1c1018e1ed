"""Does a photo resemble anything the run has learned from? Distance to the nearest class.

Lee et al., 2018, "A simple unified framework for detecting out-of-distribution samples": the
Mahalanobis distance of the features that the last layer is given, to the nearest class mean. Two
changes make it small and steady with few photos: features are scaled to length one, and their
covariance has its leading directions and one variance for all others (Tipping and Bishop, 1999,
"Probabilistic principal component analysis").

Where a distance becomes strange is said by the validation photos, as in conformal prediction
(Laxhammar and Falkman, 2010): of photos of the run's own kind no more than the stated share is
called strange. A network that has learned little has no features to tell by: its own photos, cut up
and shuffled, find it out, and it then calls nothing strange. `docs/decisions/0016-novelty.md` says
what all this was compared with.
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

LEAST = math.ceil(1 / SHARE) - 1
"""Validation photos without which `SHARE` cannot be kept."""

LEAST_AUROC = 0.8
"""Area under the curve, of own photos against the same cut up, below which nothing is told."""

DIRECTIONS = 32
"""Leading directions of the covariance, at most."""

_SMALLEST = 1e-6
"""Least variance of a direction: photos that are all the same have none."""


@dataclass(frozen=True)
class Known:
    """Where the training photos lie among the features, each scaled to length one."""

    means: torch.Tensor
    """(K, F) of the classes."""
    directions: torch.Tensor
    """(d, F) in which the photos of a class differ most, of length one, at right angles."""
    variances: torch.Tensor
    """(d,) along them."""
    rest: torch.Tensor
    """() variance along every other direction."""

    @classmethod
    def fit(cls, features: torch.Tensor, labels: torch.Tensor) -> Known:
        """Learn from features (M, F) of training photos and their labels (M,); M is at least 2."""
        scaled = unit(features)
        classes, rows = torch.unique(labels, return_inverse=True)
        means = torch.stack([scaled[rows == row].mean(0) for row in range(len(classes))])
        _, values, vectors = torch.linalg.svd(scaled - means[rows], full_matrices=False)
        variances = values**2 / max(1, len(scaled) - len(classes))
        kept = min(DIRECTIONS, len(values) // 2)
        left = max(1, scaled.shape[1] - kept)
        return cls(
            means,
            vectors[:kept],
            variances[:kept].clamp(min=_SMALLEST),
            (variances[kept:].sum() / left).clamp(min=_SMALLEST),
        )

    def distance(self, features: torch.Tensor) -> torch.Tensor:
        """(N, F) -> (N,) distance to the nearest class."""
        scaled = unit(features)
        away = torch.cdist(scaled, self.means) ** 2  # (N, K)
        along = (scaled @ self.directions.T)[:, None] - self.means @ self.directions.T  # (N, K, d)
        extra = along**2 @ (1 / self.variances - 1 / self.rest)
        squared = away / self.rest + extra
        return squared.min(dim=1).values.clamp(min=0).sqrt()


@dataclass(frozen=True)
class Novelty:
    """What a run has seen, and how far from it the validation photos are."""

    known: Known
    distances: torch.Tensor
    """(V,) of the validation photos, ascending."""
    auroc: float | None = None
    """How well they are told from photos cut up and shuffled, 0.5: not at all. None: an older run
    that was not put to that test."""

    @property
    def tells(self) -> bool:
        """Whether the network has learned enough to tell strange photos."""
        return self.auroc is None or self.auroc >= LEAST_AUROC

    def threshold(self, share: float = SHARE) -> float:
        """Return the distance beyond which a photo is strange.

        Args:
            share: of photos of the run's own kind that may be called strange, from 0 to 1.

        Raises:
            InferenceError: if there are too few validation photos for so small a share.
        """
        count = len(self.distances)
        # 1e-9: 0.05 · 20 is not to fall below 1 by a rounding error
        beyond = math.floor(share * (count + 1) + 1e-9) if 0 < share < 1 else 0
        if beyond < 1:
            raise InferenceError(
                f"a strange share of {share:g} cannot be kept: with {count} validation photos it "
                f"must be at least {1 / (count + 1):.2g}, and below 1."
            )
        return max(float(self.distances[count - min(beyond, count)]), 1e-12)

    def save(self, run: RunFolder) -> None:
        """Write novelty.safetensors. Raises RunFolderError if the disk refuses."""
        tensors = {**vars(self.known), "distances": self.distances}
        facts = {"version": str(NOVELTY_VERSION)}
        if self.auroc is not None:
            facts["auroc"] = str(self.auroc)
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
                names = (*Known.__dataclass_fields__, "distances")
                tensors = {name: file.get_tensor(name).float() for name in names}
            auroc = float(facts["auroc"]) if "auroc" in facts else None
        except (OSError, SafetensorError, ValueError) as error:
            raise RunFolderError(f"{run.novelty} cannot be read: {error}.") from error
        advice = "Delete it to predict without it, or train the run again."
        if facts.get("version") != str(NOVELTY_VERSION):
            raise RunFolderError(
                f"{run.novelty} is of version {facts.get('version')}; this Classeur reads version "
                f"{NOVELTY_VERSION}. {advice}"
            )
        distances = tensors.pop("distances")
        known = Known(**tensors)
        if not _fits(known, distances, last_dense(network)):
            raise RunFolderError(
                f"{run.novelty} does not belong to the network of this run. {advice}"
            )
        return cls(known, distances.sort().values, auroc)


def _fits(known: Known, distances: torch.Tensor, layer: nn.Linear | None) -> bool:
    width = None if layer is None else layer.in_features
    count = len(known.variances)
    shapes = [known.means.shape[1:], known.directions.shape, known.rest.shape, distances.shape]
    return (
        shapes == [(width,), (count, width), (), (len(distances),)]
        and len(known.means) > 0
        and len(distances) > 0
        and all(tensor.isfinite().all() for tensor in (*vars(known).values(), distances))
        and bool((known.variances > 0).all() and known.rest > 0)
    )


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
        note(inputs[0].detach().float().cpu())

    layer = last_dense(network)
    handle = layer.register_forward_pre_hook(hook) if layer is not None else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


@contextmanager
def measuring(network: nn.Module, known: Known) -> Iterator[list[NDArray[np.float32]]]:
    """Give a list to which every pass through the network adds the distances (N,) of its photos."""
    found: list[NDArray[np.float32]] = []
    with watching(network, lambda features: found.append(known.distance(features).numpy())):
        yield found
