from __future__ import annotations

import pytest

from classeur.errors import ConfigError
from classeur.models.registry import create_model, list_models
from classeur.training.recipes import RECIPES, get_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_network(name):
    recipe = RECIPES[name]
    assert recipe.name == name
    assert recipe.description.endswith(".")
    create_model(recipe.model, (3, 32, 32), 4)


def test_every_network_has_a_recipe():
    assert {recipe.model.name for recipe in RECIPES.values()} == set(list_models())


def test_all_recipes_have_the_same_budget():
    epochs = {r.training.epochs for r in RECIPES.values() if r.name != "majority"}
    assert epochs == {40}


def test_an_unknown_recipe_suggests_one():
    with pytest.raises(ConfigError) as caught:
        get_recipe("conv3-augmentd")
    assert caught.value.problems == [
        'unknown recipe "conv3-augmentd". Did you mean "conv3-augmented"? '
        f"Expected one of: {', '.join(RECIPES)}."
    ]
