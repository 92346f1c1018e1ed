"""Command-line options made from the config dataclasses: one source for names, types and help."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import re
import sys
import typing
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import click

from classeur import config
from classeur.config import (
    AugmentationConfig,
    DataConfig,
    ModelConfig,
    PreprocessingConfig,
    TrainingConfig,
    TransferConfig,
)
from classeur.data.filters import FILTERS
from classeur.section import Section

Command = TypeVar("Command", bound=Callable[..., Any])

DATA = (DataConfig,)
PIXELS = (DataConfig, PreprocessingConfig)
ALL = (
    DataConfig,
    PreprocessingConfig,
    ModelConfig,
    AugmentationConfig,
    TrainingConfig,
    TransferConfig,
)

COMMA_LIST = "a,b,…"
"""How help pages show what `comma_list` takes."""

_OF_RECIPES = (ModelConfig, AugmentationConfig, TrainingConfig, TransferConfig)
"""A recipe brings its own values; the config's defaults would only mislead."""

_SKIPPED = {"photos", "name"}
_CONSTANT = re.compile(r"\b[A-Z]{4,}(?:_[A-Z]+)*\b")


def comma_list(text: str) -> tuple[str, ...]:
    """a,b,c -> ("a", "b", "c"), without empty parts."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def track_option(command: Command) -> Command:
    """Add --track, which may be given more than once."""
    return click.option(
        "--track", multiple=True, type=click.Choice(("tensorboard", "mlflow")),
        help="Tell TensorBoard (event files in the run folder) or MLflow (MLFLOW_TRACKING_URI, "
        "else mlflow.db beside the run folder) of the training as it goes. Can be given twice.",
    )(command)  # fmt: skip


class Share(click.ParamType[float]):
    """A share above 0 and below 1, as `0.01` or as `1%`."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the share. Fails with a usage error if it is none."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0 < share < 1:
            self.fail(f"expected a share such as 1% or 0.01, received {value}.", param, ctx)
        return share


def config_options(
    sections: tuple[type[Section], ...], without: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Add an option for every field of the sections; one that is not given is None.

    The command gets them all together, as keyword arguments by the fields' names. Fields named in
    `without` get no option: they would change nothing there.
    """
    skipped = _SKIPPED.union(without)

    def add(command: Command) -> Command:
        for section in reversed(sections):
            hints = typing.get_type_hints(section)
            for field in reversed(dataclasses.fields(section)):  # type: ignore[arg-type]
                if field.name not in skipped:
                    option = _option(section, field, hints[field.name])
                    command = option(command)
        return command

    return add


def _option(section: type[Section], field: Any, kind: Any) -> Callable[[Any], Any]:
    name = f"--{field.name.replace('_', '-')}"
    text = _docs(section.__module__, section.__name__)[field.name].replace("`", "")
    if kind is bool:  # a recipe may have it on, so it can be switched off, too
        both = f"{name}/--no-{name.removeprefix('--')}"
        return click.option(both, field.name, default=None, help=text)
    is_list = typing.get_origin(kind) is tuple
    default = "" if field.default in ("", (), 0) else f" [default: {field.default}]"
    of_recipe = " [default: the recipe's]" if section is TrainingConfig else ""
    shown = of_recipe if section in _OF_RECIPES else default
    return click.option(
        name,
        field.name,
        type=comma_list if is_list else kind,
        metavar=COMMA_LIST if is_list else {int: "N", float: "X", str: "TEXT"}[kind],
        help=text + shown,
    )


@functools.cache
def _docs(module: str, section: str) -> dict[str, str]:
    """Return field -> the string below it in the module's source."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == section)
    docs = {}
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            text = " ".join(str(ast.literal_eval(below.value)).split())
            docs[ast.unparse(field.target)] = _CONSTANT.sub(_spelled_out, text)
    return docs


def _spelled_out(match: re.Match[str]) -> str:
    """LAYOUTS -> the layouts; names of environment variables stay."""
    if match[0] == "FILTERS":
        return ", ".join(item.usage for item in FILTERS.values())
    return ", ".join(getattr(config, match[0])) if hasattr(config, match[0]) else match[0]
