from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from classeur.errors import DivergedError, TrainingError
from classeur.run_folder import RunFolder
from classeur.section import override
from classeur.training import loop, optimization
from classeur.training.history import read_history


def weights(folder):
    return load_file(RunFolder(folder).weights)


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def without_seconds(rows):
    return [replace(row, seconds=0.0) for row in rows]


AUGMENTED = {"flip": 0.5, "rotation": 10, "shift": 0.1, "brightness": 0.2, "erasing": 0.3}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rotation": 10, "shift": 0.05, "zoom": 0.1, "contrast": 0.2, "brightness": 0.2},
        {"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1},
        {"optimizer": "sgd", "learning_rate": 0.01, "schedule": "cosine"},
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "one-cycle", "class_weights": True},
        {"number_format": "bfloat16"},
        {"ema": 0.9},
        {"loss": "focal", "class_weights": True, "label_smoothing": 0.05},
        {"sampling": "balanced"},
        {"randaugment": 1, "magnitude": 2, "extra_augment_rare": True},
    ],
)
def test_every_option_learns_a_bar(options, config, train, tmp_path):
    config = override(config, {"epochs": 12, **options})
    _, progress = train(config, tmp_path / "run")
    assert max(row.val_accuracy for row in progress.history) >= 0.9


def test_same_seed_same_weights(config, train, tmp_path):
    config = override(config, AUGMENTED)
    train(config, tmp_path / "a")
    train(config, tmp_path / "b")
    train(override(config, {"seed": 1}), tmp_path / "c")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def thin_out(data):
    """Leave 20, 4 and 10 of the training photos of the three classes."""
    keep = [data.train[data.labels[data.train] == label] for label in range(3)]
    kept = [rows[:size] for rows, size in zip(keep, (20, 4, 10), strict=True)]
    data.train = np.sort(np.concatenate(kept))


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sampling": "balanced"},
        {"extra_augment_rare": True, "randaugment": 2, "restore_prior": True},
    ],
)
def test_interrupted_and_resumed_equals_uninterrupted(
    options, epoch, config, train, data, tmp_path, monkeypatch
):
    thin_out(data)
    config = override(
        config, {**AUGMENTED, "schedule": "cosine", "optimizer": "adamw", "ema": 0.95, **options}
    )
    _, whole = train(config, tmp_path / "whole")

    def interrupted(trainer, *rest):
        if interrupted.steps == (epoch - 1) * trainer.steps_per_epoch + 3:
            raise KeyboardInterrupt
        interrupted.steps += 1
        return step(trainer, *rest)

    interrupted.steps = 0
    step = loop.train_step
    monkeypatch.setattr(loop, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "broken")
    assert len(read_history(tmp_path / "broken" / "history.csv")) == epoch - 1
    monkeypatch.setattr(loop, "train_step", step)
    _, resumed = train(config, tmp_path / "broken")

    assert without_seconds(resumed.history) == without_seconds(whole.history)
    assert resumed.best_epoch == whole.best_epoch
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "whole"))


def test_the_best_weights_are_kept_and_not_the_last(config, train, tmp_path, monkeypatch):
    scores = iter([(0.9, 0.5), (0.7, 0.6), (0.5, 0.5), (0.8, 0.6)])
    seen = []

    def validate(trainer):
        seen.append({k: v.clone() for k, v in trainer.network.state_dict().items()})
        return next(scores)

    monkeypatch.setattr(loop, "validate", validate)
    classifier, progress = train(config, tmp_path / "run")
    assert progress.best_epoch == 2
    assert same(weights(tmp_path / "run"), seen[1])
    assert same(classifier.network.state_dict(), seen[1])


def test_a_loss_that_is_no_number_stops_with_an_explanation(config, train, tmp_path):
    config = override(config, {"optimizer": "sgd", "learning_rate": 100.0, "epochs": 40})
    message = (
        r"the loss became (nan|inf) in epoch \d+, at learning rate 100\. The steps were too large "
        r"for the weights: try a learning rate ten times smaller\."
    )
    with pytest.raises(DivergedError, match=message):
        train(config, tmp_path / "run")


def test_the_explanation_names_the_number_format(config, train, tmp_path):
    config = override(
        config, {"optimizer": "sgd", "learning_rate": 100.0, "number_format": "bfloat16"}
    )
    with pytest.raises(DivergedError, match=re.escape(", or --number-format float32.")):
        train(override(config, {"epochs": 40}), tmp_path / "run")


def test_it_says_why_it_stopped(config, train, tmp_path, monkeypatch):
    _, progress = train(config, tmp_path / "epochs")
    assert progress.stopped == "all 4 epochs were done"

    _, progress = train(override(config, {"max_minutes": 1e-7}), tmp_path / "time")
    assert progress.stopped == "the time budget of 1e-07 minutes was spent"
    assert progress.epoch == 1

    monkeypatch.setattr(loop, "validate", lambda trainer: (1.0, 0.5))
    _, progress = train(override(config, {"epochs": 30, "patience": 3}), tmp_path / "patience")
    assert progress.stopped == "validation had not improved for 3 epochs"
    assert progress.epoch == 4


def test_time_spent_before_an_interruption_counts(config, train, tmp_path, monkeypatch):
    config = override(config, {"max_minutes": 60.0})
    train(override(config, {"epochs": 1}), tmp_path / "run")
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    state["progress"]["seconds"] = 3600.0
    state["progress"]["stopped"] = ""
    torch.save(state, tmp_path / "run" / "state.pt")
    _, progress = train(config, tmp_path / "run")
    assert progress.stopped == "the time budget of 60 minutes was spent"
    assert progress.epoch == 2


def test_a_finished_run_trains_no_more(config, train, tmp_path, monkeypatch):
    train(config, tmp_path / "run")
    monkeypatch.setattr(loop, "train_step", None)
    _, progress = train(config, tmp_path / "run")
    assert progress.epoch == 4


def test_two_classes_train_with_one_output(config, train, data, tmp_path):
    keep = data.labels < 2
    data.photos, data.labels = data.photos[keep], data.labels[keep]
    data.train, data.val = np.arange(28), np.arange(28, 40)
    classifier, progress = train(override(config, {"epochs": 10}), tmp_path / "run")
    assert classifier.network[-1].out_features == 1
    assert progress.history[-1].val_accuracy == 1.0


def test_a_network_cannot_learn_labels_that_say_nothing(config, train, data, tmp_path):
    data.labels = np.random.default_rng(1).integers(0, 3, len(data.labels))
    _, progress = train(override(config, {"epochs": 8}), tmp_path / "run")
    assert progress.best_loss > 0.9, "it scored on the validation split what it cannot know"


def test_validation_photos_are_never_trained_on(config, train, data, tmp_path, monkeypatch):
    rows = []
    step = loop.train_step

    def watched(trainer, pixels, labels, generator):
        rows.extend(
            int(np.flatnonzero((data.photos == p.numpy()).all((1, 2, 3)))[0]) for p in pixels
        )
        return step(trainer, pixels, labels, generator)

    monkeypatch.setattr(loop, "train_step", watched)
    train(override(config, {"epochs": 1}), tmp_path / "run")
    assert sorted(rows) == data.train.tolist()


def labels_seen(config, train, tmp_path, monkeypatch):
    seen = []
    step = loop.train_step

    def watched(trainer, pixels, labels, generator):
        seen.append(labels)
        return step(trainer, pixels, labels, generator)

    monkeypatch.setattr(loop, "train_step", watched)
    train(override(config, {"epochs": 1}), tmp_path / "run")
    return len(seen), torch.bincount(torch.cat(seen)).tolist()


@pytest.mark.parametrize(
    ("options", "steps", "expected"),
    [
        ({}, 4, [14, 4, 10]),
        ({"sampling": "balanced"}, 4, [10, 9, 9]),
        ({"extra_augment_rare": True, "flip": 0.5}, 6, [14, 14, 14]),
    ],
)
def test_a_network_sees_what_the_sampling_shows(
    options, steps, expected, config, train, data, tmp_path, monkeypatch
):
    thin_out(data)
    config = override(config, options)
    assert labels_seen(config, train, tmp_path, monkeypatch) == (steps, expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [28 / 3 / 14, 28 / 3 / 4, 28 / 3 / 10]),
        ({"extra_augment_rare": True, "flip": 0.5}, [1, 1, 1]),
    ],
)
def test_class_weights_are_of_what_an_epoch_shows(
    options, expected, config, train, data, tmp_path, monkeypatch
):
    seen = []
    step = loop.train_step
    monkeypatch.setattr(
        loop,
        "train_step",
        lambda trainer, *rest: (seen.append(trainer.class_weights), step(trainer, *rest))[1],
    )
    thin_out(data)
    train(override(config, {"epochs": 1, "class_weights": True, **options}), tmp_path / "run")
    assert seen[0].tolist() == pytest.approx(expected)


def test_the_validation_loss_stays_the_log_loss(config, train, data, tmp_path):
    config = override(config, {"epochs": 1, "loss": "focal", "class_weights": True})
    classifier, progress = train(config, tmp_path / "run")
    logits, labels = (
        classifier.logits(data.photos[data.val]),
        torch.from_numpy(data.labels[data.val]),
    )
    expected = torch.nn.functional.cross_entropy(logits, labels)
    assert progress.history[0].val_loss == pytest.approx(float(expected), rel=1e-5)


def test_memory_that_runs_out_is_explained(config, train, tmp_path, monkeypatch):
    def step(trainer, *rest):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 TB")

    monkeypatch.setattr(loop, "train_step", step)
    message = (
        "conv1 needs more memory than there is, with batches of 8 photos of 0 pixels. Choose a "
        "smaller --batch-size or --size."
    )
    with pytest.raises(TrainingError, match=re.escape(message)):
        train(config, tmp_path / "run")


def test_a_schedule_ends_within_the_time_budget(config, train, tmp_path):
    config = override(config, {"schedule": "cosine", "max_minutes": 0.02, "epochs": 10_000})
    _, progress = train(config, tmp_path / "run")
    assert progress.stopped == "the time budget of 0.02 minutes was spent"
    assert progress.history[-1].learning_rate < 0.3 * progress.history[0].learning_rate


def test_each_group_of_weights_has_its_share_of_the_learning_rate(
    config, train, tmp_path, monkeypatch
):
    seen = set()
    step = loop.train_step

    def watched(trainer, *arguments):
        groups = trainer.optimizer.param_groups
        seen.update((round(group["share"], 6), round(group["lr"], 8)) for group in groups)
        return step(trainer, *arguments)

    monkeypatch.setattr(optimization, "WIDE", 200)
    monkeypatch.setattr(loop, "train_step", watched)
    train(override(config, {"epochs": 1, "learning_rate": 0.01}), tmp_path / "run")
    wide = 200 / (32 * 10 * 10)
    assert seen == {(1.0, 0.01), (wide, 0.01 * wide)}
