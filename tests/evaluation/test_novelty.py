"""What evaluation leaves behind to tell strange photos."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from classeur.config import ModelConfig
from classeur.data.manifest import Manifest
from classeur.evaluation import novelty as room
from classeur.evaluation.evaluate import evaluate_run
from classeur.evaluation.novelty import remember
from classeur.evaluation.predictions import read_predictions
from classeur.models.classifier import Classifier
from classeur.models.novelty import Novelty
from classeur.run_folder import RunFolder


def test_scoring_a_run_measures_the_strangeness_of_each_photo(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    evaluate_run(run, photos, manifest, reason="a test", batch_size=7)
    written = read_predictions(run.predictions)
    assert written.strangeness is not None
    classifier = Classifier.load(run)
    novelty = Novelty.load(run, classifier.network)
    assert novelty is not None
    assert novelty.known.means.shape == (3, 128)
    assert len(novelty.distances) == 20
    val = written.of_split("val").strangeness
    assert val is not None
    assert (val > 1).sum() <= 1  # of 20, at a share of 0.05
    np.testing.assert_allclose(
        np.sort(val), novelty.distances.numpy() / novelty.threshold(), rtol=1e-5
    )
    test = written.of_split("test")
    assert test.strangeness is not None
    assert len(test.strangeness) == len(test.paths) == 11


def test_with_too_few_validation_photos_nothing_is_strange(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    val = [i for i, row in enumerate(manifest.rows) if row.split == "val"]
    rows = list(manifest.rows)
    for i in val[18:]:
        rows[i] = dataclasses.replace(rows[i], split="test")
    evaluate_run(run, photos, Manifest(rows), reason="a test")
    assert not run.novelty.exists()
    assert read_predictions(run.predictions).strangeness is None
    assert read_predictions(run.predictions).of_split("test").strangeness is None


def test_the_majority_remembers_nothing(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    loaded = Classifier.load(run)
    majority = Classifier.create(ModelConfig("majority"), loaded.class_names, loaded.preprocessing)
    assert remember(majority, photos, manifest, 8) is None


def test_no_more_photos_are_looked_at_than_it_takes(
    run: RunFolder, photos: np.ndarray, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, seen = Classifier.load(run), []
    monkeypatch.setattr(room, "LOOKED_AT", 5)
    monkeypatch.setattr(room, "OF_EACH", 4)
    logits = classifier.logits

    def counting(pixels: np.ndarray) -> object:
        seen.append(len(pixels))
        return logits(pixels)

    monkeypatch.setattr(classifier, "logits", counting)
    assert remember(classifier, photos, manifest, 8) is not None
    assert sum(seen) == 12  # four of each of three classes
