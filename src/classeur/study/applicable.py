"""Which options change something in a run: one that does nothing is refused, or left to others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from classeur.config import (
    AugmentationConfig,
    ModelConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
)
from classeur.models.registry import is_pretrained, options_of

_METHODS = {
    "frozen": frozenset({"method", "weights", "views"}),
    "fine-tune": frozenset(
        {"method", "weights", "head_epochs", "unfreeze", "layer_decay", "keep_norms"}
    ),
    "scratch": frozenset({"method", "weights"}),
}
"""Method -> the options of TransferConfig it uses. From scratch, weights only say how to resize."""

_OF_LEARNING = frozenset(
    {"loss", "focal_gamma", "class_weights", "sampling", "restore_prior", "ema"}
)
"""Options of TrainingConfig that mean nothing to the majority class, which only counts."""

_MIXING = frozenset({"mixup", "cutmix"})
"""Options of augmentation that blend photos, and so have no place among views of one photo."""

DECISIVE = ("method", "views", "head")
"""Options that decide which others change something."""


def applicable(config: RunConfig) -> frozenset[str]:
    """Return the options of network, transfer, augmentation and training that change something.

    Raises:
        ModelError: if the network is unknown.
    """
    options = options_of(config.model.name) | used_by_method(config)
    if config.model.head != "dense":
        options -= {"units"}
    if is_augmented(config):
        options |= names_of(AugmentationConfig)
        if _is_frozen(config):
            options -= _MIXING
    training = names_of(TrainingConfig)
    if config.model.name == "majority":
        training -= _OF_LEARNING
    return options | training


def unused_options(config: RunConfig) -> list[str]:
    """Return the options that were changed from their defaults but change nothing.

    Raises:
        ModelError: if the network is unknown.
    """
    used = applicable(config)
    plain = RunConfig()
    return [
        name
        for section in ("model", "transfer", "augmentation", "training")
        for name, value in vars(getattr(config, section)).items()
        if name not in ("name", *used) and value != getattr(getattr(plain, section), name)
    ]


def contradictions(config: RunConfig) -> list[str]:
    """Return a sentence for every option that needs another one."""
    found = []
    if config.transfer.views and _is_frozen(config) and not config.augmentation.is_on:
        found.append("views needs augmentation: without any, all views of a photo are the same.")
    if config.augmentation.saturation and config.preprocessing.color == "grey":
        found.append("saturation needs photos in colour: leave it out, or color grey.")
    has = {**vars(config.training), **vars(config.augmentation)}
    if config.training.restore_prior and not _shifts_prior(has):
        found.append(
            "restore_prior has nothing to restore without class_weights, sampling balanced or "
            "extra_augment_rare."
        )
    return found


def used_by_method(config: RunConfig) -> frozenset[str]:
    """Return the options of TransferConfig that a run uses."""
    if not is_pretrained(config.model.name):
        return frozenset()
    return _METHODS[config.transfer.method]


def is_augmented(config: RunConfig) -> bool:
    """Whether options of augmentation change anything: features of a photo itself never change."""
    if config.model.name == "majority":
        return False
    return not _is_frozen(config) or config.transfer.views > 0


def without_ground(config: RunConfig, options: Mapping[str, Any]) -> set[str]:
    """Return the options that build on others which a recipe has not.

    Args:
        config: of the recipe.
        options: that are to change it; they may be the ground.
    """
    given = {name: value for name, value in options.items() if value is not None}
    has = {**vars(config.training), **vars(config.augmentation), **given}
    if not is_augmented(config):
        has["extra_augment_rare"] = False
        return set() if _shifts_prior(has) else {"restore_prior"}
    leaning = set()
    if not has["randaugment"]:
        leaning.add("magnitude")
    if not any(has[k] for k in names_of(AugmentationConfig) - {"magnitude", "extra_augment_rare"}):
        leaning.add("extra_augment_rare")
        has["extra_augment_rare"] = False
    return leaning if _shifts_prior(has) else leaning | {"restore_prior"}


def names_of(*sections: type[Any]) -> frozenset[str]:
    """Return the names of all options of some sections."""
    return frozenset(field.name for section in sections for field in dataclasses.fields(section))


ALL = names_of(ModelConfig, TransferConfig, AugmentationConfig, TrainingConfig) - {"name"}
"""All options that some run has no use for."""


def _shifts_prior(has: Mapping[str, Any]) -> bool:
    uneven = has["class_weights"] or has["sampling"] == "balanced"
    return bool(uneven or has["extra_augment_rare"])


def _is_frozen(config: RunConfig) -> bool:
    return is_pretrained(config.model.name) and config.transfer.method == "frozen"
