"""ZCA whitening: what it does to the covariance, and what travels with the weights."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.errors import ModelError, TrainingError
from classeur.models import zca as room
from classeur.models.preprocessing import Preprocessing, measure
from classeur.models.registry import create_model, list_models, options_of, unsupported_options
from classeur.models.summary import summarize
from classeur.models.zca import Zca, zca_of

COMPONENTS = 20
ROWS = np.arange(0, 600)


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """Handwritten digits as colour photos (1797, 8, 8, 3)."""
    grey = (load_digits().images * 15.9).astype(np.uint8)
    return np.stack([grey, 255 - grey, grey.swapaxes(1, 2)], axis=3)


@pytest.fixture(scope="module")
def preprocessing(photos) -> Preprocessing:
    return Preprocessing(Geometry(8), *measure(photos, ROWS))


@pytest.fixture(scope="module")
def normal(photos, preprocessing) -> torch.Tensor:
    return preprocessing.normalize(torch.from_numpy(photos[ROWS]))


@pytest.fixture(scope="module")
def layer(photos, preprocessing) -> Zca:
    layer = Zca((3, 8, 8), COMPONENTS)
    layer.fit(photos, ROWS, preprocessing)
    return layer


def test_the_covariance_of_the_leading_components_is_an_identity(layer, normal):
    white = layer(normal)
    assert white.shape == normal.shape
    found = white.flatten(1) @ layer.components.T
    covariance = torch.cov(found.T)
    gain = covariance.diagonal().mean()
    torch.testing.assert_close(covariance / gain, torch.eye(COMPONENTS), atol=0.02, rtol=0)
    before = torch.cov((normal.flatten(1) @ layer.components.T).T).diagonal()
    assert before.max() / before.min() > 10


def test_the_mean_pixel_has_mean_zero_and_variance_one(layer, normal):
    white = layer(normal).flatten(1)
    torch.testing.assert_close(white.mean(0), torch.zeros(192), atol=1e-4, rtol=0)
    assert white.var(0).mean() == pytest.approx(1, abs=0.01)


def test_it_is_the_formula_of_its_docstring(layer, normal):
    """Computed another way: the whole covariance in float64, all its components."""
    flat = normal.flatten(1).double()
    centred = flat - flat.mean(0)
    variances, vectors = torch.linalg.eigh(torch.cov(centred.T))
    variances, vectors = variances.flip(0), vectors.flip(1)
    epsilon = room.EPSILON * variances.mean()
    scales = (variances + epsilon).rsqrt()
    scales[COMPONENTS:] = scales[COMPONENTS - 1]
    expected = centred @ vectors @ torch.diag(scales) @ vectors.T
    expected /= expected.var(0).mean().sqrt()
    torch.testing.assert_close(layer(normal).flatten(1).double(), expected, atol=2e-3, rtol=1e-3)


def test_blocks_change_nothing(photos, preprocessing, layer, monkeypatch):
    monkeypatch.setattr(room, "_BLOCK", 50)
    other = Zca((3, 8, 8), COMPONENTS)
    other.fit(photos, ROWS, preprocessing)
    sample = preprocessing.normalize(torch.from_numpy(photos[:9]))
    torch.testing.assert_close(other(sample), layer(sample), atol=1e-4, rtol=1e-4)


def test_only_the_training_photos_are_learned_from(photos, preprocessing, layer):
    changed = photos.copy()
    changed[600:] = 0
    other = Zca((3, 8, 8), COMPONENTS)
    other.fit(changed, ROWS, preprocessing)
    assert all(torch.equal(a, b) for a, b in zip(other.buffers(), layer.buffers(), strict=True))


def test_of_many_photos_an_even_sample_is_used(photos, preprocessing, monkeypatch):
    monkeypatch.setattr(room, "MAX_PHOTOS", 200)
    read: Counter[int] = Counter()

    class Watched(np.ndarray):
        def __getitem__(self, index):
            read[int(index)] += 1
            return np.asarray(super().__getitem__(index))

    Zca((3, 8, 8), 5).fit(photos.view(Watched), ROWS, preprocessing)
    assert sum(read.values()) == len(read) == 200  # 200 photos, each once
    assert np.diff(sorted(read)).max() <= 4
    assert {0, 599} <= read.keys()


def test_blank_photos(preprocessing):
    layer = Zca((3, 8, 8), 4)
    layer.fit(np.full((9, 8, 8, 3), 7, np.uint8), np.arange(9), preprocessing)
    assert layer(torch.zeros(2, 3, 8, 8)).isfinite().all()


def test_bfloat16_does_not_reach_it(layer, normal):
    with torch.autocast("cpu", torch.bfloat16):
        white = layer(normal[:4])
    assert white.dtype == torch.float32
    assert torch.equal(white, layer(normal[:4]))


def test_nothing_in_it_is_trained(layer):
    assert list(layer.parameters()) == []
    assert layer.state_dict().keys() == {"mean", "components", "scales", "rest"}


@pytest.mark.parametrize("name", [n for n in list_models() if n != "majority"])
def test_it_stands_before_every_network_that_sees_pixels(name):
    network = create_model(ModelConfig(name, zca=5), (3, 32, 32), 3)
    assert isinstance(zca_of(network), Zca)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
    assert zca_of(create_model(ModelConfig(name), (3, 32, 32), 3)) is None


def test_it_is_a_row_of_the_table_of_layers():
    layers = summarize(create_model(ModelConfig("dense", zca=5), (1, 8, 8), 2), (1, 8, 8))
    assert (layers[0].kind, layers[0].output) == ("Zca, 5 components", (1, 8, 8))
    assert layers[0].parameters == 0


@pytest.mark.parametrize("name", ["majority", "resnet18"])
def test_other_networks_have_no_such_option(name):
    assert unsupported_options(ModelConfig(name, zca=5)) == ["zca"]
    assert "zca" not in options_of(name)
    with pytest.raises(ModelError, match=f"{name} has no option zca"):
        create_model(ModelConfig(name, zca=5), (3, 32, 32), 2)


@pytest.mark.parametrize(
    ("shape", "components", "message"),
    [
        (
            (3, 225, 224), 1,
            "zca needs photos of at most 224×224×3 = 150,528 numbers, received "
            "225×224×3 = 151,200 numbers. Choose a smaller --size.",
        ),
        (
            (1, 8, 8), 64,
            "zca needs fewer components than a photo has numbers, received 8×8×1 = 64 numbers and "
            "64 components. Choose a smaller --zca.",
        ),
        (
            (3, 150, 150), 1000,
            "zca can keep at most 948 components of such photos (256 MB of weights), received "
            "150×150×3 = 67,500 numbers and 1,000 components. Choose a smaller --zca or --size.",
        ),
    ],
)  # fmt: skip
def test_what_would_need_too_much_memory(shape, components, message):
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        Zca(shape, components)


def test_too_few_photos(photos, preprocessing):
    message = (
        "zca of 20 components needs more than 20 training photos; there are 20. Choose a smaller "
        "--zca."
    )
    with pytest.raises(TrainingError, match=re.escape(message)):
        Zca((3, 8, 8), 20).fit(photos, np.arange(20), preprocessing)


def test_it_leaves_the_network_its_own_names():
    plain = create_model(ModelConfig("dense"), (1, 8, 8), 2).state_dict()
    whitened = create_model(ModelConfig("dense", zca=3), (1, 8, 8), 2)
    assert isinstance(whitened, nn.Sequential)
    assert {f"network.{name}" for name in plain} < whitened.state_dict().keys()
