from __future__ import annotations

import dataclasses

import pytest

from classeur.errors import ConfigError
from classeur.report.questions import Question
from classeur.study.definition import list_studies, read_definition, shipped_study
from classeur.study.plan import plan
from classeur.study.tuning import Tuning
from classeur.training.recipes import frozen_twin, get_recipe

OWN = """
title = "Turned"
about = "Whether turning helps."
published = "0.9, by nobody."
rungs = ["conv3", "turned", "more.toml"]

[[recipes]]
name = "turned"
from = "conv3"
[recipes.augmentation]
rotation = 20

[[questions]]
ask = "What does turning bring?"
before = "conv3"
after = "turned"

[data]
top_classes = 3
[training]
epochs = 2
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "more.toml").write_text('from = "conv1"\n[training]\nepochs = 3\n')
    path = tmp_path / "étude.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_a_study_of_ones_own(own):
    study = read_definition(own)
    assert [rung.name for rung in study.rungs] == ["conv3", "turned", "more"]
    assert study.rungs[1].augmentation.rotation == 20
    assert study.rungs[2].training.epochs == 3
    assert study.questions == (Question("What does turning bring?", "conv3", "turned"),)
    assert study.options == {"top_classes": 3, "epochs": 2}
    assert (study.title, study.about) == ("Turned", "Whether turning helps.")
    assert study.published == "0.9, by nobody."


@pytest.mark.parametrize("name", list_studies())
def test_every_shipped_study_can_be_planned_and_survives_its_own_toml(name, tmp_path):
    study = read_definition(name)
    assert study.title
    assert plan("photos", study.rungs, 1, 0, study.options)
    copy = tmp_path / "copy.toml"
    copy.write_text(study.to_toml(), encoding="utf-8")
    assert read_definition(copy) == study


def test_a_study_writes_what_it_reads(own, tmp_path):
    copy = tmp_path / "elsewhere" / "study.toml"
    copy.parent.mkdir()
    copy.write_text(read_definition(own).to_toml(), encoding="utf-8")
    assert read_definition(copy) == read_definition(own)


SEARCHED = """
rungs = ["turned", "turned-tuned", "more-tuned", "dense-tuned"]
[[recipes]]
name = "turned"
from = "conv3"
[recipes.augmentation]
rotation = 20
[[searches]]
name = "turned-tuned"
recipe = "turned"
trials = 5
[[searches]]
name = "more-tuned"
recipe = "more.toml"
options = ["dropout"]
[[searches]]
name = "dense-tuned"
recipe = "dense"
"""


def test_a_search_makes_a_rung(own, tmp_path):
    own.write_text(SEARCHED, encoding="utf-8")
    study = read_definition(own)
    rungs = {rung.name: rung for rung in study.rungs}
    assert rungs["turned-tuned"].augmentation.rotation == 20
    assert rungs["more-tuned"].training.epochs == 3
    assert rungs["dense-tuned"].description == (
        "dense with the options that did best on validation in a search."
    )
    assert study.tuning("turned-tuned") == Tuning("turned-tuned", "turned", 5)
    assert study.tuning("more-tuned") == Tuning("more-tuned", "more", 20, ("dropout",))
    assert study.tuning("turned") is None
    copy = tmp_path / "elsewhere" / "study.toml"
    copy.parent.mkdir()
    copy.write_text(study.to_toml(), encoding="utf-8")
    assert read_definition(copy) == study


def test_the_searches_of_rungs_that_are_left_out_are_left_out(own):
    own.write_text(SEARCHED, encoding="utf-8")
    study = read_definition(own)
    names = [tuning.name for tuning in study.without(["more-tuned", "turned"]).searches]
    assert names == ["turned-tuned", "dense-tuned"]
    assert study.with_rungs(["conv1"]).searches == ()


def test_a_search_has_a_share_of_the_budget():
    rungs = (get_recipe("majority"), get_recipe("conv3"))
    assert [c.training.max_minutes for c in plan("photos", rungs, 1, 6, {}, 1)] == [3, 3]


def test_a_part_of_the_rungs(own):
    study = read_definition(own).with_rungs(["turned", "dense"])
    assert study.rungs == (read_definition(own).rungs[1], get_recipe("dense"))
    assert "questions" not in study.to_toml()


def test_without_rungs_a_study_compares_its_own_recipes(own):
    own.write_text(OWN.replace('rungs = ["conv3", "turned", "more.toml"]', "").split("[[q")[0])
    assert [rung.name for rung in read_definition(own).rungs] == ["turned"]


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        'titel = "x"\nabout = 3\nrungs = ["conv3", "conv3", "conv33"]\n'
        '[[recipes]]\nname = "a"\nfrom = "b"\n[[recipes]]\n[recipes.training]\nepoch = 3\n'
        '[[questions]]\nask = "?"\nbefore = "conv3"\nafter = "dense"\n[[questions]]\naks = "?"\n'
        '[data]\nphotos = "x"\nval = 3\n[training]\nepochs = "many"\n'
    )
    with pytest.raises(ConfigError) as caught:
        read_definition(path)
    for message in (
        'unknown option "titel". Did you mean "title"?',
        "about must be a text, received 3.",
        'a: unknown recipe "b".',
        'recipe 2: name must be of letters, digits and ._+-, received "".',
        'recipe 2: [training] unknown option "epoch". Did you mean "epochs"?',
        'unknown recipe "conv33". Did you mean "conv3"?',
        "rungs names conv3 twice.",
        'question 1: unknown rung "dense". Expected one of: conv3, conv3, a, recipe 2.',
        "question 2 needs the text ask.",
        "question 2 needs the text before.",
        'question 2: unknown option "aks". Did you mean "ask"?',
        "[data] photos are named beside a study, not in it.",
        "[data] val must be at least 0.001 and below 1, received 3.",
        "[training] epochs must be a whole number, received 'many'.",
    ):
        assert f"{path}: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('title = "x"', "rungs must name at least one recipe."),
        ("rungs = 3", "rungs must be a list of texts, received 3."),
        ('rungs = ["conv3"]\nrecipes = ["x"]', "recipes must be a list of tables, received ['x']."),
        (
            '[[recipes]]\nname = "a"\nfrom = "dense"\n[[recipes]]\nname = "a"\nfrom = "conv3"',
            "recipes names a twice.",
        ),
        (
            'rungs = ["conv3"]\n[[questions]]\nask = "?"\nbefore = "conv3"\nafter = "conv3"',
            "question 1 compares conv3 with itself.",
        ),
        (
            'rungs = ["x"]\n[[searches]]\nname = "x"\nrecipe = "conv33"',
            'search 1: unknown recipe "conv33". Did you mean "conv3"?',
        ),
        ("[[searches]]\ntrials = 0", "search 1: trials must be at least 1, received 0."),
        ("[[searches]]\ntrials = 3", "search 1: it needs a recipe."),
        (
            'rungs = ["conv3"]\n[[searches]]\nname = "conv3"\nrecipe = "dense"',
            'search 1: "conv3" is the name of a recipe of Classeur; choose another name.',
        ),
        (
            '[[searches]]\nname = "a"\nrecipe = "dense"\n[[recipes]]\nname = "a"\nfrom = "conv3"',
            "search 1: there is a recipe a already.",
        ),
        ('rungs = ["conv3"]\ntraining = 3', "training must be a table, received 3."),
    ],
)
def test_what_is_no_study_is_refused(tmp_path, text, message):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_definition(path)
    assert f"{path}: {message}" in str(caught.value)


def test_a_recipe_starts_from_an_earlier_one(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('[[recipes]]\nname="a"\nfrom="b"\n[[recipes]]\nname="b"\nfrom="conv3"')
    with pytest.raises(ConfigError) as caught:
        read_definition(path)
    assert str(caught.value) == (
        f'{path}: a: "b" is not above it: a recipe starts from an earlier one.'
    )


def test_a_rung_that_is_none_names_those_of_the_study(own):
    with pytest.raises(ConfigError) as caught:
        read_definition(own).with_rungs(["turnd", "dense"])
    (problem,) = caught.value.problems
    assert problem.startswith('unknown recipe "turnd".')
    assert problem.endswith(" The study has: conv3, turned, more.")


def test_an_unknown_study_suggests_one():
    with pytest.raises(ConfigError) as caught:
        shipped_study("standart")
    assert caught.value.problems == [
        'unknown study "standart". Did you mean "standard"? Expected one of: '
        f"{', '.join(list_studies())}. Or a file NAME.toml."
    ]


def test_the_questions_of_a_value_are_kept():
    study = read_definition("standard")
    asked = dataclasses.replace(study, questions=study.questions[:1])
    assert asked.with_rungs(["dense", "conv3"]).questions == study.questions[:1]


def test_a_fine_tuned_rung_is_compared_with_its_frozen_twin():
    study = read_definition("standard").with_rungs(["dense", "resnet18-fine-tuned"])
    compared = study.compared_with_frozen()
    assert [rung.name for rung in compared.rungs] == [
        "dense", "resnet18-frozen", "resnet18-fine-tuned",
    ]  # fmt: skip
    twin = compared.rungs[1]
    assert (twin.transfer.method, twin.model) == ("frozen", compared.rungs[2].model)
    assert plan("photos", compared.rungs, 1, 0, {})
    asked = Question("What does fine-tuning bring?", "resnet18-frozen", "resnet18-fine-tuned")
    assert compared.questions[-1] == asked
    assert compared.compared_with_frozen() == compared


def test_a_study_without_fine_tuning_has_nothing_to_compare():
    with pytest.raises(ConfigError, match="compare_frozen needs a rung that is fine-tuned"):
        read_definition("standard").compared_with_frozen()


def test_the_twin_is_one_of_classeurs_own_where_it_is_the_same(tmp_path):
    study = read_definition("standard").with_rungs(["mobilenet-fine-tuned"]).compared_with_frozen()
    assert study.rungs[0] == get_recipe("mobilenet-frozen")
    copy = tmp_path / "study.toml"
    copy.write_text(study.to_toml(), encoding="utf-8")
    assert read_definition(copy).rungs == study.rungs


def test_a_twin_has_the_loss_of_its_rung():
    tuned = get_recipe("resnet18-fine-tuned")
    changed = {"loss": "focal", "class_weights": True, "batch_size": 8}
    own = dataclasses.replace(
        tuned, name="mine", training=dataclasses.replace(tuned.training, **changed)
    )
    twin = frozen_twin(own).training
    assert (twin.loss, twin.class_weights, twin.batch_size) == ("focal", True, 8)


def test_recipes_of_a_study_start_from_files_beside_it(tmp_path, monkeypatch):
    (tmp_path / "base.toml").write_text('from = "conv1"\n[training]\nepochs = 3\n')
    path = tmp_path / "study.toml"
    path.write_text('[[recipes]]\nname = "a"\nfrom = "base.toml"\n')
    monkeypatch.chdir("/")
    assert read_definition(path).rungs[0].training.epochs == 3
