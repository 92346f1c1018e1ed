from __future__ import annotations

import dataclasses
import json
import re
import shutil
import tomllib

import numpy as np
import pytest
from PIL import Image

from classeur.config import RunConfig
from classeur.data.manifest import Manifest, read_manifest
from classeur.errors import ConfigError, DataError, EvaluationError, RunFolderError, TrainingError
from classeur.evaluation.openings import openings_of
from classeur.run_folder import RunFolder
from classeur.study.score import evaluate
from classeur.study.train import configure, reconfigure, store_of, train
from classeur.training.session import training_data


@pytest.fixture
def dense(study) -> RunFolder:
    return RunFolder(study.folder / "dense")


def test_a_run_folder_holds_what_the_design_says(dense):
    names = {path.name for path in dense.path.iterdir()}
    assert names >= {
        "config.toml", "environment.json", "manifest.csv", "history.csv", "model.safetensors",
        "model.json", "predictions.parquet", "metrics.json", "test_openings.jsonl", "report.html",
        "report.md", "training.json",
    }  # fmt: skip
    assert "state.pt" not in names, "only resuming needs it"
    assert not any(name.startswith(".") and name != ".lock" for name in names)


def test_the_config_repeats_the_run(dense):
    values = tomllib.loads(dense.config.read_text())
    assert values["preprocessing"] == {
        "size": 16, "color": "rgb", "resize": "squash", "interpolation": "bilinear",
        "filters": [],
    }  # fmt: skip
    assert RunConfig.from_toml(dense.config).training.epochs == 3


def test_the_environment_is_written_down(dense):
    environment = json.loads(dense.environment.read_text())
    assert environment["device"] == "cpu"
    assert environment["packages"]["torch"].startswith("2.13.0")
    assert environment["threads"] >= 1


def test_train_does_not_overwrite_a_run(photos, cache, dense):
    message = f'{dense.path} is there already. Go on with it by --resume "{dense.path}", or choose'
    with pytest.raises(RunFolderError, match=re.escape(message)):
        train(photos, "dense", to=dense.path)


def test_prepared_photos_must_be_those_of_the_manifest(dense, cache):
    store, _ = store_of(dense)
    manifest = read_manifest(dense.manifest)
    turned = Manifest(manifest.rows[::-1])
    with pytest.raises(TrainingError, match="not those of the manifest; their order differs"):
        training_data(store, turned)
    with pytest.raises(TrainingError, match=r"not those of the manifest; different: left/0\.png"):
        training_data(store, Manifest(manifest.rows[1:]))


def test_evaluate_repeats_the_score_and_records_the_opening(dense, cache):
    before = len(openings_of(dense))
    score = evaluate(dense.path)
    recorded = json.loads(dense.metrics.read_text())["splits"]["test"]
    assert score.metrics.to_dict() == recorded
    assert score.openings == before + 1
    assert len(openings_of(dense)) == before + 1
    assert openings_of(dense)[-1].accuracy == score.metrics.accuracy.value


def test_evaluating_validation_opens_nothing(dense, cache):
    before = dense.test_openings.read_text()
    score = evaluate(dense.path, split="val")
    assert score.metrics.to_dict() == json.loads(dense.metrics.read_text())["splits"]["val"]
    assert dense.test_openings.read_text() == before


def test_evaluate_on_other_photos_in_another_layout(dense, tmp_path):
    random = np.random.default_rng(1)
    for number in range(6):
        pixels = random.integers(0, 120, (40, 40, 3)).astype(np.uint8)
        pixels[:, 14 * (number % 2) : 14 * (number % 2) + 13] += 100
        Image.fromarray(pixels).save(tmp_path / f"{('left', 'middle')[number % 2]}.{number}.png")
    (tmp_path / "left.9.jpg").write_bytes(b"")
    score = evaluate(dense.path, tmp_path)
    assert score.metrics.photos == 6
    assert [(u.path, u.reason) for u in score.unreadable] == [("left.9.jpg", "is empty (0 bytes)")]
    assert score.predictions.class_names == ["left", "middle", "right"]


def test_evaluate_on_unknown_classes(dense, tmp_path):
    for name in ("lefft.1.png", "right.2.png"):
        Image.new("RGB", (20, 20)).save(tmp_path / name)
    with pytest.raises(EvaluationError) as caught:
        evaluate(dense.path, tmp_path)
    assert str(caught.value) == (
        "the run does not know the classes lefft. It knows: left, middle, right. "
        'Did you mean "left"?'
    )


def test_photos_that_changed_are_named(photos, cache, tmp_path):
    run = train(photos, "majority", to=tmp_path / "run", size=16)
    target = photos / "middle" / "3.png"
    before = target.read_bytes()
    try:
        Image.new("RGB", (24, 24)).save(target)
        with pytest.raises(
            DataError, match=r"1 of the 60 photos in .* have changed since: middle/3"
        ):
            evaluate(run.path)
        target.unlink()
        with pytest.raises(
            DataError, match=r"1 of the 60 photos in .* are not there: middle/3.png"
        ):
            evaluate(run.path)
    finally:
        target.write_bytes(before)


def test_a_recipe_refuses_an_option_of_another_network_at_once(photos):
    with pytest.raises(ConfigError) as caught:
        configure("dense", photos, spatial_dropout=0.2)
    assert caught.value.problems == ["dense has no option spatial_dropout."]


def test_a_config_repeats_a_run_but_for_what_is_changed(dense, photos, tmp_path):
    config = reconfigure(dense.config, seed=4)
    assert config == dataclasses.replace(RunConfig.from_toml(dense.config), seed=4)
    assert reconfigure(dense.config, tmp_path).data.photos == str(tmp_path)
    nowhere = tmp_path / "config.toml"
    nowhere.write_text("[training]\nepochs = 3\n")
    with pytest.raises(ConfigError, match=re.escape("names no photos. Give them beside --config.")):
        reconfigure(nowhere)


def test_a_manifest_is_found_from_elsewhere(photos, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert configure("dense", photos, manifest="m.csv").data.manifest == str(tmp_path / "m.csv")


def test_evaluate_refuses_an_unfinished_run_and_an_unknown_split(dense, tmp_path):
    with pytest.raises(
        EvaluationError, match=re.escape('unknown split "tset". Did you mean "test"?')
    ):
        evaluate(dense.path, split="tset")
    copy = RunFolder(shutil.copytree(dense.path, tmp_path / "copy"))
    copy.training.unlink()
    with pytest.raises(
        RunFolderError, match=re.escape("is an unfinished run: it has no training.json yet")
    ):
        evaluate(copy.path)


def test_photos_of_the_run_itself_are_counted(dense, photos, cache, tmp_path):
    copy = RunFolder(shutil.copytree(dense.path, tmp_path / "copy"))
    score = evaluate(copy.path, photos)
    assert score.known == {"train": 36, "val": 12, "test": 12}
    assert score.openings == len(openings_of(copy))
    line = json.loads(copy.test_openings.read_text().splitlines()[-1])
    assert (line["reason"], line["photos"]) == ("evaluate on photos of the test split", 12)


def test_a_folder_that_holds_no_run_cannot_be_resumed(photos, tmp_path):
    (tmp_path / "notes.txt").touch()
    message = f"{tmp_path} is there already. Choose another folder with --to."
    with pytest.raises(RunFolderError, match=re.escape(message)):
        train(photos, "majority", to=tmp_path)
