"""Probabilities as frequent as the classes are, after training that showed them otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from classeur.config import RunConfig
from classeur.errors import ConfigError
from classeur.models.classifier import Classifier
from classeur.section import override
from classeur.study.train import configure
from classeur.training.checkpoint import Progress
from classeur.training.inputs import TrainingData
from classeur.training.prior import prior_shift, shifted
from classeur.training.recipes import frozen_twin, get_recipe
from classeur.training.sampling import Sampling

Train = Callable[[RunConfig, Path], tuple[Classifier, Progress]]
WEIGHTED = {"class_weights": True}
BALANCED = {"sampling": "balanced"}
EXTRA = {"extra_augment_rare": True, "flip": 0.5}


def data_of(*sizes: int) -> TrainingData:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(len(labels))
    return TrainingData(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, rows, rows)


@pytest.mark.parametrize("options", [WEIGHTED, BALANCED, EXTRA])
def test_a_class_seen_as_often_as_the_others_lacks_the_log_of_its_frequency(options) -> None:
    shift = prior_shift(Sampling(data_of(60, 30, 30), override(RunConfig(), options)))
    expected = torch.tensor([60.0, 30.0, 30.0]).log()
    assert torch.allclose(shift, expected - expected.mean(), atol=1e-5)


def test_nothing_is_lacking_where_every_photo_counts_the_same() -> None:
    assert prior_shift(Sampling(data_of(60, 30, 5), RunConfig())).tolist() == [0, 0, 0]


def test_what_views_of_rare_classes_bring_is_bounded_and_so_is_the_shift() -> None:
    shift = prior_shift(Sampling(data_of(100, 2), override(RunConfig(), EXTRA)))
    assert float(shift[0] - shift[1]) == pytest.approx(np.log(10))  # 10 times, not 50


def test_weights_and_extra_views_shift_once() -> None:
    both = Sampling(data_of(80, 20), override(RunConfig(), {**WEIGHTED, **EXTRA}))
    shift = prior_shift(both)
    assert float(shift[0] - shift[1]) == pytest.approx(np.log(4))


@pytest.mark.parametrize(("outputs", "shift"), [(3, [0.5, -1.0, 0.5]), (1, [1.0, -1.0])])
def test_the_logits_have_the_shift_inside_and_the_very_same_bias_after(outputs, shift) -> None:
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, outputs))
    photo = torch.ones(1, 4)
    before, bias = network(photo), network[2].bias.detach().clone()
    with shifted(network, torch.tensor(shift)):
        moved = network(photo) - before
    assert moved[0].tolist() == pytest.approx(shift if outputs > 1 else [-2.0], abs=1e-6)
    assert torch.equal(network[2].bias, bias)


@pytest.fixture
def noise(data: TrainingData) -> TrainingData:
    """Photos that say nothing of their labels, which are two thirds, a quarter and the rest."""
    data.labels[:] = np.repeat([0, 1, 2], [40, 15, 5])[np.random.default_rng(1).permutation(60)]
    data.photos[:] = 100
    return data


@pytest.mark.parametrize("options", [WEIGHTED, BALANCED])
def test_photos_that_say_nothing_get_the_frequencies_back(
    options, noise: TrainingData, config: RunConfig, train: Train, tmp_path: Path
) -> None:
    config = override(config, {**options, "epochs": 30})
    even, _ = train(config, tmp_path / "even")
    restored, _ = train(override(config, {"restore_prior": True}), tmp_path / "restored")
    some = noise.photos[:1]
    frequencies = np.bincount(noise.labels[noise.train]) / len(noise.train)
    assert even.probabilities(even.logits(some))[0] == pytest.approx([1 / 3] * 3, abs=0.08)
    assert restored.probabilities(restored.logits(some))[0] == pytest.approx(frequencies, abs=0.08)


def test_training_itself_is_the_same(config: RunConfig, train: Train, tmp_path: Path) -> None:
    """Only what is kept has the shift: the losses are those of training without it."""
    config = override(config, BALANCED)
    _, plain = train(config, tmp_path / "plain")
    _, restored = train(override(config, {"restore_prior": True}), tmp_path / "restored")
    losses = [[row.train_loss for row in progress.history] for progress in (plain, restored)]
    assert losses[0] == losses[1]


def test_there_has_to_be_something_to_restore() -> None:
    message = (
        "restore_prior has nothing to restore without class_weights, sampling balanced or "
        "extra_augment_rare."
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        configure("conv3", "photos", restore_prior=True)
    configure("conv3", "photos", restore_prior=True, class_weights=True)


def test_the_frozen_twin_restores_it_too() -> None:
    recipe = get_recipe("mobilenet-fine-tuned")
    training = replace(recipe.training, class_weights=True, restore_prior=True)
    assert frozen_twin(replace(recipe, training=training)).training.restore_prior
