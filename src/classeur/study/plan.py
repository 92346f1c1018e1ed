"""A study's rungs, seeds and folds -> a config for each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classeur.config import RunConfig
from classeur.errors import ConfigError
from classeur.models.registry import is_pretrained, options_of
from classeur.run_folder import RunFolder
from classeur.section import override
from classeur.study.applicable import ALL, DECISIVE, applicable, without_ground
from classeur.study.material import Material
from classeur.study.train import configure
from classeur.training.recipes import Recipe


@dataclass(frozen=True)
class PlannedRun:
    """One rung with one seed, or on one fold."""

    rung: str
    run: RunFolder
    config: RunConfig
    material: Material
    """The study's photos and split, with the pixels that this rung sees."""


def plan(
    photos: Path | str, rungs: Sequence[Recipe], seeds: int, budget: float,
    options: Mapping[str, Any], searches: int = 0,
) -> list[RunConfig]:  # fmt: skip
    """Return a config for each rung and seed or fold, each option for all rungs that have it.

    Args:
        photos: what the study is of.
        rungs: its recipes.
        seeds: trainings of each.
        budget: minutes of training, shared out evenly. 0: no limit.
        options: by their bare names; with `folds` each rung is trained on every fold.
        searches: that have a share of the budget, too.

    Raises:
        ConfigError: with all that is wrong.
    """
    problems = [
        f"{name} must be at least {least}, received {value}."
        for name, value, least in (("seeds", seeds, 1), ("budget", budget, 0))
        if not value >= least
    ]
    problems += _problems_of_folds(options, seeds)
    changes = _changes(options, seeds)
    training = sum(rung.model.name != "majority" for rung in rungs) * len(changes) + searches
    if budget > 0 and training:
        if options.get("max_minutes"):
            problems.append("give budget for the whole study or max_minutes for each rung.")
        options = {**options, "max_minutes": budget / training}
    unused = {name for name in ALL - {"epochs"} if options.get(name) is not None}
    configs = []
    for rung in rungs:
        own = options_for(rung, options)
        unused -= own.keys()
        for change in changes:
            try:
                configs.append(configure(rung, photos, **own | change))
            except ConfigError as error:
                problems += [p for p in error.problems if p not in problems]
    problems += [f"none of the rungs has the option {name}." for name in sorted(unused)]
    if problems:
        raise ConfigError(problems)
    return configs


def options_for(rung: Recipe, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a study that hold for one of its rungs."""
    others = _not_for(rung, options)
    return {name: value for name, value in options.items() if name not in others}


def _changes(options: Mapping[str, Any], seeds: int) -> list[dict[str, int]]:
    """Return what changes from training to training of one rung: the seed, or the fold."""
    first = options.get("seed", 0)
    folds = options.get("folds", 0)
    if isinstance(folds, int) and folds > 1:
        return [{"seed": first, "fold": fold} for fold in range(1, folds + 1)]
    return [{"seed": first + seed} for seed in range(max(1, seeds))]


def _problems_of_folds(options: Mapping[str, Any], seeds: int) -> Iterator[str]:
    if "fold" in options:
        yield "a study trains every fold: leave out fold."
    if options.get("folds") and seeds > 1:
        yield (
            "give folds or seeds: the spread between folds is already one between trainings, and "
            "of their networks only one may predict each photo."
        )


def _not_for(rung: Recipe, options: Mapping[str, Any]) -> set[str]:
    """Return the options that hold for other rungs of a study, not for this one."""
    try:
        config = configure(rung, "")
        mine = options_of(config.model.name)
        if is_pretrained(config.model.name):
            mine |= {"method", "views"}
        config = override(config, {name: options.get(name) for name in DECISIVE if name in mine})
    except ConfigError:  # wrong in itself, or by an option: said where it is configured
        return set()
    skipped = ALL - applicable(config) | without_ground(config, options)
    return set(skipped | {"epochs"} if rung.model.name == "majority" else skipped)
