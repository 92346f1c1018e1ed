"""Learning on a backbone: what learns, what stays, and going on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from classeur.config import ModelConfig, RunConfig
from classeur.data.geometry import Geometry
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.models.weights import find_weights
from classeur.run_folder import RunFolder
from classeur.section import override
from classeur.training import loop
from classeur.training.checkpoint import Progress
from classeur.training.history import read_history
from classeur.training.inputs import TrainingData
from classeur.training.loop import Learner
from classeur.training.seeding import seed_all
from classeur.training.transfer import Transfer, _head_config, _rates, fit_transfer

SIZE, NAME = 32, "test_efficientnet"


class StandInStore:
    """What the features are known by; the pixels come with the data."""

    key = "pixels of the test"


@pytest.fixture
def data() -> TrainingData:
    """Forty photos, red or green, in noise."""
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    photos = random.integers(0, 120, (40, SIZE, SIZE, 3)).astype(np.uint8)
    for photo, label in zip(photos, labels, strict=True):
        photo[:, :, label] += 100
    return TrainingData(photos, labels, np.arange(28), np.arange(28, 40))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(7)
    preprocessing = Preprocessing(Geometry(SIZE), (0.5,) * 3, (0.2,) * 3)
    drawn = Classifier.create(ModelConfig(NAME), ["a", "b"], preprocessing)
    state = {name: v.contiguous() for name, v in drawn.network.backbone.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


@pytest.fixture
def config() -> RunConfig:
    return override(
        RunConfig(model=ModelConfig(NAME, dropout=0.2)),
        {"epochs": 4, "batch_size": 8, "patience": 0, "learning_rate": 1e-2, "head_epochs": 2,
         "device": "cpu", "number_format": "float32", "flip": 0.5},
    )  # fmt: skip


@pytest.fixture
def train(data: TrainingData, weights: Path) -> Callable[..., tuple[Classifier, Progress]]:
    def fit_one(
        config: RunConfig, folder: Path, learner: Learner = loop.learn
    ) -> tuple[Classifier, Progress]:
        folder.mkdir(exist_ok=True)
        seed_all(config.seed, "weights")
        preprocessing = Preprocessing(Geometry(SIZE), (0.5,) * 3, (0.2,) * 3)
        classifier = Classifier.create(config.model, ["green", "red"], preprocessing)
        transfer = Transfer(
            classifier, find_weights(NAME, str(weights)), data, StandInStore(),
            torch.device("cpu"), "float32",
        )  # fmt: skip
        return classifier, fit_transfer(transfer, config, RunFolder(folder), learner)

    return fit_one


def state(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def moved(folder: Path, weights: Path) -> set[str]:
    """Return the tensors of the backbone that differ from the pre-trained ones."""
    learned = state(folder)
    before = load_file(weights)
    return {n for n, value in before.items() if not torch.equal(learned[f"backbone.{n}"], value)}


def test_frozen_means_frozen(config, train, tmp_path, weights):
    classifier, progress = train(override(config, {"epochs": 30}), tmp_path / "run")
    assert moved(tmp_path / "run", weights) == set()
    assert progress.epoch == 30
    assert read_history(tmp_path / "run" / "history.csv")[-1].val_accuracy == 1.0
    saved = state(tmp_path / "run")
    assert all(torch.equal(v, saved[n]) for n, v in classifier.network.state_dict().items())


@pytest.mark.parametrize("method", ["frozen", "fine-tune"])
def test_the_epochs_of_the_last_stage_are_heard_of(config, train, tmp_path, method):
    heard = []
    config = override(config, {"method": method, "epochs": 3})
    _, progress = train(
        config, tmp_path / "run", partial(loop.learn, after_epoch=lambda row, _: heard.append(row))
    )
    assert heard == progress.history
    assert len(heard) == 3


def test_what_was_learned_on_features_holds_for_pixels(config, train, data, tmp_path):
    classifier, progress = train(config, tmp_path / "run")
    logits = classifier.logits(data.photos[data.val])
    accuracy = ((logits[:, 0] > 0).numpy() == data.labels[data.val]).mean()
    assert accuracy == progress.history[progress.best_epoch - 1].val_accuracy


@pytest.mark.parametrize(
    "options",
    [
        {"method": "frozen", "views": 2},
        {"method": "frozen", "views": 2, "extra_augment_rare": True},
        {"method": "fine-tune", "sampling": "balanced", "loss": "focal"},
    ],
)
@pytest.mark.parametrize("after", [1, 9, 14])
def test_an_interrupted_run_ends_as_a_whole_one(
    config, train, data, tmp_path, monkeypatch, options, after
):
    data.labels[:14] = 0  # seven photos of one class are left, 21 of the other
    config = override(config, options)
    train(config, tmp_path / "whole")
    step, steps = loop.train_step, []

    def interrupted(*arguments: object) -> object:
        steps.append(1)
        if len(steps) == after:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(loop, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "broken")
    monkeypatch.setattr(loop, "train_step", step)
    train(config, tmp_path / "broken")
    one, other = state(tmp_path / "whole"), state(tmp_path / "broken")
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_head_learns_as_the_backbone_is_to(config):
    asked = {"loss": "focal", "focal_gamma": 1.0, "sampling": "balanced", "label_smoothing": 0.1}
    head = _head_config(override(config, asked)).training
    assert {name: getattr(head, name) for name in asked} == asked
    assert _head_config(override(config, {"class_weights": True})).training.class_weights


def test_fine_tuning_begins_with_the_head_and_then_moves_all(config, train, tmp_path, weights):
    _, progress = train(override(config, {"method": "fine-tune"}), tmp_path / "run")
    assert progress.epoch == 4
    assert len(read_history(tmp_path / "run" / "head" / "history.csv")) == 2
    learned = {name for name in load_file(weights) if name.endswith("weight")}
    assert learned <= moved(tmp_path / "run", weights)


def test_fine_tuning_the_topmost_block_leaves_the_others(config, train, tmp_path, weights):
    classifier, _ = train(
        override(config, {"method": "fine-tune", "unfreeze": "1"}), tmp_path / "run"
    )
    blocks = classifier.network.blocks()
    top = {name for name, number in blocks.items() if number == max(blocks.values())}
    changed = moved(tmp_path / "run", weights)
    assert {name for name in changed if name in blocks} == top
    statistics = {name.rpartition(".")[0] for name in changed - top}
    assert statistics <= {name.rpartition(".")[0] for name in top}


def test_blocks_thaw_one_an_epoch(config, train, tmp_path, weights):
    config = override(config, {"method": "fine-tune", "unfreeze": "blocks", "epochs": 2})
    classifier, _ = train(config, tmp_path / "run")
    blocks = classifier.network.blocks()
    changed = {blocks[name] for name in moved(tmp_path / "run", weights) if name in blocks}
    # the weights of the better of two epochs are kept
    assert changed in ({max(blocks.values())}, {max(blocks.values()) - 1, max(blocks.values())})


def test_learning_rates_fall_towards_the_photo(config, train, tmp_path):
    classifier, _ = train(override(config, {"method": "fine-tune"}), tmp_path / "run")
    rates = _rates(classifier.network, 0.5)
    assert rates["head.1.weight"] == 1.0
    assert rates["backbone.conv_stem.weight"] == 0.5**6
    assert rates["backbone.bn2.weight"] == 0.5
    assert len(rates) == len(list(classifier.network.parameters()))


def test_norms_stay_if_they_are_told_to(config, train, tmp_path, weights):
    train(override(config, {"method": "fine-tune", "keep_norms": True}), tmp_path / "run")
    assert not {name for name in moved(tmp_path / "run", weights) if "running" in name}


def test_without_epochs_for_the_head_there_are_none(config, train, tmp_path):
    train(override(config, {"method": "fine-tune", "head_epochs": 0}), tmp_path / "run")
    assert not (tmp_path / "run" / "head").exists()
