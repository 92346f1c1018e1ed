"""A network with all that travels with it, to disk and back."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.errors import ModelError, RunFolderError
from classeur.models.classifier import Classifier, count_parameters, logits_of
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder

GREY = Preprocessing(Geometry(8, "grey"), (0.4,), (0.3,))
COLOR = (0.4,) * 3, (0.3,) * 3
NAMES = ["ape", "bee", "cat"]


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier.create(ModelConfig("conv1"), NAMES, GREY)


@pytest.fixture
def run(tmp_path: Path, classifier: Classifier) -> RunFolder:
    run = RunFolder(tmp_path / "study" / "conv1")
    run.path.mkdir(parents=True)
    classifier.temperature = 1.7
    classifier.save_facts(run)
    classifier.save_weights(run)
    run.config.touch()
    return run


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), np.uint8)


def message_of(run: RunFolder) -> str:
    with pytest.raises(RunFolderError) as raised:
        Classifier.load(run)
    return str(raised.value)


def edit(run: RunFolder, **changes: object) -> None:
    facts = json.loads(run.model.read_text(encoding="utf-8"))
    run.model.write_text(json.dumps({**facts, **changes}), encoding="utf-8")


def test_a_loaded_classifier_gives_the_same_logits(
    run: RunFolder, classifier: Classifier, pixels: np.ndarray
) -> None:
    loaded = Classifier.load(run)
    assert torch.equal(loaded.logits(pixels), classifier.logits(pixels))
    assert loaded.class_names == NAMES
    assert loaded.preprocessing == GREY
    assert loaded.config == classifier.config
    assert loaded.temperature == 1.7
    assert not loaded.network.training


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig("majority"),
        ModelConfig("dense", dropout=0.2),
        ModelConfig("conv3", spatial_dropout=0.1, normalization="batch"),
        ModelConfig("resnet-small"),
    ],
)
def test_every_network_survives_the_disk(config: ModelConfig, tmp_path: Path) -> None:
    run, preprocessing = RunFolder(tmp_path), Preprocessing(Geometry(24), (0.5,) * 3, (0.2,) * 3)
    original = Classifier.create(config, ["no", "yes"], preprocessing)
    for buffer in original.network.buffers():
        buffer.copy_(torch.full_like(buffer, 2))  # as training leaves them: not as created
    original.save_facts(run)
    original.save_weights(run)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), np.uint8)
    assert torch.equal(Classifier.load(run).logits(pixels), original.logits(pixels))


def test_logits_are_computed_in_evaluation_mode(classifier: Classifier, pixels: np.ndarray) -> None:
    classifier.network.train()
    first, second = classifier.logits(pixels), classifier.logits(pixels)
    assert torch.equal(first, second)  # dropout is off
    assert first.dtype == torch.float32
    assert first.shape == (9, 3)


def test_a_photo_gets_the_same_logits_in_any_batch(
    classifier: Classifier, pixels: np.ndarray
) -> None:
    whole = classifier.logits(pixels)
    alone = torch.cat([classifier.logits(pixels[i : i + 1]) for i in range(9)])
    rows = np.array([7, 0, 3, 3, 8])
    batches = list(logits_of(classifier, pixels, rows, batch_size=2))
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-5)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    torch.testing.assert_close(torch.cat(batches), whole[rows], atol=1e-5, rtol=1e-5)


def test_probabilities_of_many_classes_are_a_softmax(classifier: Classifier) -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [-200.0, 0.0, 200.0]])
    probabilities = classifier.probabilities(logits)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(probabilities[0], [0.0900306, 0.2447285, 0.6652410], atol=1e-6)


def test_probabilities_of_two_classes_are_a_sigmoid() -> None:
    classifier = Classifier.create(ModelConfig("dense"), ["no", "yes"], GREY)
    probabilities = classifier.probabilities(torch.tensor([[0.0], [np.log(3.0)], [-500.0]]))
    np.testing.assert_allclose(probabilities, [[0.5, 0.5], [0.25, 0.75], [1, 0]], atol=1e-6)
    assert classifier.logits(np.zeros((2, 8, 8, 1), np.uint8)).shape == (2, 1)


def test_a_temperature_flattens_and_keeps_the_order(classifier: Classifier) -> None:
    logits = torch.tensor([[1.0, 2.0, 4.0]])
    sharp = classifier.probabilities(logits)
    classifier.temperature = 2.0
    flat = classifier.probabilities(logits)
    np.testing.assert_allclose(flat, torch.softmax(logits / 2, 1).numpy(), atol=1e-6)
    assert flat.max() < sharp.max()
    assert flat.argmax() == sharp.argmax()


def test_count_parameters_leaves_out_the_frozen(classifier: Classifier) -> None:
    everything = count_parameters(classifier.network)
    first = next(classifier.network.parameters())
    first.requires_grad_(False)
    assert count_parameters(classifier.network) == everything - first.numel()


def test_create_passes_on_what_does_not_fit() -> None:
    with pytest.raises(ModelError, match="conv3 needs photos of at least 22×22"):
        Classifier.create(ModelConfig("conv3"), NAMES, GREY)


def test_a_missing_folder(tmp_path: Path) -> None:
    assert message_of(RunFolder(tmp_path / "gone")) == (
        f"{tmp_path / 'gone'} is no run folder: it does not exist. "
        "Expected a folder that `classeur train` or `classeur study` has written."
    )


def test_missing_weights(run: RunFolder) -> None:
    run.weights.unlink()
    assert message_of(run) == (
        f"{run.path} is an unfinished run: it has no model.safetensors yet. "
        f'Finish it with: classeur train --resume "{run.path}"'
    )


def test_a_study_folder_names_its_runs(run: RunFolder) -> None:
    assert message_of(RunFolder(run.path.parent)) == (
        f"{run.path.parent} is no run folder: it has no model.json, model.safetensors. "
        f"It holds these runs: {run.path.name}."
    )


def test_another_version(run: RunFolder) -> None:
    edit(run, version=2)
    assert message_of(run) == (
        f"{run.model} is of version 2; this Classeur reads version 1. Train the run again."
    )


@pytest.mark.parametrize(
    ("names", "shown"),
    [(["cat", "ape", "bee"], "cat, ape, bee"), (["ape", "ape", "bee"], "ape, ape, bee")],
)
def test_class_names_out_of_order(run: RunFolder, names: list[str], shown: str) -> None:
    edit(run, class_names=names)
    assert message_of(run) == (
        f"{run.model} has class names that are not sorted by name, or twice the same: {shown}."
    )


def test_facts_that_are_no_json(run: RunFolder) -> None:
    run.model.write_text("{", encoding="utf-8")
    assert message_of(run).startswith(f"{run.model} cannot be read as JSON: ")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"temperature": "hot"}, "ValueError"),
        ({"temperature": 0}, "temperature must be above 0, received 0."),
        ({"model": {"name": "conv9"}}, 'unknown model "conv9". Did you mean "conv3"?'),
        ({"model": {"name": "conv1", "droput": 0.5}}, 'unknown option "droput". Did you '),
        ({"model": {"name": "conv1", "dropout": 7}}, "dropout must be at least 0 and below 1"),
        ({"preprocessing": {"size": 8}}, "KeyError('mean')"),
        ({"class_names": ["ape"]}, "a classifier needs at least two classes, received 1."),
        (
            {"class_names": ["ape", 3, "bee"]},
            "class_names must be a list of texts, received ['ape'",
        ),
    ],
)
def test_facts_that_are_broken(run: RunFolder, changes: dict[str, object], reason: str) -> None:
    edit(run, **changes)
    assert message_of(run).startswith(f"{run.model} is broken: {reason}")


def test_facts_that_are_no_table(run: RunFolder) -> None:
    run.model.write_text("[]", encoding="utf-8")
    assert message_of(run).startswith(f"{run.model} is broken: TypeError")


def test_weights_cut_off(run: RunFolder) -> None:
    run.weights.write_bytes(run.weights.read_bytes()[:-100])
    assert message_of(run).startswith(not_described(run))


def not_described(run: RunFolder) -> str:
    return f"{run.weights} does not hold the weights that model.json describes: "


@pytest.mark.parametrize("content", [b"", b"nonsense that is no safetensors file at all"])
def test_weights_that_are_none(run: RunFolder, content: bytes) -> None:
    run.weights.write_bytes(content)
    assert message_of(run).startswith(not_described(run))


def test_weights_of_another_network(run: RunFolder) -> None:
    Classifier.create(ModelConfig("dense"), NAMES, GREY).save_weights(run)
    assert message_of(run).startswith(not_described(run) + "expected at least 593,164 bytes, rec")


def test_weights_of_a_larger_network(run: RunFolder) -> None:
    Classifier.create(
        ModelConfig("dense"), NAMES, Preprocessing(Geometry(64), *COLOR)
    ).save_weights(run)
    message = message_of(run)
    assert message.startswith(not_described(run) + "Error(s) in loading state_dict")
    assert "\n" not in message


def test_weights_for_other_classes(run: RunFolder) -> None:
    Classifier.create(ModelConfig("conv1"), [*NAMES, "dog"], GREY).save_weights(run)
    assert "size mismatch" in message_of(run)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def test_a_pickle_is_never_loaded(run: RunFolder) -> None:
    mark = run.path / "exploded"
    for write in (
        lambda: run.weights.write_bytes(pickle.dumps(Bomb(mark))),
        lambda: torch.save({"0.weight": Bomb(mark)}, run.weights),
    ):
        write()
        assert message_of(run).startswith(not_described(run))
        assert not mark.exists()


def test_weights_replace_older_ones_in_one_piece(
    run: RunFolder, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run.weights.read_bytes()

    def fail(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space")

    monkeypatch.setattr("classeur.models.classifier.save_file", fail)
    message = f"cannot write {run.weights}: no space."
    with pytest.raises(RunFolderError, match=re.escape(message)):
        classifier.save_weights(run)
    assert run.weights.read_bytes() == before
    assert sorted(p.name for p in run.path.iterdir()) == [
        "config.toml", "model.json", "model.safetensors",
    ]  # fmt: skip


def test_weights_that_are_no_numbers(run: RunFolder) -> None:
    state = load_file(run.weights)
    name = sorted(state)[0]
    state[name].view(-1)[0] = torch.nan
    save_file(state, run.weights)
    message = f"{run.weights} holds numbers that are not finite, in {name}."
    with pytest.raises(RunFolderError, match=re.escape(message)):
        Classifier.load(run)


@pytest.mark.parametrize(
    "change",
    [{"model": []}, {"temperature": 10**400}, {"preprocessing": {"filters": [5]}}, {"backbone": 5}],
)
def test_a_model_of_anything(run: RunFolder, change: dict[str, Any]) -> None:
    edit(run, **change)
    assert message_of(run).startswith(f"{run.model} is broken: ")
