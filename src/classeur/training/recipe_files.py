"""Recipes as TOML: only what differs from the recipe they start from.

name = "conv3-slow"
description = "conv3 with small steps."
from = "conv3"

[training]
learning_rate = 1e-4
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from classeur.config import SECTIONS, ModelConfig
from classeur.errors import ConfigError, did_you_mean
from classeur.section import Section, override
from classeur.training.recipes import RECIPES, Recipe, get_recipe

_WORDS = ("name", "description", "from")
_LONGEST = 100
_SUFFIXES = (".html", ".md", ".json", ".csv", ".toml")
"""Of the files that stand beside the runs of a study."""

_NAME = re.compile(r"\w[\w.+-]*")


def read_recipe(path: Path, above: tuple[Path, ...] = ()) -> Recipe:
    """Read a recipe from a TOML file.

    Args:
        path: the file; one that it starts from is looked for beside it.
        above: the files that start from this one.

    Raises:
        ConfigError: if the file cannot be read, with everything that is wrong in it.
    """
    if path.resolve() in above:
        raise ConfigError([f"{path} starts from itself."])

    def find(name: str) -> Recipe:
        if name.endswith(".toml"):
            return read_recipe(path.parent / name, (*above, path.resolve()))
        return get_recipe(name)

    values = read_toml(path)
    return recipe_of({"name": path.stem, **values}, str(path), find)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds. Raises ConfigError if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # TOML's own errors are ValueErrors
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([f"{path} cannot be read as TOML: {reason}."]) from error


def recipe_of(
    values: Mapping[str, Any], where: str, find: Callable[[str], Recipe] = get_recipe
) -> Recipe:
    """Build a recipe from nested mappings.

    Args:
        values: `name`, `description`, `from` and the tables of options.
        where: what the values come from, for messages.
        find: name -> the recipe of `from`.

    Raises:
        ConfigError: with everything that is wrong.
    """
    problems = _stray(values)
    if not problems:
        name = values.get("name", "")
        problems += [*_name_problems(name), *_origin_problems(values)]
        try:
            start = find(values["from"]) if "from" in values else Recipe(name, "", ModelConfig())
        except ConfigError as error:
            problems += error.problems
        else:
            description = f"{start.name}, changed." if "from" in values else ""
            tables: dict[str, Any] = {
                table: _changed(start, table, values.get(table, {}), problems) for table in SECTIONS
            }
    if problems:
        raise ConfigError([f"{where}: {problem}" for problem in problems])
    described = values.get("description", description)
    return dataclasses.replace(start, name=name, description=described, **tables)


def _origin_problems(values: Mapping[str, Any]) -> list[str]:
    model = values.get("model", {})
    if "from" in values or not isinstance(model, Mapping) or "name" in model:
        return []
    return ['it needs from = "…", the recipe it starts from, or a network: [model] name.']


def _stray(values: Mapping[str, Any]) -> list[str]:
    problems = [
        f'unknown option "{key}".{did_you_mean(key, (*_WORDS, *SECTIONS))}'
        for key in values
        if key not in (*_WORDS, *SECTIONS)
    ]
    return problems + [
        f"{word} must be a text, received {values[word]!r}."
        for word in _WORDS
        if not isinstance(values.get(word, ""), str)
    ]


def recipe_to_toml(recipe: Recipe, start: str = "") -> str:
    """Return a recipe as TOML.

    Args:
        recipe: what to write.
        start: name of the recipe that the values are a change of. Empty: all values that are not
            the defaults are written.
    """
    return tomli_w.dumps(recipe_to_mapping(recipe, start))


def recipe_to_mapping(recipe: Recipe, start: str = "") -> dict[str, Any]:
    """Return what `recipe_of` builds the recipe from; see `recipe_to_toml`."""
    base = get_recipe(start) if start else Recipe("", "", ModelConfig())
    values: dict[str, Any] = {"name": recipe.name, "description": recipe.description}
    if start:
        values["from"] = start
    for table in SECTIONS:
        before = vars(getattr(base, table))
        changed = {k: v for k, v in vars(getattr(recipe, table)).items() if v != before[k]}
        if table == "model" and not start:  # a recipe of its own says which network it is
            changed = {"name": recipe.model.name, **changed}
        if changed:
            values[table] = changed
    return values


def _name_problems(name: str) -> list[str]:
    if not _NAME.fullmatch(name):
        return [f'name must be of letters, digits and ._+-, received "{name}".']
    if len(name) > _LONGEST or Path(name).suffix in _SUFFIXES or name == "figures":
        return [
            f'name must be at most {_LONGEST} letters and not that of a file, received "{name}": '
            "the run's folder has it."
        ]
    if name in RECIPES:
        return [f'"{name}" is the name of a recipe of Classeur; choose another name.']
    return []


def _changed(start: Recipe, table: str, values: Any, problems: list[str]) -> Section:
    """Return a section of the recipe with the values; add what is wrong with them."""
    section: Section = getattr(start, table)
    if not isinstance(values, Mapping):
        problems.append(f"{table} must be a table, received {values!r}.")
        return section
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
    try:
        changed: Section = override(section, plain)
    except ConfigError as error:
        problems += [f"[{table}] {problem}" for problem in error.problems]
        return section
    return changed
