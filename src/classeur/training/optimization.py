"""Optimisers, learning-rate schedules and the loss."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from classeur.config import TrainingConfig

WIDE = 16_384
"""Inputs of a dense layer above which its learning rate falls in proportion."""

WIDE_NORMALIZED = 512
"""The same for a dense layer on flattened maps that were normalised: they are several times larger
than others, and so is every step."""

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm)


def make_optimizer(
    network: nn.Module, config: TrainingConfig, rates: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """Return the optimiser of a config. Biases and normalisation weights do not decay.

    A step of Adam moves every weight by about the learning rate, and so the output of a dense layer
    by as much as it has inputs: on all pixels of a photo it would overshoot. Its learning rate is
    divided by its inputs (Yang et al., 2022, "Tensor Programs V"), from `WIDE` inputs on, or from
    `WIDE_NORMALIZED` where its inputs were normalised.

    Args:
        network: what learns.
        config: which optimiser, and its settings.
        rates: parameter that learns -> its learning rate as a fraction of the schedule's. None: all
            that need a gradient learn, at the whole of it.
    """
    shares = {} if config.optimizer == "sgd" else _shares_of_wide_layers(network)
    cells: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if name in rates if rates else parameter.requires_grad:
            share = shares.get(parameter, 1.0) * (rates[name] if rates else 1.0)
            cells.setdefault((share, parameter.ndim > 1), []).append(parameter)
    groups = [
        {"params": some, "share": share, "weight_decay": config.weight_decay if decays else 0.0}
        for (share, decays), some in cells.items()
    ]
    # one pass over each tensor
    fused = all(p.device.type in ("cpu", "cuda") for some in cells.values() for p in some)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, config.learning_rate, momentum=0.9, nesterov=True, fused=fused
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, config.learning_rate, fused=fused)


def _shares_of_wide_layers(network: nn.Module) -> dict[torch.Tensor, float]:
    """Return the weight of each wide dense layer -> the part of the learning rate it gets."""
    limits = {layer: WIDE for layer in network.modules() if isinstance(layer, nn.Linear)}
    for part in network.modules():
        if isinstance(part, nn.Sequential) and any(isinstance(m, _NORMS) for m in part.modules()):
            for before, layer in itertools.pairwise(part):
                if isinstance(before, nn.Flatten) and isinstance(layer, nn.Linear):
                    limits[layer] = WIDE_NORMALIZED
    return {
        layer.weight: limit / layer.in_features
        for layer, limit in limits.items()
        if layer.in_features > limit
    }


def learning_rate_at(config: TrainingConfig, progress: float) -> float:
    """Return the learning rate after a share of the training, from 0 to 1.

    Progress is that of the steps or of the time budget, whichever is further: a schedule comes to
    its end however training is limited.

    `cosine` falls to zero (Loshchilov and Hutter, 2017). `one-cycle` rises over the first 30 % from
    a 25th of the peak, and falls to nothing (Smith and Topin, 2018).
    """
    peak = config.learning_rate
    if config.schedule == "cosine":
        return peak * _cosine(progress)
    if config.schedule == "one-cycle":
        if progress < 0.3:
            return peak / 25 + (peak - peak / 25) * (1 - _cosine(progress / 0.3))
        return peak * _cosine((progress - 0.3) / 0.7)
    return peak


def make_targets(labels: torch.Tensor, num_classes: int, smoothing: float) -> torch.Tensor:
    """Labels (N,) -> probabilities (N, num_classes), smoothed (Szegedy et al., 2016)."""
    targets = functional.one_hot(labels, num_classes).float()
    return targets * (1 - smoothing) + smoothing / num_classes


def loss_of(
    logits: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    gamma: float = 0.0,
) -> torch.Tensor:
    """Return the mean cross-entropy, or the mean focal loss.

    Args:
        logits: (N, 1) for two classes, else (N, num_classes).
        targets: (N, num_classes) probabilities.
        weights: (num_classes,) weight of each class; None: all one.
        gamma: of the focal loss; 0: the cross-entropy.
    """
    if gamma:
        each = _focal(logits.float(), targets, gamma)
    elif logits.shape[1] == 1:
        each = functional.binary_cross_entropy_with_logits(
            logits[:, 0].float(), targets[:, 1], reduction="none"
        )
    else:
        each = functional.cross_entropy(logits.float(), targets, reduction="none")
    return (each if weights is None else each * (targets @ weights)).mean()


def gamma_of(config: TrainingConfig) -> float:
    """Return the gamma of the loss that a config asks for: 0 for the cross-entropy."""
    return config.focal_gamma if config.loss == "focal" else 0.0


def _focal(logits: torch.Tensor, targets: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return the focal loss of each photo, (N,) (Lin et al., 2017).

    Of a label k it is −(1 − p_k)^gamma · log p_k. Targets that are smoothed or mixed take the mean
    of that over the classes, weighted by their probabilities, as the cross-entropy does.
    """
    if logits.shape[1] == 1:
        logs = functional.logsigmoid(torch.cat([-logits, logits], dim=1))
    else:
        logs = functional.log_softmax(logits, dim=1)
    # The slope of x^gamma at 0 is infinite for a gamma below 1.
    missing = (-torch.expm1(logs)).clamp(min=1e-7)
    return -(targets * missing**gamma * logs).sum(dim=1)


def predicted(logits: torch.Tensor) -> torch.Tensor:
    """Logits (N, 1) or (N, C) -> index of the most probable class, (N,)."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)


def balanced_weights(counts: torch.Tensor) -> torch.Tensor:
    """Return the inverse frequency of each class, (num_classes,), with mean 1 over the photos.

    Args:
        counts: photos of each class that an epoch shows, (num_classes,).
    """
    return counts.sum() / (len(counts) * counts.clamp(min=1).float())


def _cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * min(1.0, progress))) / 2
