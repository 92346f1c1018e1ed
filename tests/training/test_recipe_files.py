from __future__ import annotations

import dataclasses

import pytest

from classeur.config import ModelConfig, PreprocessingConfig
from classeur.errors import ConfigError
from classeur.training.recipe_files import read_recipe, recipe_to_toml
from classeur.training.recipes import RECIPES, Recipe, get_recipe


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_is_a_change_of_another(tmp_path):
    path = write(
        tmp_path,
        'name = "slow"\nfrom = "conv3-augmented"\n'
        "[training]\nlearning_rate = 1e-4\n[augmentation]\nflip = 0\n",
    )
    start, recipe = RECIPES["conv3-augmented"], get_recipe(str(path))
    assert recipe.name == "slow"
    assert recipe.description == "conv3-augmented, changed."
    assert recipe.training == dataclasses.replace(start.training, learning_rate=1e-4)
    assert recipe.augmentation == dataclasses.replace(start.augmentation, flip=0)
    assert (recipe.model, recipe.transfer) == (start.model, start.transfer)


def test_a_recipe_of_its_own_is_named_after_its_file(tmp_path):
    path = write(
        tmp_path,
        'description = "Été."\n[model]\nname = "conv1"\n[preprocessing]\nsize = 40\n',
        "été.toml",
    )
    expected = Recipe("été", "Été.", ModelConfig("conv1"), preprocessing=PreprocessingConfig(40))
    assert read_recipe(path) == expected


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("start", ["", "conv3"])
def test_every_recipe_survives_its_file(tmp_path, name, start):
    recipe = dataclasses.replace(RECIPES[name], name=f"my-{name}")
    path = write(tmp_path, recipe_to_toml(recipe, start))
    assert read_recipe(path) == recipe


def test_only_what_differs_is_written():
    recipe = dataclasses.replace(RECIPES["conv3"], name="mine", description="Mine.")
    assert recipe_to_toml(recipe, "conv3") == (
        'name = "mine"\ndescription = "Mine."\nfrom = "conv3"\n'
    )


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = write(
        tmp_path,
        'name = "a/b"\nfrom = "conv3"\n[training]\nepoch = 3\nbatch_size = 0\n'
        '[model]\ndropout = "much"\n'
        "[augmentation]\nflip = 2\n",
    )
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert sorted(caught.value.problems) == sorted(
        [
            f'{path}: name must be of letters, digits and ._+-, received "a/b".',
            f"{path}: [model] dropout must be a number, received 'much'.",
            f"{path}: [training] batch_size must be at least 1, received 0.",
            f'{path}: [training] unknown option "epoch". Did you mean "epochs"?',
            f"{path}: [augmentation] flip must be from 0 to 1, received 2.",
        ]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'name = "conv3"\nfrom = "dense"',
            '"conv3" is the name of a recipe of Classeur; choose another name.',
        ),
        ('from = "conv33"', 'unknown recipe "conv33". Did you mean "conv3"?'),
        ("from = 3", "from must be a text, received 3."),
        ("model = 3", "model must be a table, received 3."),
        ("", 'it needs from = "…", the recipe it starts from, or a network: [model] name.'),
        ('name = "index.html"\nfrom = "conv3"', "not that of a file, received"),
        (f'name = "{"n" * 101}"\nfrom = "conv3"', "name must be at most 100 letters"),
        ('name = "figures"\nfrom = "conv3"', 'received "figures": the run\'s folder has it.'),
        ("epochs = 1" + "0" * 5000, "cannot be read as TOML: "),
        ("a = " + "[" * 5000, "cannot be read as TOML: "),
        ("[modell]", 'unknown option "modell". Did you mean "model"?'),
        ("a = = b", "cannot be read as TOML: "),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        get_recipe(str(path))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read as TOML: No such file or directory"):
        get_recipe(str(tmp_path / "none.toml"))


def test_a_recipe_starts_from_one_beside_it(tmp_path):
    write(tmp_path, 'from = "conv3"\n[training]\nepochs = 3\n', "base.toml")
    recipe = read_recipe(write(tmp_path, 'from = "base.toml"\n[model]\ndropout = 0.1\n'))
    assert (recipe.training.epochs, recipe.model.dropout) == (3, 0.1)
    assert recipe.description == "base, changed."


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_a_recipe_that_starts_from_itself(tmp_path, names):
    for name, start in zip(names, (*names[1:], names[0]), strict=True):
        write(tmp_path, f'from = "{start}.toml"', f"{name}.toml")
    with pytest.raises(ConfigError, match=r"a\.toml starts from itself\."):
        read_recipe(tmp_path / "a.toml")
