"""A network behind a whitening layer: trained, loaded and resumed like any other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from classeur.models.classifier import Classifier
from classeur.models.zca import zca_of
from classeur.run_folder import RunFolder
from classeur.section import override
from classeur.training import loop


@pytest.fixture
def whitened(config):
    return override(config, {"zca": 8, "epochs": 3})


def test_it_is_saved_with_the_weights_and_predicts_the_same(whitened, train, data, tmp_path):
    classifier, _ = train(whitened, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    classifier.save_facts(run)
    loaded = Classifier.load(run)
    assert torch.equal(loaded.logits(data.photos), classifier.logits(data.photos))
    weights = load_file(run.weights)
    assert weights["zca.components"].shape == (8, 144)
    expected = data.photos[data.train].astype(np.float32).mean((0, 3)).ravel() / 255
    np.testing.assert_allclose(weights["zca.mean"], (expected - 0.4) / 0.2, atol=1e-5)


def test_training_leaves_it_as_it_was_learned(whitened, train, data, tmp_path):
    classifier, progress = train(whitened, tmp_path / "run")
    learned = zca_of(classifier.network)
    again = type(learned)((1, 12, 12), 8)
    again.fit(data.photos, data.train, classifier.preprocessing)
    assert all(torch.equal(a, b) for a, b in zip(learned.buffers(), again.buffers(), strict=True))
    assert progress.history[-1].train_loss < progress.history[0].train_loss


def test_interrupted_and_resumed_equals_uninterrupted(whitened, train, tmp_path, monkeypatch):
    train(whitened, tmp_path / "whole")

    def stop(*_):
        raise KeyboardInterrupt

    save = loop.save_state

    def save_and_stop(*given):
        save(*given)
        stop()

    monkeypatch.setattr(loop, "save_state", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(whitened, tmp_path / "broken")
    monkeypatch.setattr(loop, "save_state", save)
    train(whitened, tmp_path / "broken")
    whole, broken = (load_file(RunFolder(tmp_path / n).weights) for n in ("whole", "broken"))
    assert whole.keys() == broken.keys()
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
