"""A rung whose options are searched for, on the validation split, before it is trained.

The search is a process of its own that leaves a recipe file behind, as `classeur tune` does:

searches/NAME.json   what is asked
searches/NAME.toml   the recipe to start from, where it is not one of Classeur's
searches/NAME/       the search: its trials, its page, best.toml
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from classeur.errors import ConfigError, StudyError
from classeur.run_folder import write_json, write_text
from classeur.section import Section
from classeur.study.process import wait_for
from classeur.training.recipe_files import read_recipe, recipe_to_toml
from classeur.training.recipes import Recipe, get_recipe

SEARCHES = "searches"
"""The folder, in that of a study, that holds them."""


@dataclass(frozen=True)
class Tuning(Section):
    """What a study asks of a search."""

    name: str = ""
    """Of the rung that it ends in."""
    recipe: str = ""
    """Of the study or of Classeur: what it starts from."""
    trials: int = 20
    """How many."""
    options: tuple[str, ...] = ()
    """To search. Empty: a handful that suits the recipe."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from (f"it needs a {what}." for what in ("name", "recipe") if not getattr(self, what))
        yield from self.at_least(1, "trials")

    @property
    def folder(self) -> str:
        """Of the search, relative to that of the study."""
        return f"{SEARCHES}/{self.name}"

    def of(self, start: Recipe) -> Recipe:
        """Return the rung as it stands before the search."""
        about = f"{self.recipe} with the options that did best on validation in a search."
        return dataclasses.replace(start, name=self.name, description=about)

    def origin(self, rung: Recipe) -> Recipe:
        """Return the recipe that the rung is before the search, as `of` was given it."""
        try:
            known = get_recipe(self.recipe)
        except ConfigError:  # the study's own
            known = rung
        return dataclasses.replace(rung, name=self.recipe, description=known.description)


def require_optuna() -> None:
    """Raise StudyError unless a search can be made here."""
    if not find_spec("optuna"):
        raise StudyError('a search needs Optuna. Install it with: pip install "classeur[tune]"')


def tune(
    tuning: Tuning, start: Recipe, photos: Path | str, study: Path, budget: float,
    options: Mapping[str, Any],
) -> Recipe:  # fmt: skip
    """Search, or go on with a search, and return the rung with the values of its best trial.

    Args:
        tuning: what is asked.
        start: the rung as it stands.
        photos: what the study is of.
        study: its folder.
        budget: minutes of training in all. 0: no limit.
        options: that hold for the rung, by their bare names.

    Raises:
        StudyError: saying why it ended without a recipe.
    """
    to = study / tuning.folder
    asked = to.with_name(f"{tuning.name}.json")
    asked.parent.mkdir(exist_ok=True)
    request = {
        "photos": str(photos),
        "recipe": _origin(tuning, start, to.with_name(f"{tuning.name}.toml")),
        "to": str(to),
        "trials": tuning.trials,
        "budget": budget,
        "search": tuning.options,
        **options,
    }
    write_json(asked, request)
    failure = to.with_name(f"{tuning.name}.failure.json")
    reason = wait_for("classeur.search.in_study", [str(asked), str(failure)], failure)
    if reason:
        raise StudyError(reason)
    return dataclasses.replace(read_recipe(to / "best.toml"), name=tuning.name)


def _origin(tuning: Tuning, rung: Recipe, file: Path) -> str:
    """Return the name of the recipe that a search starts from, or the file it is written to."""
    origin = tuning.origin(rung)
    try:
        if get_recipe(tuning.recipe) == origin:
            return tuning.recipe
    except ConfigError:  # the study's own
        pass
    write_text(file, recipe_to_toml(origin))
    return str(file.resolve())
