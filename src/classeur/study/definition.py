"""A study as data: its rungs, and the question that each pair of them answers. TOML in and out.

title = "Does augmentation help?"
rungs = ["conv3", "conv3-turned"]

[[recipes]]                 # what has no name in Classeur yet
name = "conv3-turned"
from = "conv3"
[recipes.augmentation]
rotation = 20

[[searches]]                # options that are searched for before the rung is trained
name = "conv3-tuned"
recipe = "conv3"
trials = 10

[[questions]]
ask = "What does turning bring?"
before = "conv3"
after = "conv3-turned"

[data]                      # options for all rungs, as on the command line
top_classes = 10
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import tomli_w

from classeur.config import RunConfig
from classeur.errors import ConfigError, did_you_mean, unknown
from classeur.report.questions import Question
from classeur.section import Section, build, override
from classeur.study.arrays import Arrays
from classeur.study.tuning import Tuning
from classeur.training.recipe_files import read_toml, recipe_of, recipe_to_mapping
from classeur.training.recipes import Recipe, frozen_twin, get_recipe

_TEXTS = ("title", "about", "published")
_LISTS = ("rungs", "recipes", "searches", "questions")
_TABLES = {k: v for k, v in vars(RunConfig()).items() if isinstance(v, Section)}
_QUESTION = ("ask", "before", "after")
_SHIPPED = files("classeur") / "studies"


@dataclass(frozen=True)
class Definition:
    """What a study compares, and why."""

    title: str
    rungs: tuple[Recipe, ...]
    questions: tuple[Question, ...] = ()
    about: str = ""
    """What it is, in a few sentences."""
    published: str = ""
    """The result to reach or pass, and whose it is."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options for all rungs, by their bare names."""
    arrays: Arrays = field(default_factory=Arrays)
    """The photos as plain arrays, beside the binder."""
    searches: tuple[Tuning, ...] = ()
    """Rungs whose options are searched for first, by their names."""

    def tuning(self, name: str) -> Tuning | None:
        """Return what is asked of the search of a rung; None: it has none."""
        return next((tuning for tuning in self.searches if tuning.name == name), None)

    def with_rungs(self, rungs: Sequence[str | Recipe]) -> Definition:
        """Return the study with other rungs: its own by name, and any other recipe.

        Raises:
            ConfigError: naming every rung that is none.
        """
        problems: list[str] = []
        own = {recipe.name: recipe for recipe in self.rungs}
        found = tuple(_found(rungs, own, problems))
        if not rungs:
            problems.append("rungs must name at least one recipe.")
        problems += _twice([recipe.name for recipe in found])
        if problems:
            raise ConfigError(problems)
        return self._of(found)

    def without(self, names: Collection[str]) -> Definition:
        """Return the study without some of its rungs."""
        return self._of(tuple(rung for rung in self.rungs if rung.name not in names))

    def _of(self, rungs: tuple[Recipe, ...]) -> Definition:
        names = [rung.name for rung in rungs]
        searches = tuple(tuning for tuning in self.searches if tuning.name in names)
        return dataclasses.replace(self, rungs=rungs, searches=searches)

    def compared_with_frozen(self) -> Definition:
        """Return the study with a frozen twin before each rung that is fine-tuned, and a question.

        Raises:
            ConfigError: if none is.
        """
        tuned = [rung for rung in self.rungs if rung.transfer.method == "fine-tune"]
        if not tuned:
            raise ConfigError(["compare_frozen needs a rung that is fine-tuned."])
        there = {rung.name: rung for rung in self.rungs}
        rungs: list[Recipe] = []
        questions = list(self.questions)
        for rung in self.rungs:
            if rung in tuned:
                twin = _twin_of(rung, there)
                if twin.name not in there:
                    rungs.append(twin)
                asked = Question("What does fine-tuning bring?", twin.name, rung.name)
                if (asked.before, asked.after) not in [(q.before, q.after) for q in questions]:
                    questions.append(asked)
            rungs.append(rung)
        return dataclasses.replace(self, rungs=tuple(rungs), questions=tuple(questions))

    def _recipes(self) -> list[Recipe]:
        """Return the recipes of the rungs, and for a search the one that it starts from."""
        recipes = {rung.name: rung for rung in self.rungs if self.tuning(rung.name) is None}
        for rung in self.rungs:
            tuning = self.tuning(rung.name)
            if tuning is not None:
                recipes.setdefault(tuning.recipe, tuning.origin(rung))
        return list(recipes.values())

    def to_toml(self) -> str:
        """Return the study as TOML: `read_definition` builds the same from it."""
        there = [recipe.name for recipe in self.rungs]
        own = [recipe for recipe in self._recipes() if _is_own(recipe)]
        values: dict[str, Any] = {key: getattr(self, key) for key in _TEXTS if getattr(self, key)}
        values["rungs"] = there
        values |= _tables(self.options)
        values["arrays"] = {k: v for k, v in vars(self.arrays).items() if v}
        values["recipes"] = [recipe_to_mapping(recipe) for recipe in own]
        values["searches"] = [{k: v for k, v in vars(t).items() if v} for t in self.searches]
        values["questions"] = [
            vars(question)
            for question in self.questions
            if {question.before, question.after} <= set(there)
        ]
        return tomli_w.dumps({key: value for key, value in values.items() if value})


def list_studies() -> list[str]:
    """Return the names of the studies that come with Classeur, `standard` first."""
    names = [path.name for path in _SHIPPED.iterdir()]
    shipped = {name.removesuffix(".toml") for name in names if name.endswith(".toml")}
    return ["standard", *sorted(shipped - {"standard"})]


def shipped_study(name: str) -> Path:
    """Return the file of a study that comes with Classeur. Raises ConfigError if there is none."""
    if name not in list_studies():
        raise ConfigError([f"{unknown('study', name, list_studies())} Or a file NAME.toml."])
    return Path(str(_SHIPPED / f"{name}.toml"))


def read_definition(study: str | Path) -> Definition:
    """Read a study by its name, or from a TOML file.

    Raises:
        ConfigError: if there is none, with everything that is wrong in it.
    """
    is_file = isinstance(study, Path) or study.endswith(".toml")
    path = Path(study) if is_file else shipped_study(str(study))
    problems: list[str] = []
    definition = _built(read_toml(path), path.parent, problems)
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return definition


def _built(values: Mapping[str, Any], folder: Path, problems: list[str]) -> Definition:
    known = (*_TEXTS, *_LISTS, *_TABLES, "arrays")
    problems += [
        f'unknown option "{key}".{did_you_mean(key, known)}' for key in values if key not in known
    ]
    problems += [
        f"{key} must be a text, received {values[key]!r}."
        for key in _TEXTS
        if not isinstance(values.get(key, ""), str)
    ]
    listed = _list_of(values, "recipes", dict, problems)
    broken: list[str] = []
    own = _own_recipes(listed, folder, problems, broken)
    asked_of = _list_of(values, "searches", dict, problems)
    searches = _searches(asked_of, own, folder, problems, broken)
    names = _list_of(values, "rungs", str, problems) or [*own, *broken]
    placed = [_placed(name, folder) for name in names]
    # what is wrong with a recipe has been said: its name is no second mistake
    rungs = tuple(_found([name for name in placed if name not in broken], own, problems))
    if not names:
        problems.append("rungs must name at least one recipe.")
    found = [recipe.name for recipe in rungs]
    problems += _twice(found)
    asked = _list_of(values, "questions", dict, problems)
    questions = _questions(asked, [*found, *broken], problems)
    return Definition(
        values.get("title", ""),
        rungs,
        questions,
        values.get("about", ""),
        values.get("published", ""),
        _options(values, problems),
        _arrays(values.get("arrays", {}), problems),
        tuple(searches),
    )


def _own_recipes(
    listed: list[Any], folder: Path, problems: list[str], broken: list[str]
) -> dict[str, Recipe]:
    """Return the recipes by name; add what is wrong, and the names of those that are."""
    own: dict[str, Recipe] = {}
    names = [values.get("name") for values in listed]

    def find(name: str) -> Recipe:
        if name in names and name not in own:
            raise ConfigError([f'"{name}" is not above it: a recipe starts from an earlier one.'])
        return own[name] if name in own else get_recipe(_placed(name, folder))

    for number, values in enumerate(listed, 1):
        name = str(values.get("name", f"recipe {number}"))
        if name in own:
            problems.append(f"recipes names {name} twice.")
            continue
        try:
            own[name] = recipe_of(values, name, find)
        except ConfigError as error:
            problems += error.problems
            broken.append(name)
    return own


def _searches(
    listed: list[Any], own: dict[str, Recipe], folder: Path, problems: list[str], broken: list[str]
) -> list[Tuning]:
    """Return the searches, and add the rungs they end in to the recipes; add what is wrong."""
    searches: list[Tuning] = []

    def find(name: str) -> Recipe:
        return own[name] if name in own else get_recipe(_placed(name, folder))

    for number, values in enumerate(listed, 1):
        where = f"search {number}"
        try:
            tuning = cast("Tuning", build(Tuning, values))
            start = recipe_of({"name": tuning.name, "from": tuning.recipe}, where, find)
            tuning = dataclasses.replace(tuning, recipe=find(tuning.recipe).name)  # of a file
        except ConfigError as error:
            problems += [p if p.startswith(where) else f"{where}: {p}" for p in error.problems]
            broken.append(str(values.get("name", "")))
            continue
        if tuning.name in own:
            problems.append(f"{where}: there is a recipe {tuning.name} already.")
        own[tuning.name] = tuning.of(start)
        searches.append(tuning)
    return searches


def _placed(name: str, folder: Path) -> str:
    """Return the name of a recipe; a file is looked for beside the study."""
    return str(folder / name) if name.endswith(".toml") else name


def _found(
    rungs: Sequence[str | Recipe], own: Mapping[str, Recipe], problems: list[str]
) -> list[Recipe]:
    found = []
    for rung in rungs:
        try:
            found.append(rung if isinstance(rung, Recipe) else own.get(rung) or get_recipe(rung))
        except ConfigError as error:
            here = f" The study has: {', '.join(own)}." if own and rung not in own else ""
            problems += [f"{problem}{here}" for problem in error.problems]
    return found


def _questions(asked: list[Any], rungs: Sequence[str], problems: list[str]) -> tuple[Question, ...]:
    questions = []
    for number, values in enumerate(asked, 1):
        where = f"question {number}"
        lacking = [key for key in _QUESTION if not isinstance(values.get(key), str)]
        strange = [key for key in values if key not in _QUESTION]
        problems += [f"{where} needs the text {key}." for key in lacking]
        problems += [f'{where}: unknown option "{k}".{did_you_mean(k, _QUESTION)}' for k in strange]
        if not lacking and not strange:
            if values["before"] == values["after"]:
                problems.append(f"{where} compares {values['before']} with itself.")
            questions.append(Question(**values))
            problems += [
                f"{where}: {unknown('rung', values[key], rungs)}"
                for key in ("before", "after")
                if values[key] not in rungs
            ]
    return tuple(questions)


def _options(values: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Return the tables of options as one mapping by bare names."""
    options: dict[str, Any] = {}
    for table, section in _TABLES.items():
        given = values.get(table, {})
        if not isinstance(given, Mapping):
            problems.append(f"{table} must be a table, received {given!r}.")
            continue
        plain = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
        if table == "data" and "photos" in plain:
            problems.append("[data] photos are named beside a study, not in it.")
        try:
            override(section, plain)
        except ConfigError as error:
            problems += [f"[{table}] {problem}" for problem in error.problems]
        options |= plain
    return options


def _arrays(values: Any, problems: list[str]) -> Arrays:
    if not isinstance(values, Mapping):
        problems.append(f"arrays must be a table, received {values!r}.")
        return Arrays()
    try:
        return cast("Arrays", build(Arrays, values))
    except ConfigError as error:
        problems += [f"[arrays] {problem}" for problem in error.problems]
        return Arrays()


def _tables(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by bare names as tables."""
    tables = {
        table: {key: value for key, value in options.items() if key in vars(section)}
        for table, section in _TABLES.items()
    }
    return {table: values for table, values in tables.items() if values}


def _list_of(values: Mapping[str, Any], key: str, kind: type, problems: list[str]) -> list[Any]:
    given = values.get(key, [])
    if isinstance(given, list) and all(isinstance(item, kind) for item in given):
        return given
    what = "texts" if kind is str else "tables"
    problems.append(f"{key} must be a list of {what}, received {given!r}.")
    return []


def _twin_of(rung: Recipe, there: Mapping[str, Recipe]) -> Recipe:
    """Return the frozen twin of a rung: one of Classeur's own where it is that very one."""
    twin = frozen_twin(rung)
    try:
        known = there.get(twin.name) or get_recipe(twin.name)
    except ConfigError:
        return twin
    if (known.model, known.transfer.method) == (twin.model, "frozen"):
        return known
    return dataclasses.replace(twin, name=f"{rung.name}-frozen")


def _twice(names: Sequence[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f"rungs names {', '.join(twice)} twice."] if twice else []


def _is_own(recipe: Recipe) -> bool:
    try:
        return get_recipe(recipe.name) != recipe
    except ConfigError:
        return True
