"""What evaluation leaves behind to tell strange photos."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from classeur.config import ModelConfig
from classeur.data.manifest import Manifest
from classeur.evaluation import novelty as room
from classeur.evaluation.evaluate import evaluate_run, read_metrics
from classeur.evaluation.novelty import area_under_curve, remember, shuffled_parts
from classeur.evaluation.predictions import read_predictions
from classeur.models.classifier import Classifier
from classeur.models.novelty import Novelty
from classeur.run_folder import RunFolder


@pytest.fixture
def stripes(manifest: Manifest) -> np.ndarray:
    """Photos of noise with a bright stripe, whose place is the label."""
    photos = np.random.default_rng(0).integers(0, 90, (len(manifest.rows), 8, 8, 1))
    for photo, row in zip(photos, manifest.rows, strict=True):
        start = 3 * manifest.class_names.index(row.label)
        photo[:, start : start + 2] += 150
    return photos.astype(np.uint8)


@pytest.fixture
def learned(run: RunFolder, stripes: np.ndarray, manifest: Manifest) -> RunFolder:
    """The run after a few steps on the training photos of stripes."""
    classifier, train = Classifier.load(run), manifest.indices("train")
    labels = torch.tensor([manifest.class_names.index(manifest.rows[i].label) for i in train])
    pixels = (torch.from_numpy(stripes[train]).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    optimizer = torch.optim.Adam(classifier.network.parameters(), 1e-3)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(classifier.network(pixels), labels).backward()
        optimizer.step()
    classifier.save_weights(run)
    return run


def test_scoring_a_run_measures_the_strangeness_of_each_photo(
    learned: RunFolder, stripes: np.ndarray, manifest: Manifest
) -> None:
    run = learned
    scored = evaluate_run(run, stripes, manifest, reason="a test", batch_size=7)
    written = read_predictions(run.predictions)
    assert written.strangeness is not None
    classifier = Classifier.load(run)
    novelty = Novelty.load(run, classifier.network)
    assert novelty is not None
    assert novelty.tells
    assert novelty.auroc == scored.novelty == read_metrics(run).novelty
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


def test_a_network_that_has_learned_little_calls_nothing_strange(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    """Noise cut up is noise: who tells no photo from its parts can tell none from others."""
    scored = evaluate_run(run, photos, manifest, reason="a test")
    novelty = Novelty.load(run, Classifier.load(run).network)
    assert novelty is not None
    assert scored.novelty is not None
    assert 0.2 < scored.novelty == novelty.auroc < 0.7
    assert not novelty.tells
    assert read_predictions(run.predictions).strangeness is None


@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 6, 1), (3, 2, 1), (1, 1, 3)])
def test_photos_are_cut_up_and_nothing_is_lost(shape: tuple[int, int, int]) -> None:
    photos = np.arange(5 * np.prod(shape), dtype=np.uint8).reshape(5, *shape)
    cut = shuffled_parts(photos, np.random.default_rng(0))
    for whole, parts in zip(photos, cut, strict=True):
        assert sorted(whole.ravel()) == sorted(parts.ravel())
        assert np.array_equal(whole, parts) == (shape == (1, 1, 3))
    if shape == (8, 8, 3):
        parts = [cut[0, y : y + 2, x : x + 2].tobytes() for y in (0, 2, 4, 6) for x in (0, 2, 4, 6)]
        assert set(parts) == {
            photos[0, y : y + 2, x : x + 2].tobytes() for y in (0, 2, 4, 6) for x in (0, 2, 4, 6)
        }
        assert not np.array_equal(cut[0] - photos[0, 0, 0], cut[1] - photos[1, 0, 0])


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    own, other = np.sort(random.integers(0, 9, 30)), random.integers(3, 12, 20)
    expected = roc_auc_score(np.repeat([0, 1], [30, 20]), np.concatenate([own, other]))
    assert area_under_curve(own, other) == pytest.approx(expected)


def test_with_too_few_validation_photos_nothing_is_strange(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    val = [i for i, row in enumerate(manifest.rows) if row.split == "val"]
    rows = list(manifest.rows)
    for i in val[18:]:
        rows[i] = dataclasses.replace(rows[i], split="test")
    assert evaluate_run(run, photos, Manifest(rows), reason="a test").novelty is None
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
