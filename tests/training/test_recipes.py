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
    assert {recipe.model.name for recipe in RECIPES.values()} > set(list_models())


def test_no_recipe_has_a_larger_budget_and_all_stop_by_the_same_rules():
    from_scratch = set(list_models()) - {"majority"}
    trained = [r.training for r in RECIPES.values() if r.model.name in from_scratch]
    assert max(training.epochs for training in trained) == 40
    rules = {(t.schedule == "constant", t.epochs == 40, t.patience) for t in trained}
    constant = {rule for rule in rules if rule[0]}
    assert constant == {(True, True, 8)}
    assert {patience for _, _, patience in rules - constant} == {0}


def test_an_unknown_recipe_suggests_one():
    with pytest.raises(ConfigError) as caught:
        get_recipe("conv3-augmentd")
    assert caught.value.problems == [
        'unknown recipe "conv3-augmentd". Did you mean "conv3-augmented"? '
        f"Expected one of: {', '.join(RECIPES)}. Or NAME-frozen, NAME-fine-tuned (see: classeur "
        "models), or a file NAME.toml."
    ]


@pytest.mark.parametrize(
    ("name", "method"), [("resnet18-frozen", "frozen"), ("resnet18-fine-tuned", "fine-tune")]
)
def test_every_network_of_timm_is_a_recipe(name, method):
    recipe = get_recipe(name)
    assert (recipe.name, recipe.model.name, recipe.transfer.method) == (name, "resnet18", method)
