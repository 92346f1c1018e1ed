from __future__ import annotations

import numpy as np
import pytest
import torch

from classeur.errors import TrainingError
from classeur.report.range_test import write_range_test
from classeur.training import find_lr
from classeur.training.find_lr import HIGHEST, LOWEST, RangeTest, range_test, smooth
from classeur.training.inputs import Pixels
from classeur.training.loop import make_trainer


def fall(to, steps=120):
    """1 at low rates, `to` at high ones, half of the fall at 1e-3."""
    rates = np.geomspace(LOWEST, HIGHEST, steps)
    return RangeTest(rates.tolist(), (to + (1 - to) / (1 + (rates / 1e-3) ** 2)).tolist())


def test_the_suggestion_is_where_half_of_the_fall_is_done():
    assert fall(0.2).suggestion == pytest.approx(1e-3, rel=0.2)


@pytest.mark.parametrize("to", [0.99, 1.0, 1.5])
def test_without_a_fall_there_is_nothing_to_suggest_but_something_to_see(to, tmp_path):
    assert fall(to).suggestion is None
    text = write_range_test(fall(to), "conv3", 1e-3, tmp_path).read_text(encoding="utf-8")
    assert "The loss falls at none of these learning rates: there is nothing to suggest." in text
    assert "<svg" in text


def test_a_loss_that_is_never_finite(config, data, monkeypatch):
    def step(*_):
        return torch.tensor(float("nan")), torch.tensor(0)

    monkeypatch.setattr(find_lr, "train_step", step)
    with pytest.raises(TrainingError, match="the loss is not finite before anything is learned"):
        range_test(trainer(config, data))


def test_the_average_is_corrected_for_its_start():
    assert smooth([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])
    assert smooth([1.0, 2.0]) == pytest.approx([1.0, (0.09 + 0.2) / 0.19])


def trainer(config, data):
    from classeur.data.geometry import Geometry
    from classeur.models.classifier import Classifier
    from classeur.models.preprocessing import Preprocessing
    from classeur.training.seeding import seed_all

    seed_all(0, "weights")
    preprocessing = Preprocessing(Geometry(12, "grey"), (0.4,), (0.2,))
    classifier = Classifier.create(config.model, ["0", "1", "2"], preprocessing)
    inputs = Pixels(data, preprocessing, config.augmentation)
    return make_trainer(
        classifier.network, inputs, config,
        device=torch.device("cpu"), number_format="float32", keep=lambda: None,
    )  # fmt: skip


def test_a_range_test_finds_a_rate_that_learns_and_is_the_same_again(config, data):
    found = range_test(trainer(config, data))
    assert 1e-5 < found.suggestion < 1e-1
    assert found == range_test(trainer(config, data))


@pytest.mark.parametrize("explodes", [float("inf"), 100.0])
def test_a_range_test_ends_when_the_loss_diverges(config, data, monkeypatch, explodes):
    def step(trainer, batch, labels, generator):
        rate = trainer.optimizer.param_groups[0]["lr"]
        return torch.tensor(1 - rate if rate < 0.1 else explodes), torch.tensor(0)

    monkeypatch.setattr(find_lr, "train_step", step)
    found = range_test(trainer(config, data))
    assert len(found.rates) == len(found.losses)
    assert 0.05 < found.rates[-1] < 0.2
    assert np.isfinite(found.losses).all()


def test_the_page_and_its_files(tmp_path):
    page = write_range_test(fall(0.2), "conv3", 1e-3, tmp_path / "à voir")
    text = page.read_text(encoding="utf-8")
    assert "A learning rate to start from: 0.0011. The recipe has 0.001." in text
    assert "<svg" in text
    assert (tmp_path / "à voir" / "learning_rates.svg").read_text().startswith("<svg")
    rows = (tmp_path / "à voir" / "learning_rates.csv").read_text().splitlines()
    assert rows[0] == "learning_rate,smoothed_loss"
    assert len(rows) == 121
    assert rows[1] == "1e-06,0.999999"
