"""A study's rungs and seeds -> a config for each run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classeur.config import AugmentationConfig, ModelConfig, RunConfig, TransferConfig
from classeur.errors import ConfigError
from classeur.models.registry import options_of
from classeur.run_folder import RunFolder
from classeur.study.material import Material
from classeur.study.train import configure, is_augmented, used_by_method
from classeur.training.recipes import Recipe

_MODEL_OPTIONS = {field.name for field in dataclasses.fields(ModelConfig)} - {"name"}
_TRANSFER_OPTIONS = {field.name for field in dataclasses.fields(TransferConfig)}
_AUGMENTATION_OPTIONS = {field.name for field in dataclasses.fields(AugmentationConfig)}


@dataclass(frozen=True)
class PlannedRun:
    """One rung with one seed."""

    rung: str
    run: RunFolder
    config: RunConfig
    material: Material
    """The study's photos and split, with the pixels that this rung sees."""


def plan(
    photos: Path | str, rungs: Sequence[Recipe], seeds: int, budget: float,
    options: Mapping[str, Any],
) -> list[RunConfig]:  # fmt: skip
    """Return a config for each rung and seed, each option for all rungs that have it.

    Args:
        photos: what the study is of.
        rungs: its recipes.
        seeds: trainings of each.
        budget: minutes of training, shared out evenly. 0: no limit.
        options: by their bare names.

    Raises:
        ConfigError: with all that is wrong.
    """
    problems = [
        f"{name} must be at least {least}, received {value}."
        for name, value, least in (("seeds", seeds, 1), ("budget", budget, 0))
        if not value >= least
    ]
    training = sum(rung.name != "majority" for rung in rungs) * seeds
    if budget > 0 and training:
        if options.get("max_minutes"):
            problems.append("give budget for the whole study or max_minutes for each rung.")
        options = {**options, "max_minutes": budget / training}
    some = _MODEL_OPTIONS | _TRANSFER_OPTIONS
    unused = {name for name in some if options.get(name) is not None}
    configs = []
    for rung in rungs:
        own = {k: v for k, v in options.items() if k not in _not_for(rung, options)}
        unused -= own.keys()
        for seed in range(max(1, seeds)):
            try:
                configs.append(
                    configure(rung, photos, **{**own, "seed": own.get("seed", 0) + seed})
                )
            except ConfigError as error:
                problems += [p for p in error.problems if p not in problems]
    problems += [f"none of the rungs has the option {name}." for name in sorted(unused)]
    if problems:
        raise ConfigError(problems)
    return configs


def _not_for(rung: Recipe, options: Mapping[str, Any]) -> set[str]:
    """Return the options that hold for other rungs of a study, not for this one."""
    try:
        config = configure(rung, "")
    except ConfigError:  # of a rung that is wrong in itself: said where it is configured
        return set()
    skipped = _MODEL_OPTIONS - options_of(config.model.name)
    skipped |= _TRANSFER_OPTIONS - used_by_method(config)
    if not is_augmented(config) and not options.get("views"):
        skipped |= _AUGMENTATION_OPTIONS
    return skipped | {"epochs"} if rung.name == "majority" else skipped
