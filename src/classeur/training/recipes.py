"""The rungs of the ladder, as data.

No recipe trains for more than 40 epochs. Those with a constant learning rate stop by the same rule,
those whose learning rate falls run to its end, so that a study compares the approaches and not the
patience of whoever wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from classeur.config import AugmentationConfig, ModelConfig, TrainingConfig
from classeur.errors import ConfigError, unknown


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained."""

    name: str
    description: str
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


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
        "conv3-dropout-batchnorm",
        "conv3 with both.",
        ModelConfig("conv3", spatial_dropout=0.2, normalization="batch"),
        _SCRATCH,
    ),
    Recipe(
        "conv3-augmented",
        "conv3 on photos that are mirrored, turned, zoomed and shifted anew every epoch.",
        ModelConfig("conv3"),
        _SCRATCH,
        _MOVED,
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
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _RECIPES}
"""Recipe by name, in the order of the ladder."""


DEFAULT_RUNGS = ("majority", "dense", "conv3", "conv3-augmented", "resnet-small")
"""What a study compares if it is not told."""


def get_recipe(name: str) -> Recipe:
    """Return a recipe by name. Raises ConfigError with a suggestion if there is none."""
    if name not in RECIPES:
        raise ConfigError([unknown("recipe", name, RECIPES)])
    return RECIPES[name]
