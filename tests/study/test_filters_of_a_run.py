"""Filters and whitening from the option to the prediction, and rungs that differ in them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image
from tests.study.conftest import OPTIONS

from classeur.data.manifest import read_manifest
from classeur.errors import ConfigError, TrainingError
from classeur.evaluation.predictions import read_predictions
from classeur.inference.predictor import Predictor
from classeur.run_folder import RunFolder, read_json
from classeur.study.material import gather
from classeur.study.score import evaluate
from classeur.study.study import run_study
from classeur.study.train import configure, resume, train

FILTERS = ("equalize", "rotate=10", "flip")


def agree(run: RunFolder, photos) -> float:
    """Return how far prediction from file bytes is from the scores of evaluation, at most."""
    scored = read_predictions(run.predictions)
    contents = [(photos / path).read_bytes() for path in scored.paths]
    rows = np.stack([row for _, row, *_ in Predictor.load(run.path).rows(contents)])
    return float(np.abs(rows - scored.probabilities).max())


def test_prediction_applies_what_training_did(photos, cache, tmp_path):
    run = train(
        photos, "dense", to=tmp_path / "run", filters=FILTERS, zca=9, resize="pad",
        **{**OPTIONS, "size": 20, "epochs": 2},
    )  # fmt: skip
    facts = read_json(run.model)
    assert facts["preprocessing"]["filters"] == list(FILTERS)
    assert facts["model"]["zca"] == 9
    assert agree(run, photos) < 1e-5
    again = evaluate(run.path).predictions
    scored = read_predictions(run.predictions).of_split("test")
    np.testing.assert_allclose(again.probabilities, scored.probabilities, atol=1e-6)
    page = run.report.read_text()
    said = "It sees 20 × 20 pixels in colour: all of the photo, with a black border; then equalize,"
    assert f"{said} rotate=10, flip." in page
    assert "Zca, 9 components" in page
    assert f"{said} rotate=10, flip." in (run.path / "report.md").read_text()
    plain = Predictor.load(run.path)
    object.__setattr__(plain.classifier.preprocessing.geometry, "filters", ())
    vars(plain.classifier.preprocessing.geometry).pop("_steps")
    content = (photos / scored.paths[0]).read_bytes()
    ((_, other, *_),) = plain.rows([content])
    assert np.abs(other - scored.probabilities[0]).max() > 1e-3  # the filters do matter here


def test_rungs_with_other_filters_share_the_split(photos, cache, tmp_path):
    folder, options = tmp_path / "binder", {**OPTIONS, "epochs": 1}
    study = run_study(photos, ("majority", "conv3-equalized"), to=folder, **options)
    runs = [RunFolder(folder / name) for name in ("majority", "conv3-equalized")]
    assert runs[0].manifest.read_bytes() == runs[1].manifest.read_bytes()
    filters = [read_json(run.model)["preprocessing"]["filters"] for run in runs]
    assert filters == [[], ["equalize"]]
    assert agree(runs[1], photos) < 1e-5
    said = "none (majority); equalize (conv3-equalized)"
    assert study.report.settings["filters"] == said
    assert said in study.binder.read_text()
    assert said in (folder / "report.md").read_text()
    assert resume(runs[1].path).report.is_file()  # finds its own pixels
    first = configure("conv3-equalized", photos, filters=("mirror", "whiten"), size=24)
    shared = read_manifest(folder / "manifest.csv")
    assert gather(first.data, first.preprocessing).manifest.rows == shared.rows


def test_wrong_filters_are_said_with_everything_else(photos):
    with pytest.raises(ConfigError) as caught:
        configure("dense", photos, filters=("mirrow", "rotate=x"), spatial_dropout=0.2)
    first, second, third = caught.value.problems
    assert first == "dense has no option spatial_dropout."
    assert second.startswith('unknown filter "mirrow". Did you mean "mirror"?')
    assert third.startswith("filter rotate takes degrees from -180 to 180")


def test_whitening_is_refused_where_it_would_do_nothing(photos):
    for recipe in ("majority", "resnet18-frozen"):
        with pytest.raises(ConfigError, match=re.escape(f"{recipe} has no option zca.")):
            configure(recipe, photos, zca=5)


def test_too_few_photos_to_whiten_by(cache, tmp_path):
    for label in ("a", "b"):
        for number in range(5):
            path = tmp_path / "photos" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 10 * number + len(label)).save(path)
    with pytest.raises(TrainingError, match="zca of 6 components needs more than 6 training"):
        train(tmp_path / "photos", "dense", to=tmp_path / "run", zca=6, device="cpu")
