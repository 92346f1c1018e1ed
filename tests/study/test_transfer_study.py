"""Rungs with a pre-trained backbone among rungs without one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.study.conftest import OPTIONS

from classeur.config import ModelConfig
from classeur.errors import ConfigError, StudyError, WeightsError
from classeur.models import weights as weights_room
from classeur.models.registry import create_model
from classeur.report.questions import Question
from classeur.run_folder import RunFolder, read_json
from classeur.study.definition import Definition
from classeur.study.study import run_study
from classeur.study.train import configure, resume, train
from classeur.training.recipes import get_recipe

NAME = "test_efficientnet"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights of one small network, for photos of 32 pixels."""
    folder = tmp_path / "weights"
    folder.mkdir()
    torch.manual_seed(0)
    state = create_model(ModelConfig(NAME), (3, 32, 32), 2).backbone.state_dict()
    save_file({n: value.contiguous() for n, value in state.items()}, folder / f"{NAME}.safetensors")
    facts = {"input_size": [3, 32, 32], "mean": [0.4] * 3, "std": [0.3] * 3,
             "interpolation": "bicubic", "pretrained_on": "ImageNet", "licence": "MIT",
             "source": "drawn"}  # fmt: skip
    (folder / f"{NAME}.json").write_text(json.dumps(facts))
    monkeypatch.setenv(weights_room.FOLDER, str(folder))
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise OSError("no network")

    monkeypatch.setattr(weights_room, "_check_network", refuse)


def test_rungs_of_different_sizes_share_the_split(weights, photos, cache, tmp_path):
    study = run_study(photos, ("dense", f"{NAME}-frozen"), to=tmp_path / "binder", epochs=2)
    runs = [RunFolder(tmp_path / "binder" / name) for name in ("dense", f"{NAME}-frozen")]
    assert runs[0].manifest.read_bytes() == runs[1].manifest.read_bytes()
    facts = read_json(runs[1].model)
    assert facts["preprocessing"]["size"] == 32
    assert facts["preprocessing"]["interpolation"] == "bicubic"
    assert facts["preprocessing"]["mean"] == [0.4] * 3
    assert facts["backbone"] == {
        "name": NAME, "pretrained_on": "ImageNet", "licence": "MIT", "source": "drawn",
    }  # fmt: skip
    assert read_json(runs[0].model)["preprocessing"]["size"] != 32
    assert {sheet.name for sheet in study.report.rungs} == {"dense", f"{NAME}-frozen"}
    assert (
        study.report.settings["size"] == f"{read_json(runs[0].model)['preprocessing']['size']}, 32"
    )
    assert resume(runs[1].path).report.is_file()  # finds its photos at its own size


def ladder(*names):
    rungs = tuple(get_recipe(name) for name in names)
    return Definition("A ladder", rungs, (Question("Is it worth it?", names[0], names[-1]),))


@pytest.mark.usefixtures("no_network")
def test_a_rung_without_weights_is_skipped_and_said(weights, photos, cache, tmp_path):
    asked = ladder("majority", "vgg16-frozen")
    study = run_study(photos, definition=asked, to=tmp_path / "binder", **OPTIONS)
    assert [sheet.name for sheet in study.report.rungs] == ["majority"]
    assert study.report.failed == {}
    assert list(study.report.skipped) == ["vgg16-frozen"]
    page = study.binder.read_text(encoding="utf-8")
    assert "Not finished" in page
    assert "the weights of vgg16 are not at hand, and cannot be fetched (no network)." in page
    assert "Not answered: vgg16-frozen did not finish." in page
    assert json.loads((tmp_path / "binder" / "comparison.json").read_text())["skipped"]


@pytest.mark.usefixtures("no_network")
def test_asked_for_by_name_it_is_an_error(photos, cache, tmp_path):
    message = re.escape("the weights of vgg16 are not at hand, and cannot be fetched (no network).")
    with pytest.raises(WeightsError, match=message):
        run_study(photos, ("majority", "vgg16-frozen"), to=tmp_path / "binder", **OPTIONS)
    with pytest.raises(WeightsError, match=message):
        train(photos, "vgg16-frozen", to=tmp_path / "run")
    assert not (tmp_path / "binder").exists()


def test_the_size_may_be_chosen(weights, photos):
    config = configure(f"{NAME}-frozen", photos, size=48, interpolation="lanczos")
    assert (config.preprocessing.size, config.preprocessing.interpolation) == (48, "lanczos")


@pytest.mark.parametrize(
    ("recipe", "option", "value"),
    [
        ("conv3", "views", 3),
        ("conv3", "head", "dense"),
        ("mobilenet-frozen", "unfreeze", "2"),
        ("mobilenet-frozen", "flip", 0.5),
        ("mobilenet-fine-tuned", "views", 2),
        ("mobilenet-frozen", "normalization", "batch"),
    ],
)
def test_options_that_would_do_nothing_are_refused(photos, recipe, option, value):
    with pytest.raises(ConfigError) as caught:
        configure(recipe, photos, **{option: value})
    assert caught.value.problems == [f"{recipe} has no option {option}."]


def test_views_make_augmentation_an_option_of_a_frozen_backbone(weights, photos):
    config = configure(f"{NAME}-frozen", photos, views=2, flip=0.5)
    assert (config.transfer.views, config.augmentation.flip) == (2, 0.5)


@pytest.mark.parametrize("folder", ["n02085620-Chihuahua", "n02106662"])
def test_photos_of_imagenet_make_transfer_optimistic(weights, photos, cache, tmp_path, folder):
    root = tmp_path / "dogs"
    root.mkdir()
    for number, source in enumerate(sorted(p for p in photos.iterdir() if p.is_dir())[:2]):
        name = folder if number else "n02099601-golden_retriever"
        (root / name).symlink_to(source)
    study = run_study(root, ("majority", f"{NAME}-frozen"), to=tmp_path / "binder", epochs=1)
    (said,) = [s for s in study.report.conclusion if "optimistic" in s]
    assert said.startswith(f"{NAME}-frozen began with weights from ImageNet, and these photos are ")
    assert said.endswith(
        "its score here is optimistic, for photos that a network has learned from are easier than "
        "new ones."
    )


@pytest.mark.usefixtures("no_network")
def test_a_study_of_nothing_but_missing_weights(photos, cache, tmp_path):
    with pytest.raises(StudyError, match=r"no rung can be trained\. the weights of vgg16 are not"):
        run_study(photos, definition=ladder("vgg16-frozen"), to=tmp_path / "binder")
