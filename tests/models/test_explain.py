"""A heat map lies where the network looked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.errors import ModelError
from classeur.models.classifier import Classifier
from classeur.models.explain import Explainer, last_maps
from classeur.models.preprocessing import Preprocessing

SIZE = 32


def classifier(name: str, classes: int = 2) -> Classifier:
    torch.manual_seed(0)
    preprocessing = Preprocessing(Geometry(SIZE), (0.0,) * 3, (1.0,) * 3)
    return Classifier.create(ModelConfig(name), [f"c{i}" for i in range(classes)], preprocessing)


class Bright(nn.Module):
    """Gives a high logit where anything is bright: a network whose map is known."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 1, step, stride=step, bias=False)
        nn.init.ones_(self.maps.weight)
        self.output = nn.Linear(1, 1)
        nn.init.ones_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(self.maps(photos))
        return self.output(maps.mean(dim=(2, 3)))


def bright(step: int) -> Classifier:
    found = classifier("conv1")
    found.network = Bright(step)
    return found


def square(top: int, left: int, side: int = 6) -> np.ndarray:
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[top : top + side, left : left + side] = 255
    return pixels


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("at", [(0, 0), (3, 20), (26, 26), (13, 2)])
def test_the_hottest_place_is_the_bright_square(step: int, at: tuple[int, int]) -> None:
    heat = Explainer(bright(step)).heat(square(*at), 1)
    assert heat.shape == (SIZE, SIZE)
    assert (heat.min(), heat.max()) == (0, 1)
    down, across = np.average(np.indices(heat.shape).reshape(2, -1), axis=1, weights=heat.ravel())
    assert (down, across) == pytest.approx((at[0] + 2.5, at[1] + 2.5), abs=2)


def test_what_speaks_for_one_class_speaks_against_the_other() -> None:
    explainer = Explainer(bright(2))
    assert explainer.heat(square(4, 4), 1).max() == 1
    assert not explainer.heat(square(4, 4), 0).any()


def test_a_frozen_network_is_explained_too() -> None:
    found = bright(2)
    found.network.requires_grad_(False)
    assert Explainer(found).heat(square(4, 4), 1).max() == 1


@pytest.mark.parametrize(
    ("name", "maps"),
    [("conv1", (30, 30)), ("conv3", (2, 2)), ("resnet-small", (8, 8)), ("test_efficientnet", None)],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_every_convolutional_network_has_maps(
    name: str, maps: tuple[int, int] | None, classes: int
) -> None:
    found = classifier(name, classes)
    layer, shape = last_maps(found)
    assert shape == maps or maps is None
    heat = Explainer(found).heat(square(8, 8), classes - 1)
    assert heat.shape == (SIZE, SIZE)
    assert np.isfinite(heat).all()
    assert not layer._forward_hooks


@pytest.mark.parametrize("name", ["dense", "majority", "test_vit"])
def test_a_network_without_maps_says_so(name: str) -> None:
    with pytest.raises(ModelError) as raised:
        Explainer(classifier(name))
    assert str(raised.value) == (
        f"{name} has no convolution to look at; a heat map needs a convolutional network, for "
        "example conv3 or mobilenetv2_100."
    )


def test_a_map_of_one_place_says_nothing_and_the_one_before_is_taken() -> None:
    preprocessing = Preprocessing(Geometry(24), (0.0,) * 3, (1.0,) * 3)
    small = Classifier.create(ModelConfig("conv3"), ["a", "b"], preprocessing)
    assert last_maps(small)[1] == (2, 2)  # before the last pooling


def test_a_network_trained_to_find_a_square_looks_at_it() -> None:
    random = np.random.default_rng(0)
    count, side = 160, 8
    photos = random.integers(60, 140, (count, 48, 48, 3)).astype(np.uint8)
    at, labels = random.integers(0, 40, (count, 2)), np.arange(count) % 2
    for photo, (top, left), label in zip(photos, at, labels, strict=True):
        photo[top : top + side, left : left + side] = (250, 240, 60) if label else (60, 60, 250)
    torch.manual_seed(0)
    found = Classifier.create(
        ModelConfig("conv1"), ["blue", "yellow"],
        Preprocessing(Geometry(48), (0.4,) * 3, (0.2,) * 3),
    )  # fmt: skip
    optimizer = torch.optim.Adam(found.network.parameters(), 1e-3)
    for _ in range(3):
        for start in range(0, 120, 20):
            batch = torch.from_numpy(photos[start : start + 20])
            wanted = torch.from_numpy(labels[start : start + 20]).float()
            logits = found.network(found.preprocessing.normalize(batch))[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    explainer, hits = Explainer(found), 0
    for photo, (top, left), label in zip(photos[120:], at[120:], labels[120:], strict=True):
        down, across = np.unravel_index(explainer.heat(photo, label).argmax(), (48, 48))
        hits += top - 2 <= down < top + side + 2 and left - 2 <= across < left + side + 2
    assert hits >= 36  # of 40


@pytest.mark.parametrize("at", [7, 24])
def test_maps_of_a_network_that_does_not_pad_do_not_reach_the_border(at: int) -> None:
    found = bright(2)
    wide = nn.Conv2d(3, 1, 9, bias=False)
    nn.init.ones_(wide.weight)
    found.network.maps = nn.Sequential(wide, nn.MaxPool2d(8))  # places at 7.5, 15.5 and 23.5
    heat = Explainer(found).heat(square(at, at, 1), 1)
    assert heat[at, at] == pytest.approx(1, abs=1e-5)
    assert heat[15, 15] < 0.1
