"""The rungs of the ladder, as data.

No recipe trains for more than 40 epochs. Those with a constant learning rate stop by the same rule,
those whose learning rate falls run to its end, so that a study compares the approaches and not the
patience of whoever wrote them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classeur.config import (
    AugmentationConfig,
    ModelConfig,
    PreprocessingConfig,
    TrainingConfig,
    TransferConfig,
)
from classeur.errors import ConfigError, did_you_mean
from classeur.models.weights import is_backbone, list_backbones


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained."""

    name: str
    description: str
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)


_SCRATCH = TrainingConfig(epochs=40, patience=8)
_WIDE = TrainingConfig(
    epochs=12,
    patience=0,
    batch_size=64,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=0.05,
    schedule="one-cycle",
)
"""For a dense layer on all pixels, which soon learns them by heart: short, and to an end."""
_MOVED = AugmentationConfig(flip=0.5, rotation=15, zoom=0.15, shift=0.1, shear=5)

_HEAD = TrainingConfig(epochs=50, patience=10)
_TUNED = TrainingConfig(
    epochs=10,
    patience=0,
    optimizer="adamw",
    learning_rate=1e-4,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=1,
)
"""For a backbone: small steps, and to an end, so that what it knows is not lost."""
_MIRRORED = AugmentationConfig(flip=0.5)


def _frozen(name: str, backbone: str, description: str, **model: Any) -> Recipe:
    model = {"dropout": 0.2, **model}
    return Recipe(name, description, ModelConfig(backbone, **model), _HEAD)


def _fine_tuned(
    name: str, backbone: str, description: str, transfer: TransferConfig, **model: Any
) -> Recipe:
    model = {"dropout": 0.2, **model}
    return Recipe(name, description, ModelConfig(backbone, **model), _TUNED, _MIRRORED, transfer)


_RECIPES = (
    Recipe(
        "majority",
        "Always the most frequent class: the score that means nothing was learned.",
        ModelConfig("majority"),
        TrainingConfig(epochs=1, patience=0),
    ),
    Recipe(
        "dense",
        "A dense network of 128 units that sees pixels and no neighbourhoods.",
        ModelConfig("dense", dropout=0.2),
        _WIDE,
    ),
    Recipe(
        "conv1",
        "One convolution of 32 filters before the same dense layer.",
        ModelConfig("conv1", dropout=0.5),
        _WIDE,
    ),
    Recipe(
        "conv3",
        "Three convolutions with max-pooling: the network of the published student projects.",
        ModelConfig("conv3"),
        _SCRATCH,
    ),
    Recipe(
        "conv3-dropout",
        "conv3 with spatial dropout after each convolution.",
        ModelConfig("conv3", spatial_dropout=0.2),
        _SCRATCH,
    ),
    Recipe(
        "conv3-batchnorm",
        "conv3 with batch normalisation after each convolution.",
        ModelConfig("conv3", normalization="batch"),
        _SCRATCH,
    ),
    Recipe(
        "conv3-groupnorm",
        "conv3 with group normalisation, which needs no batch.",
        ModelConfig("conv3", normalization="group"),
        _SCRATCH,
    ),
    Recipe(
        "conv3-layernorm",
        "conv3 with layer normalisation: one group of all channels.",
        ModelConfig("conv3", normalization="layer"),
        _SCRATCH,
    ),
    Recipe(
        "conv3-dropout-batchnorm",
        "conv3 with spatial dropout and batch normalisation.",
        ModelConfig("conv3", spatial_dropout=0.2, normalization="batch"),
        _SCRATCH,
    ),
    Recipe(
        "conv3-dropout-batchnorm-augmented",
        "conv3 with spatial dropout, batch normalisation and augmentation.",
        ModelConfig("conv3", spatial_dropout=0.2, normalization="batch"),
        _SCRATCH,
        _MOVED,
    ),
    Recipe(
        "conv3-augmented",
        "conv3 on photos that are mirrored, turned, zoomed and shifted anew every epoch.",
        ModelConfig("conv3"),
        _SCRATCH,
        _MOVED,
    ),
    Recipe(
        "conv3-randaugment",
        "conv3 on photos that are mirrored and changed by two operations of RandAugment.",
        ModelConfig("conv3"),
        _SCRATCH,
        AugmentationConfig(flip=0.5, randaugment=2),
    ),
    Recipe(
        "conv3-equalized",
        "conv3 on photos whose levels are equalised, channel by channel.",
        ModelConfig("conv3"),
        _SCRATCH,
        preprocessing=PreprocessingConfig(filters=("equalize",)),
    ),
    Recipe(
        "conv3-whitened",
        "conv3 on photos that all have the same mean and spread of each channel.",
        ModelConfig("conv3"),
        _SCRATCH,
        preprocessing=PreprocessingConfig(filters=("whiten",)),
    ),
    Recipe(
        "resnet-small",
        "A narrow residual network with augmentation and a one-cycle schedule.",
        ModelConfig("resnet-small", dropout=0.0),
        TrainingConfig(
            epochs=40,
            patience=0,  # one cycle is over when it is over
            optimizer="adamw",
            learning_rate=2e-3,
            weight_decay=0.05,
            schedule="one-cycle",
            label_smoothing=0.05,
        ),
        _MOVED,
    ),
    _frozen(
        "mobilenet-frozen",
        "mobilenetv2_100",
        "MobileNet v2 as it learned from ImageNet, with a new linear head.",
    ),
    _fine_tuned(
        "mobilenet-fine-tuned",
        "mobilenetv2_100",
        "The same, and then all of it learns, less and less towards the photo.",
        TransferConfig("fine-tune", keep_norms=True),
    ),
    _frozen(
        "vgg16-frozen",
        "vgg16",
        "The classic recipe: VGG16 without its top, all layers frozen, flatten, dense, output.",
        head="dense",
        dropout=0.5,
    ),
    _fine_tuned(
        "vgg16-fine-tuned",
        "vgg16",
        "The same, and then its last block of three convolutions learns too.",
        TransferConfig("fine-tune", unfreeze="3"),
        head="dense",
        dropout=0.5,
    ),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _RECIPES}
"""Recipe by name, in the order of the ladder."""


_ENDINGS = ("-frozen", "-fine-tuned")
"""What makes a recipe of the name of any network of timm."""


def get_recipe(name: str) -> Recipe:
    """Return a recipe by name, by that of any network of timm (`resnet50-frozen`), or from a file.

    Raises:
        ConfigError: with a suggestion, if there is none; if a file is no recipe, with all problems.
    """
    if name in RECIPES:
        return RECIPES[name]
    if name.endswith(".toml"):
        from classeur.training.recipe_files import read_recipe

        return read_recipe(Path(name))
    for ending in _ENDINGS:
        backbone = name.removesuffix(ending)
        if backbone != name and is_backbone(backbone):
            if ending == "-frozen":
                return _frozen(name, backbone, f"{backbone} as it was pre-trained, and a new head.")
            how = TransferConfig("fine-tune", keep_norms=True)
            return _fine_tuned(name, backbone, f"{backbone}, all of it learning in the end.", how)
    of_timm = [backbone + ending for backbone in list_backbones() for ending in _ENDINGS]
    hint = did_you_mean(name, [*RECIPES, *of_timm])
    known = f"Expected one of: {', '.join(RECIPES)}"
    others = "NAME-frozen, NAME-fine-tuned (see: classeur models), or a file NAME.toml"
    raise ConfigError([f'unknown recipe "{name}".{hint} {known}. Or {others}.'])


def frozen_twin(recipe: Recipe) -> Recipe:
    """Return the recipe that trains the same head on the same backbone and leaves that frozen."""
    name = recipe.name.removesuffix("-fine-tuned") + "-frozen"
    return dataclasses.replace(
        recipe,
        name=name,
        description=f"{recipe.name} without the fine-tuning: the backbone stays frozen.",
        training=like(_HEAD, recipe.training),
        augmentation=AugmentationConfig(),
        transfer=TransferConfig(weights=recipe.transfer.weights),
    )


def like(start: TrainingConfig, training: TrainingConfig) -> TrainingConfig:
    """Return how a head learns alone, for the same loss on the same batches as another training."""
    return dataclasses.replace(start, **{name: getattr(training, name) for name in _OF_LOSS})


_OF_LOSS = (
    *("batch_size", "loss", "focal_gamma", "label_smoothing"),
    *("class_weights", "sampling", "restore_prior"),
)
