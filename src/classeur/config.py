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

from classeur.errors import ConfigError, did_you_mean, unknown

LAYOUTS = ("auto", "class-folders", "split-folders", "flat", "table", "idx", "arrays")
COLORS = ("auto", "rgb", "grey")
RESIZES = ("squash", "crop", "pad")
OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "one-cycle")
NORMALIZATIONS = ("none", "batch")
DEVICES = ("auto", "cpu", "cuda", "mps")
NUMBER_FORMATS = ("auto", "float32", "bfloat16")


class Section:
    """A group of options. Subclasses are frozen dataclasses and yield their problems."""

    def __post_init__(self) -> None:
        problems = self._type_problems() or list(self.problems())
        if problems:
            raise ConfigError(problems)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from ()

    def _type_problems(self) -> list[str]:
        """Return the problems with values of a wrong type and, if there are any, all others."""
        problems: list[str] = []
        right: dict[str, Any] = {}
        for name, expected in typing.get_type_hints(type(self)).items():
            value = getattr(self, name)
            if _is_a(value, expected):
                right[name] = value
            else:
                problems.append(f"{name} must be {_type_name(expected)}, received {value!r}.")
        if problems:
            _replaced(type(self)(), right, problems)
        return problems

    def at_least(self, minimum: float, *names: str) -> Iterator[str]:
        """Yield a problem for each named option below `minimum`."""
        for name in names:
            if not getattr(self, name) >= minimum:
                yield f"{name} must be at least {minimum:g}, received {getattr(self, name)!r}."

    def between(self, low: float, high: float, *names: str) -> Iterator[str]:
        """Yield a problem for each named option outside [low, high)."""
        for name in names:
            if not low <= getattr(self, name) < high:
                yield (
                    f"{name} must be at least {low:g} and below {high:g}, "
                    f"received {getattr(self, name)!r}."
                )

    def within(self, low: float, high: float, *names: str) -> Iterator[str]:
        """Yield a problem for each named option outside [low, high]."""
        for name in names:
            if not low <= getattr(self, name) <= high:
                yield (
                    f"{name} must be from {low:g} to {high:g}, received {getattr(self, name)!r}."
                )

    def one_of(self, choices: tuple[str, ...], name: str) -> Iterator[str]:
        """Yield a problem if the named option is none of the choices."""
        if getattr(self, name) not in choices:
            yield unknown(name, getattr(self, name), choices)


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
    split_seed: int = 0
    """Seed of the split and of `limit_per_class`."""
    manifest: str = ""
    """A manifest.csv to reuse exactly. Empty: a new split is made."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.one_of(LAYOUTS, "layout")
        yield from self.at_least(0, "top_classes", "limit_per_class", "split_seed")
        yield from self.between(0.001, 1, "val", "test")
        if self.val + self.test >= 1:
            yield (
                f"val and test must leave something to train on: "
                f"{self.val:g} + {self.test:g} is not below 1."
            )


@dataclass(frozen=True)
class PreprocessingConfig(Section):
    """How a photo becomes the pixels that the network sees."""

    size: int = 0
    """Side of the square that the network sees, in pixels. 0: chosen from 200 of the photos."""
    color: str = "auto"
    """`rgb`, `grey`, or `auto`: grey if every photo of a sample of 200 is."""
    resize: str = "squash"
    """`squash` to the square, `crop` the centre, or `pad` with black."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        if self.size and not 4 <= self.size <= 4096:
            yield f"size must be from 4 to 4096 pixels, received {self.size}."
        yield from self.one_of(COLORS, "color")
        yield from self.one_of(RESIZES, "resize")


@dataclass(frozen=True)
class ModelConfig(Section):
    """Which network, and its own options."""

    name: str = "conv3"
    """A name of `classeur.models.list_models()`."""
    dropout: float = 0.5
    """Probability that a unit of the dense layer is dropped."""
    spatial_dropout: float = 0.0
    """Probability that a whole channel is dropped after each convolution block."""
    normalization: str = "none"
    """`batch`: batch normalisation after each convolution; `none`."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.between(0, 1, "dropout", "spatial_dropout")
        yield from self.one_of(NORMALIZATIONS, "normalization")


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
    mixup: float = 0.0
    """Beta parameter of mix-up. 0: off."""
    cutmix: float = 0.0
    """Beta parameter of cut-mix. 0: off. With mix-up, each batch draws one of the two."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.within(0, 1, "flip", "erasing")
        yield from self.between(0, 1, "zoom", "shift", "brightness", "contrast", "saturation")
        yield from self.within(0, 180, "rotation")
        yield from self.between(0, 80, "shear")
        yield from self.at_least(0, "mixup", "cutmix")


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
    weight_decay: float = 0.0
    """Weight decay; decoupled for `adamw`, L2 for the others. Biases and norms are exempt."""
    schedule: str = "constant"
    """One of SCHEDULES, stepped after every batch."""
    label_smoothing: float = 0.0
    """Probability mass spread over the other labels."""
    class_weights: bool = False
    """Weigh each photo by the inverse frequency of its label."""
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
        yield from self.at_least(0, "weight_decay", "patience", "max_minutes")
        if not 0 < self.learning_rate <= 100:
            yield f"learning_rate must be above 0 and at most 100, received {self.learning_rate!r}."
        yield from self.between(0, 1, "label_smoothing")
        yield from self.one_of(OPTIMIZERS, "optimizer")
        yield from self.one_of(SCHEDULES, "schedule")
        yield from self.one_of(DEVICES, "device")
        yield from self.one_of(NUMBER_FORMATS, "number_format")


@dataclass(frozen=True)
class RunConfig(Section):
    """All that a run was asked: running it again repeats the run."""

    recipe: str = ""
    """Name of the recipe the values came from; the values below are what counts."""
    seed: int = 0
    """Seed of the initial weights, the order of the photos, augmentation and dropout."""
    data: DataConfig = field(default_factory=DataConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from self.at_least(0, "seed")

    def to_toml(self) -> str:
        """Return the config as TOML, every value written out."""
        return tomli_w.dumps(dataclasses.asdict(self))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build a config from nested mappings.

        Raises ConfigError that names every unknown option and every impossible value at once.
        """
        return typing.cast("Self", _build(cls, values, ""))

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a config. Raises ConfigError if the file is missing, no TOML, or wrong."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError([f"{path} cannot be read as TOML: {error}."]) from error
        return cls.from_mapping(values)


def override(section: Section, changes: Mapping[str, Any]) -> Any:
    """Return `section` with the given options changed; None means "as it is".

    `changes` may hold options of nested sections by their bare names (`epochs=3`).
    Raises ConfigError with every unknown option and impossible value.
    """
    remaining = {name: value for name, value in changes.items() if value is not None}
    problems: list[str] = []
    own = vars(section)
    nested = {name: value for name, value in own.items() if isinstance(value, Section)}
    known = [*own, *(key for value in nested.values() for key in vars(value))]
    for name, value in nested.items():
        taken = {key: remaining.pop(key) for key in list(remaining) if key in vars(value)}
        nested[name] = _replaced(value, taken, problems)
    for key in [key for key in remaining if key not in own]:
        problems.append(f'unknown option "{key}".{did_you_mean(key, known)}')
        del remaining[key]
    changed = _replaced(section, nested | remaining, problems)
    if problems:
        raise ConfigError(problems)
    return changed


def _replaced(section: Section, changes: Mapping[str, Any], problems: list[str]) -> Section:
    """Return the section with the changes; if they cannot be, as it is, adding the problems."""
    try:
        return dataclasses.replace(section, **changes)  # type: ignore[type-var]
    except ConfigError as error:
        problems += error.problems
        return section


def _build(kind: type[Section], values: Mapping[str, Any], where: str) -> Section:
    """Build one section from a mapping, collecting problems from it and from those inside."""
    hints = typing.get_type_hints(kind)
    problems: list[str] = []
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            problems.append(f'unknown option "{where}{key}".{did_you_mean(key, hints)}')
        elif isinstance(hints[key], type) and issubclass(hints[key], Section):
            if not isinstance(value, Mapping):
                problems.append(f"{where}{key} must be a table, received {value!r}.")
                continue
            try:
                arguments[key] = _build(hints[key], value, f"{where}{key}.")
            except ConfigError as error:
                problems += error.problems
        else:
            arguments[key] = tuple(value) if isinstance(value, list) else value
    try:
        built = kind(**arguments)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return built


def _is_a(value: object, expected: Any) -> bool:
    if typing.get_origin(expected) is tuple:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if expected is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, expected)


def _type_name(expected: Any) -> str:
    if typing.get_origin(expected) is tuple:
        return "a list of texts"
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return names.get(expected, f"a {getattr(expected, '__name__', expected)}")
