"""What a search varies: only what the recipe uses, around the values it has."""

from __future__ import annotations

import dataclasses
import re

import pytest

from classeur.config import AugmentationConfig, ModelConfig, TrainingConfig, TransferConfig
from classeur.errors import ConfigError
from classeur.search.space import (
    SEARCHABLE,
    Choice,
    Range,
    by_default,
    own_values,
    search_space,
    searchable,
)
from classeur.study.train import configure


def config(recipe, **options):
    return configure(recipe, "photos", **options)


def refused(recipe, names, **fixed):
    with pytest.raises(ConfigError) as caught:
        search_space(config(recipe, **fixed), names, fixed)
    return caught.value.problems


GENERAL = ["learning_rate", "weight_decay", "batch_size", "dropout", "label_smoothing"]


@pytest.mark.parametrize(
    ("recipe", "options", "names"),
    [
        ("conv3", {}, GENERAL),
        ("conv3-dropout", {}, [*GENERAL, "spatial_dropout"]),
        ("conv3-augmented", {}, [*GENERAL, "rotation", "zoom", "shift"]),
        ("mobilenet-frozen", {}, GENERAL),
        ("mobilenet-frozen", {"views": 2, "rotation": 5.0}, [*GENERAL, "rotation"]),
        (
            "mobilenet-fine-tuned",
            {"rotation": 10.0},
            ["learning_rate", "weight_decay", "dropout", "label_smoothing", "layer_decay",
             "rotation"],
        ),
    ],
)  # fmt: skip
def test_a_handful_that_suits_the_recipe(recipe, options, names):
    assert by_default(config(recipe, **options)) == names


def test_only_what_changes_something_can_be_searched():
    assert "units" not in searchable(config("mobilenet-frozen"))
    assert "units" in searchable(config("vgg16-frozen"))
    assert "rotation" not in searchable(config("mobilenet-frozen"))
    assert "layer_decay" not in searchable(config("mobilenet-frozen"))
    assert "spatial_dropout" not in searchable(config("dense"))
    assert "saturation" in searchable(config("dense"))
    assert "saturation" not in searchable(config("dense", color="grey"))


def test_every_option_is_one_of_the_config():
    sections = (ModelConfig, TrainingConfig, AugmentationConfig, TransferConfig)
    names = {field.name for section in sections for field in dataclasses.fields(section)}
    assert set(SEARCHABLE) - names == set()


@pytest.mark.parametrize("recipe", ["conv3", "resnet-small", "vgg16-fine-tuned"])
def test_every_value_of_the_space_is_one_that_a_config_takes(recipe):
    names = searchable(config(recipe))
    for name, values in search_space(config(recipe), names, ()).items():
        ends = values.values if isinstance(values, Choice) else (values.low, values.high)
        for end in ends:
            config(recipe, **{name: end})


def test_the_recipe_s_own_values_are_inside():
    given = config("conv3", weight_decay=0.003, dropout=0.9, learning_rate=0.5)
    space = search_space(given, ["weight_decay", "dropout", "learning_rate"], ())
    assert space == {
        "learning_rate": Range(0.5 / 30, 0.5, log=True),
        "weight_decay": Choice((0.0, 1e-4, 1e-3, 0.003, 0.01, 0.05, 0.2)),
        "dropout": Range(0, 0.9),
    }
    assert own_values(given, space) == {
        "learning_rate": 0.5, "weight_decay": 0.003, "dropout": 0.9
    }  # fmt: skip


def test_drawn_numbers_have_three_digits_and_the_own_value_stays():
    values = Range(1e-5, 1e-1, log=True)
    assert values.rounded(0.00123456, 0.001) == 0.00123
    assert values.rounded(0.00123456, 0.00123456) == 0.00123456


def test_an_option_that_is_given_is_not_searched():
    given = {"dropout": 0.3}
    assert list(search_space(config("conv3", **given), (), given)) == [
        name for name in GENERAL if name != "dropout"
    ]
    assert refused("conv3", ["dropout"], dropout=0.3) == [
        "dropout is both given and searched: leave out --dropout."
    ]


def test_all_that_cannot_be_searched_is_said_at_once():
    problems = refused("conv3", ["learning_rates", "layer_decay", "epochs"])
    assert problems[0].startswith(
        '"learning_rates" cannot be searched. Did you mean "learning_rate"? Expected some of: '
        "learning_rate, weight_decay,"
    )
    assert problems[1] == "conv3 has no option layer_decay."
    assert re.match('"epochs" cannot be searched', problems[2])


def test_what_does_not_learn_has_nothing_to_search():
    assert refused("majority", ()) == ["majority has nothing to search: it does not learn."]
    given = {"learning_rate": 0.1, "weight_decay": 0.1, "batch_size": 8, "dropout": 0.1,
             "label_smoothing": 0.1}  # fmt: skip
    assert refused("conv3", (), **given) == ["conv3 has nothing to search but what was given."]
