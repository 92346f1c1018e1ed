"""ZCA whitening over the training photos, as a first layer that never learns.

Whitening makes the inputs of a network uncorrelated with variance one; among all ways to do so ZCA
changes a photo least, so that it still looks like one (Bell and Sejnowski, 1997, "The
'independent components' of natural scenes are edge filters"; Krizhevsky, 2009, "Learning multiple
layers of features from tiny images", appendix A). With mean μ, principal components v₁ … v_D of
the training photos and their variances λ₁ ≥ … ≥ λ_D, a photo x becomes

    ZCA(x) = Σᵢ vᵢ vᵢᵀ (x − μ) / √(λᵢ + ε)

Photos have too many pixels, and a folder too few photos, for all D components. Here the first k
are kept, and all that is left of the photo has the scale of the last of them:

    y = g · [ (x − μ) · s_k + Σ_{i ≤ k} vᵢ (sᵢ − s_k) vᵢᵀ (x − μ) ],    sᵢ = 1 / √(λᵢ + ε)

One factor g for all gives the mean pixel variance one, which networks expect; the covariance in the
leading components is then g² times the identity.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import nn

from classeur.errors import ModelError, TrainingError
from classeur.models.preprocessing import Preprocessing

MAX_INPUTS = 224 * 224 * 3
"""Largest photo that is whitened, in numbers: channels · height · width."""

MAX_WEIGHTS = 64_000_000
"""Most numbers that the components may have together; 256 MB in model.safetensors."""

MAX_PHOTOS = 2000
"""Photos that the components are learned from, at most."""

EPSILON = 0.01
"""ε, as a fraction of the mean variance of a pixel."""

_BLOCK = 4096
"""Pixels that are in memory as floating-point numbers at once, for each photo."""


class Zca(nn.Module):
    """(N, C, H, W) normalised photos -> the same, whitened. Nothing in it is trained."""

    mean: torch.Tensor
    components: torch.Tensor
    scales: torch.Tensor
    rest: torch.Tensor

    def __init__(self, shape: tuple[int, int, int], components: int) -> None:
        super().__init__()
        inputs = _checked(shape, components)
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("components", torch.zeros(components, inputs))
        self.register_buffer("scales", torch.ones(components))
        self.register_buffer("rest", torch.ones(()))

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H, W), float32, channels-last in memory."""
        # In bfloat16 the components that are amplified most would be rounding errors.
        with torch.autocast(photos.device.type, enabled=False):
            centred = photos.float().flatten(1) - self.mean  # (N, D)
            found = centred @ self.components.T  # (N, k)
            white = self.rest * centred + (found * (self.scales - self.rest)) @ self.components
        return white.view(photos.shape).contiguous(memory_format=torch.channels_last)

    def fit(
        self, photos: NDArray[np.uint8], rows: NDArray[np.int64], preprocessing: Preprocessing
    ) -> None:
        """Learn mean, components and scales from photos of the training split.

        Args:
            photos: (N, H, W, C) uint8.
            rows: those of the training split; at most `MAX_PHOTOS` of them are used, evenly spread.
            preprocessing: how the network sees them.

        Raises:
            TrainingError: if there are too few of them for so many components.
        """
        count = len(self.components)
        used = min(len(rows), MAX_PHOTOS)
        if used <= count:
            there = f"there are {used}" if used == len(rows) else f"at most {used:,} are used"
            raise TrainingError(
                f"zca of {count} components needs more than {count} training photos; {there}. "
                "Choose a smaller --zca."
            )
        some = rows[np.linspace(0, len(rows) - 1, used).round().astype(np.int64)]
        pixels = np.empty((len(some), len(self.mean)), np.uint8)
        for photo, row in zip(pixels, some, strict=True):
            photo[:] = photos[row].transpose(2, 0, 1).ravel()
        mean, gram = _moments(pixels, preprocessing)
        variances, vectors = _largest(gram, count)
        scales = _scales(variances, float(gram.trace()), pixels.shape[1])
        self.mean.copy_(mean)
        self.components.copy_(_components(pixels, preprocessing, mean, vectors))
        self.scales.copy_(scales)
        self.rest.copy_(scales[-1])


def zca_of(network: nn.Module) -> Zca | None:
    """Return the whitening layer of a network; None if it has none."""
    return next((module for module in network.modules() if isinstance(module, Zca)), None)


def _checked(shape: tuple[int, int, int], components: int) -> int:
    """Return channels · height · width. Raises ModelError if that is too much to whiten."""
    channels, height, width = shape
    inputs = channels * height * width
    received = f"received {height}×{width}×{channels} = {inputs:,} numbers"
    if inputs > MAX_INPUTS:
        raise ModelError(
            f"zca needs photos of at most 224×224×3 = {MAX_INPUTS:,} numbers, {received}. Choose a "
            "smaller --size."
        )
    if components >= inputs:
        raise ModelError(
            f"zca needs fewer components than a photo has numbers, {received} and {components} "
            "components. Choose a smaller --zca."
        )
    if components * inputs > MAX_WEIGHTS:
        raise ModelError(
            f"zca can keep at most {MAX_WEIGHTS // inputs:,} components of such photos "
            f"({MAX_WEIGHTS * 4 // 10**6} MB of weights), {received} and {components:,} "
            "components. Choose a smaller --zca or --size."
        )
    return inputs


def _moments(
    pixels: NDArray[np.uint8], preprocessing: Preprocessing
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean (D,), and the Gram matrix (n, n) of the centred photos over n − 1.

    Its eigenvalues are those of the (D, D) covariance, which would not fit into memory (Sirovich,
    1987, "Turbulence and the dynamics of coherent structures").
    """
    count, inputs = pixels.shape
    mean, gram = torch.empty(inputs), torch.zeros(count, count, dtype=torch.float64)
    for start in range(0, inputs, _BLOCK):
        block = _block(pixels, start, preprocessing)
        mean[start : start + _BLOCK] = block.mean(0)
        centred = block - mean[start : start + _BLOCK]
        gram += centred @ centred.T
    return mean, gram / (count - 1)


def _largest(gram: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest eigenvalues (k,) and their eigenvectors as rows, (k, n)."""
    whole = len(gram)
    values, vectors = eigh(gram.numpy(), subset_by_index=[whole - count, whole - 1])  # ascending
    return torch.tensor(values).flip(0).clamp(min=0), torch.tensor(vectors).T.flip(0)


def _scales(variances: torch.Tensor, whole: float, inputs: int) -> torch.Tensor:
    """Return g · sᵢ (k,) for the leading variances and the sum of all of them."""
    spread = max(whole / inputs, 1e-6)  # blank photos have none to divide by
    scales = (variances + EPSILON * spread).rsqrt()
    left = (whole - variances.sum()) * scales[-1] ** 2
    total = (variances * scales**2).sum() + left
    return scales * (inputs / total.clamp(min=1e-6 * inputs)).sqrt()


def _components(
    pixels: NDArray[np.uint8], preprocessing: Preprocessing, mean: torch.Tensor,
    vectors: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Return the principal components (k, D) of length one for eigenvectors of the Gram matrix."""
    inputs = pixels.shape[1]
    components = torch.empty(len(vectors), inputs)
    weights = vectors.float()
    for start in range(0, inputs, _BLOCK):
        centred = _block(pixels, start, preprocessing) - mean[start : start + _BLOCK]
        components[:, start : start + _BLOCK] = weights @ centred
    components /= components.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return components


def _block(pixels: NDArray[np.uint8], start: int, preprocessing: Preprocessing) -> torch.Tensor:
    """Return some columns of the photos (n, D), in the order C, H, W, normalised."""
    plane = pixels.shape[1] // preprocessing.geometry.channels
    columns = torch.arange(start, min(start + _BLOCK, pixels.shape[1])) // plane
    unit = torch.from_numpy(pixels[:, start : start + _BLOCK]).float() / 255
    mean, std = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
    return (unit - mean[columns]) / std[columns]
