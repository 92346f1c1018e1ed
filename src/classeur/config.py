"""What is asked of a run, as frozen dataclasses: TOML in and out, all problems at once."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import tomli_w

from classeur.errors import ConfigError
from classeur.section import Section, build

LAYOUTS = ("auto", "class-folders", "split-folders", "flat", "table", "idx", "arrays")
COLORS = ("auto", "rgb", "grey")
RESIZES = ("squash", "crop", "pad")
OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "one-cycle")
NORMALIZATIONS = ("none", "batch", "group", "layer")
LOSSES = ("cross-entropy", "focal")
SAMPLINGS = ("shuffled", "balanced")
HEADS = ("linear", "dense")
METHODS = ("frozen", "fine-tune", "scratch")
INTERPOLATIONS = ("auto", "nearest", "bilinear", "bicubic", "lanczos")
DEVICES = ("auto", "cpu", "cuda", "mps")
NUMBER_FORMATS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class DataConfig(Section):
    """Which photos, under which labels, in which split."""

    photos: str = ""
    """Folder or file that holds the photos."""
    layout: str = "auto"
    """One of LAYOUTS; `auto` recognises it."""
    label_from: str = ""
    """Regular expression on the file name; its first group is the label. For the layouts `flat` and
    `split-folders`. Empty: not used."""
    group_from: str = ""
    """Regular expression on the path of a photo below `photos`; its first group, or all of the
    match, names what the photo belongs to (patient, camera, day), which then lies in one split.
    Photos that do not match belong to nothing. Empty: not used."""
    group_column: str = ""
    """Column of a table that names what each photo belongs to. Empty: `group` or `group_id`, if
    there is one."""
    classes: tuple[str, ...] = ()
    """Keep only these labels. Empty: all."""
    top_classes: int = 0
    """Keep the N labels with the most photos. 0: all."""
    limit_per_class: int = 0
    """Keep at most N photos of a label in each split the data came with. 0: all."""
    val: float = 0.2
    """Fraction of the photos for the validation split, where the data brought none. Beside a test
    split that it brought: `val / (1 - test)` of the other photos."""
    test: float = 0.2
    """Fraction of the photos for the test split, where the data brought none. Beside a validation
    split that it brought: `test / (1 - val)` of the other photos."""
    folds: int = 0
    """Cut the photos into K parts, each of them the test split of one fold. 0: one split."""
    fold: int = 1
    """Of the folds, the one whose split is made, from 1. A study makes them all."""
    split_seed: int = 0
    """Seed of the split and of `limit_per_class`."""
    manifest: str = ""
    """A manifest.csv to reuse exactly. Empty: a new split is made."""
    drop_suspicious: str = ""
    """A list of `classeur labels` whose column `decision` somebody has filled in: every photo whose
    label was found wrong is left out. Empty: none."""
    relabel: str = ""
    """The same, but photos are dropped only where it says so; the others get the label that was
    decided. Empty: none."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.one_of(LAYOUTS, "layout")
        yield from self.at_least(0, "top_classes", "limit_per_class", "split_seed")
        if self.group_from and self.group_column:
            yield "group_from and group_column both name the groups: choose one of the two."
        yield from self.between(0.001, 1, "val", "test")
        if self.folds or self.fold != 1:
            yield from self._problems_of_folds()
        elif self.val + self.test >= 1:
            yield (
                f"val and test must leave something to train on: "
                f"{self.val:g} + {self.test:g} is not below 1."
            )
        if self.drop_suspicious and self.relabel:
            yield (
                "drop_suspicious and relabel both say what becomes of wrong labels: choose one "
                "of the two."
            )
        if self.manifest and (self.drop_suspicious or self.relabel):
            yield (
                "drop_suspicious and relabel change nothing with a manifest, which has the labels "
                "already: leave out one or the other."
            )

    def _problems_of_folds(self) -> Iterator[str]:
        if self.folds < 2:
            wrong = f"folds must be 0 or at least 2, received {self.folds}."
            yield wrong if self.folds else "fold needs folds."
            return
        if not 1 <= self.fold <= self.folds:
            yield f"fold must be from 1 to {self.folds}, received {self.fold}."
        if self.val + 1 / self.folds >= 1:
            yield (
                f"val and folds must leave something to train on: "
                f"{self.val:g} + 1/{self.folds} is not below 1."
            )
        if self.test != DataConfig.test:
            yield f"folds have a test split of 1/{self.folds} of the photos each: leave out test."
        if self.manifest:
            yield "folds make splits of their own: leave out manifest."


@dataclass(frozen=True)
class PreprocessingConfig(Section):
    """How a photo becomes the pixels that the network sees."""

    size: int = 0
    """Side of the square that the network sees, in pixels. 0: that of the pre-trained weights, else
    chosen from 200 of the photos."""
    color: str = "auto"
    """`rgb`, `grey`, or `auto`: grey if every photo of a sample of 200 is."""
    resize: str = "squash"
    """`squash` to the square, `crop` the centre, or `pad` with black."""
    interpolation: str = "auto"
    """One of INTERPOLATIONS; `auto`: that of the pre-trained weights, else bilinear."""
    filters: tuple[str, ...] = ()
    """Changes to each photo after the resize, in the order given, from FILTERS. To see them:
    `classeur inspect --filters`."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        if self.size and not 4 <= self.size <= 4096:
            yield f"size must be from 4 to 4096 pixels, received {self.size}."
        yield from self.one_of(COLORS, "color")
        yield from self.one_of(RESIZES, "resize")
        yield from self.one_of(INTERPOLATIONS, "interpolation")


@dataclass(frozen=True)
class ModelConfig(Section):
    """Which network, and its own options."""

    name: str = "conv3"
    """A name of `classeur.list_models()`, or of any network of timm."""
    dropout: float = 0.5
    """Probability that a unit of the dense layer is dropped; in a linear head, of a feature."""
    spatial_dropout: float = 0.0
    """Probability that a whole channel is dropped after each convolution block."""
    zca: int = 0
    """Principal components of the training photos that a first layer whitens (ZCA). 0: none."""
    normalization: str = "none"
    """After each convolution: `batch`, `group` (of 16 channels), `layer` (all channels of a photo
    together) or `none`."""
    head: str = "linear"
    """On a backbone of timm: `linear` on its pooled features, or `dense` on its feature maps."""
    units: int = 256
    """Units of a dense head."""
    arguments: tuple[str, ...] = ()
    """What timm builds a backbone with, as `name=value`: `pad_type=same`."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.between(0, 1, "dropout", "spatial_dropout")
        yield from self.one_of(NORMALIZATIONS, "normalization")
        yield from self.one_of(HEADS, "head")
        yield from self.at_least(1, "units")
        yield from self.at_least(0, "zca")


@dataclass(frozen=True)
class AugmentationConfig(Section):
    """Random changes to each training photo, drawn anew every epoch. All zero: none."""

    flip: float = 0.0
    """Probability of a left-right mirror image."""
    rotation: float = 0.0
    """Largest rotation either way, in degrees."""
    zoom: float = 0.0
    """Largest zoom in or out, as a fraction of the size."""
    shift: float = 0.0
    """Largest shift along either axis, as a fraction of the size."""
    shear: float = 0.0
    """Largest shear either way, in degrees."""
    brightness: float = 0.0
    """Largest change of brightness, as a fraction."""
    contrast: float = 0.0
    """Largest change of contrast, as a fraction."""
    saturation: float = 0.0
    """Largest change of saturation, as a fraction. Colour photos only."""
    erasing: float = 0.0
    """Probability that a random rectangle is erased."""
    randaugment: int = 0
    """Operations of RandAugment on each photo, drawn from 14. 0: off."""
    magnitude: float = 5.0
    """Strength of RandAugment's operations, from 0 to 10; 5 unless it is given."""
    mixup: float = 0.0
    """Beta parameter of mix-up. 0: off."""
    cutmix: float = 0.0
    """Beta parameter of cut-mix. 0: off. With mix-up, each batch draws one of the two."""
    extra_augment_rare: bool = False
    """Photos of rare classes are seen more often in an epoch, each time augmented anew: as often as
    brings their class to the size of the largest, at most 10 times. It multiplies the `views` of
    frozen features alike, and shifts the probabilities towards rare classes."""

    @property
    def is_on(self) -> bool:
        """Whether anything changes a photo."""
        about = ("magnitude", "extra_augment_rare")
        return any(value for name, value in vars(self).items() if name not in about)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.within(0, 1, "flip", "erasing")
        yield from self.between(0, 1, "zoom", "shift", "brightness", "contrast", "saturation")
        yield from self.within(0, 180, "rotation")
        yield from self.between(0, 80, "shear")
        yield from self.at_least(0, "mixup", "cutmix")
        yield from self.within(0, 14, "randaugment")
        yield from self.within(0, 10, "magnitude")
        if not self.randaugment and self.magnitude != AugmentationConfig.magnitude:
            yield f"magnitude {self.magnitude!r} does nothing without randaugment: give it, too."
        if self.extra_augment_rare and not self.is_on:
            yield (
                "extra_augment_rare has nothing to draw views with: turn on flip, rotation or "
                "another augmentation."
            )


@dataclass(frozen=True)
class TrainingConfig(Section):
    """How the network is trained, and when it stops."""

    epochs: int = 20
    """Largest number of passes over the training photos."""
    batch_size: int = 32
    """Photos per step."""
    optimizer: str = "adam"
    """One of OPTIMIZERS. `sgd` has Nesterov momentum 0.9."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    warmup_epochs: float = 0.0
    """Epochs in which the learning rate first rises to its peak. Not with `one-cycle`."""
    weight_decay: float = 0.0
    """Weight decay; decoupled for `adamw`, L2 for the others. Biases and norms are exempt."""
    schedule: str = "constant"
    """One of SCHEDULES, stepped after every batch."""
    loss: str = "cross-entropy"
    """`cross-entropy`, or `focal`: photos that are well classified already count less."""
    focal_gamma: float = 2.0
    """With `focal`: how much less; 0 is the cross-entropy."""
    label_smoothing: float = 0.0
    """Probability mass spread over the other labels."""
    class_weights: bool = False
    """Weigh each photo by the inverse frequency of its label. It shifts the probabilities towards
    rare classes."""
    sampling: str = "shuffled"
    """`shuffled`: each photo once an epoch; `balanced`: as many photos an epoch, but each class as
    often as any other. That shifts the probabilities towards rare classes."""
    restore_prior: bool = False
    """Shift the probabilities back to how frequent the classes are, where class weights, balanced
    sampling or `extra_augment_rare` have shifted them."""
    ema: float = 0.0
    """Decay, a step, of a moving average of the weights, which then is what is validated and kept:
    `0.99`. 0: off."""
    patience: int = 5
    """Stop after so many epochs without a higher validation accuracy, or the same at a lower loss.
    0: never."""
    max_minutes: float = 0.0
    """Time budget for training. 0: none."""
    device: str = "auto"
    """`cuda`, `mps`, `cpu`, or `auto`: the first of them that is there."""
    number_format: str = "auto"
    """`bfloat16` (autocast), `float32`, or `auto`: bfloat16 where the hardware multiplies it."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.at_least(1, "epochs", "batch_size")
        yield from self.at_least(0, "weight_decay", "patience", "max_minutes", "warmup_epochs")
        if not 0 < self.learning_rate <= 100:
            yield f"learning_rate must be above 0 and at most 100, received {self.learning_rate!r}."
        yield from self.between(0, 1, "label_smoothing", "ema")
        yield from self.one_of(OPTIMIZERS, "optimizer")
        yield from self.one_of(SCHEDULES, "schedule")
        yield from self.one_of(LOSSES, "loss")
        yield from self.within(0, 10, "focal_gamma")
        if self.loss == "cross-entropy" and self.focal_gamma != TrainingConfig.focal_gamma:
            yield (
                f"focal_gamma {self.focal_gamma!r} does nothing without the focal loss: give "
                'loss "focal", too.'
            )
        yield from self.one_of(SAMPLINGS, "sampling")
        if self.class_weights and self.sampling == "balanced":
            yield (
                "class_weights does nothing with balanced sampling, where each class is seen as "
                "often as any other: choose one of the two."
            )
        yield from self.one_of(DEVICES, "device")
        yield from self.one_of(NUMBER_FORMATS, "number_format")


@dataclass(frozen=True)
class TransferConfig(Section):
    """How a backbone of timm is used. Our own networks have none of these options."""

    method: str = "frozen"
    """`frozen`: the head learns, on features computed once; `fine-tune`: then the backbone too;
    `scratch`: all of it, from weights freshly drawn."""
    weights: str = ""
    """A .safetensors file, or a folder of them by timm's names. Empty: the folder in
    CLASSEUR_WEIGHTS, else the Hugging Face hub."""
    views: int = 0
    """Augmented views of each training photo among the features of a frozen backbone. 0: only the
    photo itself."""
    head_epochs: int = 20
    """With `fine-tune`: epochs in which the head learns alone, before the backbone does."""
    unfreeze: str = "all"
    """With `fine-tune`: what learns of the backbone: `all`; the topmost N blocks; `blocks`: one
    more in each epoch, from the top down."""
    layer_decay: float = 0.7
    """With `fine-tune`: learning rate of a block, as a fraction of that of the block above it."""
    keep_norms: bool = False
    """With `fine-tune`: batch-norm statistics stay as they were pre-trained."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.one_of(METHODS, "method")
        yield from self.at_least(0, "views", "head_epochs")
        yield from self.within(0.01, 1, "layer_decay")
        is_number = self.unfreeze.isdecimal() and int(self.unfreeze) > 0
        if self.unfreeze not in ("all", "blocks") and not is_number:
            yield f'unfreeze must be all, blocks or a number of blocks, received "{self.unfreeze}".'


SECTIONS = ("preprocessing", "model", "augmentation", "training", "transfer")
"""The parts of a config that a recipe is made of; the data are not its business."""


@dataclass(frozen=True)
class RunConfig(Section):
    """All that a run was asked: running it again repeats the run."""

    recipe: str = ""
    """Name of the recipe the values came from; the values below are what counts."""
    description: str = ""
    """What the recipe is, in a sentence."""
    seed: int = 0
    """Seed of the initial weights, the order of the photos, augmentation and dropout."""
    data: DataConfig = field(default_factory=DataConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.at_least(0, "seed")
        if self.augmentation.extra_augment_rare and self.training.sampling == "balanced":
            yield (
                "extra_augment_rare and balanced sampling both say how often a photo is seen: "
                "choose one of the two."
            )

    def to_toml(self) -> str:
        """Return the config as TOML, every value written out."""
        return tomli_w.dumps(dataclasses.asdict(self))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build a config from nested mappings.

        Raises ConfigError that names every unknown option and every impossible value at once.
        """
        return typing.cast("Self", build(cls, values))

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a config. Raises ConfigError if the file is missing, no TOML, or wrong."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError([f"{path} cannot be read as TOML: {error}."]) from error
        return cls.from_mapping(values)
