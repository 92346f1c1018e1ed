"""The networks themselves: sizes, layers, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from classeur.config import ModelConfig
from classeur.errors import ModelError
from classeur.models.baselines import Majority
from classeur.models.classifier import count_parameters
from classeur.models.registry import create_model, list_models

SMALLEST = {"majority": 1, "dense": 1, "conv1": 3, "conv3": 22, "resnet-small": 8}
"""Side of the smallest photo that each network takes, in pixels."""

TRAINED = [name for name in SMALLEST if name != "majority"]


def test_every_network_is_tested_at_its_smallest_size() -> None:
    assert list(SMALLEST) == list_models()


@pytest.mark.parametrize(
    ("name", "shape", "classes", "expected"),
    [
        ("majority", (3, 150, 150), 2, 0),
        ("dense", (1, 28, 28), 10, 101_770),
        ("conv1", (1, 28, 28), 10, 2_770_634),
        ("conv3", (3, 150, 150), 2, 2_424_065),
        ("resnet-small", (3, 150, 150), 2, 2_767_457),
    ],
)
def test_parameters(name: str, shape: tuple[int, int, int], classes: int, expected: int) -> None:
    assert count_parameters(create_model(ModelConfig(name), shape, classes)) == expected


def test_the_description_of_resnet_small_is_true() -> None:
    network = create_model(ModelConfig("resnet-small"), (3, 32, 32), 10)
    shortcuts = [name for name, _ in network.named_modules() if ".shortcut." in name]
    layers = [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and name not in shortcuts
    ]
    assert len(layers) == 15
    assert round(count_parameters(network) / 1e6, 1) == 2.8


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3), (10, 10)])
def test_two_classes_share_one_output(name: str, classes: int, outputs: int) -> None:
    side = SMALLEST[name]
    network = create_model(ModelConfig(name), (1, side, side), classes).eval()
    assert network(torch.zeros(4, 1, side, side)).shape == (4, outputs)


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_smallest_photo_passes_forward(name: str, training: bool, channels: int) -> None:
    side = SMALLEST[name]
    network = create_model(ModelConfig(name), (channels, side, side), 3).train(training)
    logits = network(torch.rand(2, channels, side, side))
    assert logits.shape == (2, 3)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", TRAINED)
def test_oblong_photos_pass_forward(name: str) -> None:
    network = create_model(ModelConfig(name), (3, 23, 40), 3).eval()
    assert network(torch.rand(2, 3, 23, 40)).shape == (2, 3)


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_gradient_reaches_every_parameter(name: str, classes: int) -> None:
    torch.manual_seed(0)
    side = SMALLEST[name]
    network = create_model(ModelConfig(name), (3, side, side), classes).train()
    with torch.no_grad():
        for parameter in network.parameters():
            # Normalisations that start at zero hide what is before them until the first step.
            parameter.add_(0.05 * torch.randn_like(parameter))
    logits = network(torch.rand(16, 3, side, side))
    functional.cross_entropy(
        torch.cat([logits, -logits], dim=1) if classes == 2 else logits,
        torch.arange(16) % classes,
    ).backward()
    silent = [
        n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert silent == []


CONV, BATCH, RELU, POOL, DROP = nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.Dropout2d
GROUP = nn.GroupNorm
HEAD = [nn.Flatten, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


@pytest.mark.parametrize(
    ("options", "block"),
    [
        ({}, [CONV, POOL, RELU]),
        ({"normalization": "batch"}, [CONV, BATCH, POOL, RELU]),
        ({"normalization": "group"}, [CONV, GROUP, POOL, RELU]),
        ({"normalization": "layer"}, [CONV, GROUP, POOL, RELU]),
        ({"spatial_dropout": 0.2}, [CONV, POOL, RELU, DROP]),
        ({"spatial_dropout": 0.2, "normalization": "batch"}, [CONV, BATCH, POOL, RELU, DROP]),
    ],
)
def test_layers_of_conv3(options: dict[str, object], block: list[type[nn.Module]]) -> None:
    network = create_model(ModelConfig("conv3", **options), (3, 32, 32), 3)
    assert [type(layer) for layer in network.children()] == 3 * block + HEAD
    for layer in network.modules():
        if isinstance(layer, nn.Dropout2d):
            assert layer.p == 0.2
        elif isinstance(layer, nn.Dropout):
            assert layer.p == 0.5
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 64, 64]


@pytest.mark.parametrize("kind", ["batch", "group", "layer"])
def test_normalisations_have_a_scale_and_a_shift_for_each_filter(kind: str) -> None:
    plain, normalised = (
        create_model(ModelConfig("conv3", normalization=name), (3, 23, 40), 3).eval()
        for name in ("none", kind)
    )
    assert count_parameters(normalised) == count_parameters(plain) + 2 * (32 + 64 + 64)
    assert normalised(torch.rand(2, 3, 23, 40)).shape == (2, 3)


@pytest.mark.parametrize(("kind", "groups"), [("group", [2, 4, 4]), ("layer", [1, 1, 1])])
def test_groups_of_conv3(kind: str, groups: list[int]) -> None:
    network = create_model(ModelConfig("conv3", normalization=kind), (3, 32, 32), 3)
    normalisations = [layer for layer in network.modules() if isinstance(layer, nn.GroupNorm)]
    assert [layer.num_groups for layer in normalisations] == groups
    photos = 5 + 3 * torch.randn(2, 3, 32, 32)
    before = network[:2](photos)  # (2, 32, 30, 30)
    for photo in before:
        for group in photo.chunk(groups[0]):
            assert abs(group.mean()) < 1e-4
            assert abs(group.std() - 1) < 1e-3


@pytest.mark.parametrize("kind", ["group", "layer"])
def test_neither_looks_at_the_other_photos_of_a_batch(kind: str) -> None:
    network = create_model(ModelConfig("conv3", normalization=kind, dropout=0), (3, 32, 32), 3)
    photos = torch.rand(4, 3, 32, 32)
    assert torch.allclose(network.train()(photos)[:1], network(photos[:1]), atol=1e-5)


def test_pooling_before_relu_gives_what_the_published_order_gives() -> None:
    network = create_model(ModelConfig("conv3"), (3, 32, 32), 3).eval()
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    photos = published = torch.randn(2, 3, 32, 32)
    for convolution in convolutions:
        published = functional.max_pool2d(functional.relu(convolution(published)), 2)
    assert torch.equal(network[:9](photos), published)


@pytest.mark.parametrize("name", TRAINED)
def test_dropout_is_an_option_of_every_trained_network(name: str) -> None:
    network = create_model(ModelConfig(name, dropout=0.125), (3, 32, 32), 3)
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.125]


@pytest.mark.parametrize("name", ["dense", "conv1", "conv3"])
def test_weights_are_drawn_as_keras_draws_them(name: str) -> None:
    network = create_model(ModelConfig(name), (3, 32, 32), 3)
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(layer.weight)
            limit = math.sqrt(6 / (fan_in + fan_out))
            assert 0.9 * limit < layer.weight.abs().max() <= limit
            assert layer.bias is not None
            assert not layer.bias.any()


def test_blocks_of_resnet_small_start_as_identities() -> None:
    network = create_model(ModelConfig("resnet-small"), (3, 32, 32), 3)
    last = [m for n, m in network.named_modules() if n.endswith("second.1")]
    assert len(last) == 6
    assert not any(layer.weight.any() for layer in last)


@pytest.mark.parametrize(("side", "reduced"), [(63, 63), (64, 32), (95, 48), (96, 24), (150, 38)])
def test_resnet_small_reduces_large_photos_before_its_blocks(side: int, reduced: int) -> None:
    network = create_model(ModelConfig("resnet-small"), (3, side, side), 3).eval()
    x = torch.zeros(1, 3, side, side)
    for layer in network.children():
        if type(layer).__name__ == "BasicBlock":
            break
        x = layer(x)
    assert x.shape[2:] == (reduced, reduced)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("conv1", (1, 2, 9), "conv1 needs photos of at least 3×3 pixels, received 2×9."),
        (
            "conv3",
            (3, 30, 21),
            "conv3 needs photos of at least 22×22 pixels, received 30×21. "
            "Choose a larger size, or conv1.",
        ),
        ("conv3", (3, 4, 4), "conv3 needs photos of at least 22×22 pixels, received 4×4. "
                             "Choose a larger size, or conv1."),
        ("resnet-small", (3, 7, 8),
         "resnet-small needs photos of at least 8×8 pixels, received 7×8."),
    ],
)  # fmt: skip
def test_photos_too_small(name: str, shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ModelError) as raised:
        create_model(ModelConfig(name), shape, 3)
    assert str(raised.value) == message


def probabilities_of(counts: list[int]) -> tuple[Majority, torch.Tensor]:
    outputs = 1 if len(counts) == 2 else len(counts)
    network = Majority(outputs)
    network.fit(torch.tensor(counts))
    return network, network(torch.rand(3, 1, 5, 5))


def test_majority_gives_log_priors_for_three_classes() -> None:
    network, logits = probabilities_of([1, 2, 5])
    expected = torch.log(torch.tensor([1 / 8, 2 / 8, 5 / 8]))
    torch.testing.assert_close(logits, expected.expand(3, 3))
    torch.testing.assert_close(network.log_prior, expected)


def test_majority_gives_log_odds_for_two_classes() -> None:
    _, logits = probabilities_of([3, 1])
    torch.testing.assert_close(torch.sigmoid(logits), torch.full((3, 1), 0.25))


def test_majority_copes_with_a_class_without_photos() -> None:
    _, logits = probabilities_of([0, 3, 1])
    torch.testing.assert_close(torch.softmax(logits, 1)[0], torch.tensor([0, 0.75, 0.25]))
    _, logits = probabilities_of([0, 4])
    torch.testing.assert_close(torch.sigmoid(logits)[0], torch.tensor([1.0]))
