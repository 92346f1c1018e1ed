"""Options are made from the config: none is missing, and each says what it is."""

from __future__ import annotations

import dataclasses
import importlib
import re
from typing import Any

import click
import pytest

from classeur import config
from classeur.cli.main import _COMMANDS
from classeur.cli.options import ALL, DATA, PIXELS, comma_list

SECTIONS: dict[str, tuple[type[config.Section], ...]] = {
    "inspect": DATA,
    "prepare": PIXELS,
    "train": ALL,
    "study": ALL,
}


NO_SPLIT = ("val", "test", "folds", "fold")
"""What changes nothing where no split is made."""
LEFT_OUT = {"inspect": NO_SPLIT, "study": ("fold",)}


def command(name: str) -> click.Command:
    found: click.Command = importlib.import_module(f"classeur.cli.{name}").command
    return found


def parsed(name: str, *arguments: str) -> dict[str, Any]:
    return command(name).make_context(name, list(arguments)).params


def test_no_section_of_the_config_was_forgotten() -> None:
    nested = {
        type(value)
        for value in vars(config.RunConfig()).values()
        if isinstance(value, config.Section)
    }
    assert set(ALL) == nested


@pytest.mark.parametrize("name", SECTIONS)
def test_every_option_of_the_config_is_on_the_help_page(name: str) -> None:
    page = command(name).get_help(click.Context(command(name), info_name=name))
    options = {p.name: p for p in command(name).params if isinstance(p, click.Option)}
    for section in SECTIONS[name]:
        for field in dataclasses.fields(section):
            if field.name in ("photos", "name") or field.name in LEFT_OUT.get(name, ()):
                continue
            option = options.pop(field.name)
            assert f"--{field.name.replace('_', '-')}" in page
            assert option.help
            default = r" \[default: (the recipe's|" + re.escape(str(field.default)) + r")\]$"
            assert re.sub(default, "", option.help).endswith(".")
    rest = {"inspect": {"as_json", "html", "filters"}, "prepare": {"to"}, "train": {"recipe", "to",
            "resume", "seed", "config", "find_lr", "track"}, "study": {"rungs", "to", "seeds",
            "budget", "seed", "compare_frozen", "track"}}  # fmt: skip
    assert options.keys() == rest[name]


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_option_has_a_help_text_without_jargon(name: str) -> None:
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert "`" not in parameter.help
            for constant in ("LAYOUTS", "COLORS", "OPTIMIZERS", "SCHEDULES"):
                assert constant not in parameter.help


def test_choices_are_spelled_out() -> None:
    options = {p.name: p for p in command("train").params if isinstance(p, click.Option)}
    assert options["layout"].help == (
        "One of auto, class-folders, split-folders, flat, table, idx, arrays; auto recognises it."
        " [default: auto]"
    )
    assert str(options["optimizer"].help).startswith("One of adam, adamw, sgd.")


@pytest.mark.parametrize("name", SECTIONS)
def test_options_that_are_not_given_are_none(name: str) -> None:
    values = parsed(name, "photos", *(["--to", "x"] if name == "prepare" else []))
    for section in SECTIONS[name]:
        for field in dataclasses.fields(section):
            assert values.get(field.name) is None or field.name == "photos"


def test_values_have_the_types_of_the_config() -> None:
    values = parsed(
        "train", "photos", "--epochs", "3", "--learning-rate", "1e-4", "--class-weights",
        "--classes", "cats, dogs,", "--optimizer", "sgd",
    )  # fmt: skip
    given = {k: v for k, v in values.items() if v not in (None, False, ()) and k != "photos"}
    assert given == {
        "epochs": 3, "learning_rate": 1e-4, "class_weights": True, "classes": ("cats", "dogs"),
        "optimizer": "sgd",
    }  # fmt: skip


def test_what_a_recipe_switches_on_can_be_switched_off() -> None:
    assert parsed("train", "photos", "--no-keep-norms")["keep_norms"] is False
    assert parsed("train", "photos", "--keep-norms")["keep_norms"] is True
    assert parsed("train", "photos")["keep_norms"] is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a,b", ("a", "b")), (" a , b c ,,", ("a", "b c")), ("", ()), (",", ()), ("été", ("été",))],
)
def test_comma_lists(text: str, parts: tuple[str, ...]) -> None:
    assert comma_list(text) == parts


def test_the_recipe_by_default() -> None:
    import inspect

    from classeur.cli.train import DEFAULT_RECIPE
    from classeur.study.train import train

    assert inspect.signature(train).parameters["recipe"].default == DEFAULT_RECIPE
