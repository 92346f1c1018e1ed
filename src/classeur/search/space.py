"""Which options of a recipe a search may change, and between which values, as data."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from classeur.config import RunConfig
from classeur.errors import ConfigError, did_you_mean
from classeur.models.registry import is_pretrained
from classeur.report.units import plain
from classeur.study.applicable import applicable


@dataclass(frozen=True)
class Range:
    """Every number from `low` to `high`."""

    low: float
    high: float
    log: bool = False
    """Draw on a logarithmic scale."""
    factor: float = 0.0
    """Stay within this factor of the recipe's own value. 0: no such limit."""

    def holding(self, own: float) -> Range:
        """Return the range for a recipe: around its own value, which is always inside."""
        low, high = self.low, self.high
        if self.factor:
            low, high = max(low, own / self.factor), min(high, own * self.factor)
        return Range(min(low, own), max(high, own), self.log)

    def rounded(self, value: float, own: float) -> float:
        """Return a drawn value to three digits: no more of it can matter."""
        return own if value == own else float(f"{value:.3g}")


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    def holding(self, own: Any) -> Choice:
        """Return the choice for a recipe: its own value is always one of them."""
        if own in self.values:
            return self
        values = list(self.values)
        if isinstance(own, str):
            return Choice((own, *values))
        bisect.insort(values, own)
        return Choice(tuple(values))

    def rounded(self, value: Any, own: Any) -> Any:  # noqa: ARG002
        """Return the value: it is one of ours."""
        return value


Space = dict[str, Range | Choice]
"""Option -> the values it may take."""

SEARCHABLE: Space = {
    "learning_rate": Range(1e-5, 1e-1, log=True, factor=30),
    "weight_decay": Choice((0.0, 1e-4, 1e-3, 0.01, 0.05, 0.2)),
    "batch_size": Choice((16, 32, 64, 128)),
    "dropout": Range(0, 0.7),
    "label_smoothing": Range(0, 0.2),
    "optimizer": Choice(("adam", "adamw", "sgd")),
    "schedule": Choice(("constant", "cosine", "one-cycle")),
    "ema": Choice((0.0, 0.9, 0.99)),
    "class_weights": Choice((False, True)),
    "spatial_dropout": Range(0, 0.5),
    "normalization": Choice(("none", "batch")),
    "units": Choice((64, 128, 256, 512)),
    "layer_decay": Range(0.3, 1),
    "unfreeze": Choice(("all", "blocks", "1", "3")),
    "keep_norms": Choice((False, True)),
    "flip": Range(0, 0.5),
    "rotation": Range(0, 40),
    "zoom": Range(0, 0.4),
    "shift": Range(0, 0.3),
    "shear": Range(0, 20),
    "brightness": Range(0, 0.5),
    "contrast": Range(0, 0.5),
    "saturation": Range(0, 0.5),
    "erasing": Range(0, 0.5),
    "mixup": Range(0, 1),
    "cutmix": Range(0, 1),
}
"""Option -> its values, where no recipe says more. Epochs, patience and size are no part of it:
more of them costs more, and a search would only spend it all."""

_ALWAYS = ("learning_rate", "weight_decay", "batch_size", "dropout", "label_smoothing")
_IF_ON = ("spatial_dropout", "layer_decay", "rotation", "zoom", "shift")
"""Searched by default where the recipe itself makes use of them."""


def search_space(config: RunConfig, names: Sequence[str], fixed: Collection[str]) -> Space:
    """Return what a search varies.

    Args:
        config: the recipe's, with the options that were given.
        names: the options to search; none: a handful that suits the recipe.
        fixed: options that were given a value.

    Raises:
        ConfigError: naming every option that cannot be searched.
    """
    there = searchable(config)
    problems = [_problem(config.recipe, name, there, fixed) for name in dict.fromkeys(names)]
    chosen = list(names) or [name for name in by_default(config) if name not in fixed]
    if not chosen:
        problems.append(
            f"{config.recipe} has nothing to search"
            + (" but what was given." if there else ": it does not learn.")
        )
    if any(problems):
        raise ConfigError([problem for problem in problems if problem])
    return {
        name: SEARCHABLE[name].holding(value_of(config, name)) for name in there if name in chosen
    }


def searchable(config: RunConfig) -> list[str]:
    """Return the options that change something in a run of this config."""
    if config.model.name == "majority":
        return []
    used = applicable(config)
    if config.preprocessing.color == "grey":
        used -= {"saturation"}
    if config.training.sampling == "balanced":
        used -= {"class_weights"}
    return [name for name in SEARCHABLE if name in used]


def by_default(config: RunConfig) -> list[str]:
    """Return the options that are searched if nobody says which."""
    chosen = {*_ALWAYS, *(name for name in _IF_ON if value_of(config, name))}
    if is_pretrained(config.model.name) and config.transfer.method != "frozen":
        chosen.discard("batch_size")  # a whole backbone learns: memory sets it
    return [name for name in searchable(config) if name in chosen]


def value_of(config: RunConfig, name: str) -> Any:
    """Return the value that a config gives to an option that can be searched."""
    sections = (config.model, config.training, config.augmentation, config.transfer)
    return next(getattr(section, name) for section in sections if hasattr(section, name))


def own_values(config: RunConfig, space: Mapping[str, Range | Choice]) -> dict[str, Any]:
    """Return the values of a config for what is searched."""
    return {name: value_of(config, name) for name in space}


def in_words(values: Range | Choice) -> str:
    """Return `1e-05 to 0.1, logarithmic` or `16, 32, 64`."""
    if isinstance(values, Choice):
        return ", ".join(map(plain, values.values))
    return f"{values.low:g} to {values.high:g}{', logarithmic' if values.log else ''}"


def _problem(recipe: str, name: str, there: Sequence[str], fixed: Collection[str]) -> str:
    if name not in SEARCHABLE:
        known = f"Expected some of: {', '.join(there)}."
        return f'"{name}" cannot be searched.{did_you_mean(name, there)} {known}'
    if name not in there:
        return f"{recipe} has no option {name}."
    option = f"--{name.replace('_', '-')}"
    return f"{name} is both given and searched: leave out {option}." if name in fixed else ""
