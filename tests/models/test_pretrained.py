"""Backbones of timm with a head of ours, on random weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from classeur.config import ModelConfig
from classeur.errors import ModelError, WeightsError
from classeur.models.classifier import count_parameters
from classeur.models.pretrained import Pretrained, load_backbone, parse_arguments
from classeur.models.registry import create_model, is_pretrained, options_of
from classeur.models.weights import Weights, find_weights

NAME = "test_efficientnet"


@pytest.fixture
def network() -> Pretrained:
    torch.manual_seed(0)
    return create_model(ModelConfig(NAME, dropout=0.0), (3, 64, 64), 3)


@pytest.fixture
def photos() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("config", "backbone", "head"),
    [
        # convolutions of VGG16 as counted by Keras with include_top=False
        (ModelConfig("vgg16", head="dense"), 14_714_688, 25_088 * 256 + 256 + 256 + 1),
        (ModelConfig("vgg16", head="dense", units=128), 14_714_688, 25_088 * 128 + 128 + 128 + 1),
        (ModelConfig("mobilenetv2_100"), 2_223_872, 1280 + 1),
        (ModelConfig("mobilenetv1_100", arguments=("pad_type=same",)), 3_206_976, 1024 + 1),
        (ModelConfig("densenet169"), 12_484_480, 1664 + 1),
    ],
    ids=lambda value: value.name if isinstance(value, ModelConfig) else None,
)
def test_parameters(config: ModelConfig, backbone: int, head: int) -> None:
    network = create_model(config, (3, 224, 224), 2)
    assert count_parameters(network.backbone) == backbone
    assert count_parameters(network.head) == head


def test_shapes(network: Pretrained, photos: torch.Tensor) -> None:
    assert network.eval().features(photos).shape == (4, 256)
    assert network(photos).shape == (4, 3)
    dense = create_model(ModelConfig(NAME, head="dense", units=7), (3, 64, 64), 2).eval()
    assert dense.features(photos).shape == (4, 256 * 2 * 2)
    assert [layer.out_features for layer in dense.head if hasattr(layer, "out_features")] == [7, 1]


def test_a_transformer_takes_the_size_it_is_given() -> None:
    network = create_model(ModelConfig("test_vit"), (3, 96, 96), 3)
    assert network(torch.zeros(1, 3, 96, 96)).shape == (1, 3)


def test_registry() -> None:
    assert is_pretrained(NAME)
    assert not is_pretrained("conv3")
    assert options_of(NAME) == {"dropout", "head", "units", "arguments"}


def statistics(network: Pretrained) -> dict[str, torch.Tensor]:
    state = network.backbone.state_dict()
    return {name: value.clone() for name, value in state.items() if "running" in name}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_frozen_backbone_stays_in_evaluation_mode(
    network: Pretrained, photos: torch.Tensor
) -> None:
    for parameter in network.backbone.parameters():
        parameter.requires_grad = False
    before = statistics(network)
    network.train()
    assert network.head.training
    assert not any(module.training for module in network.backbone.modules())
    network(photos)
    assert same(before, statistics(network))


def test_what_is_unfrozen_moves_its_statistics_unless_told_not_to(
    network: Pretrained, photos: torch.Tensor
) -> None:
    network.unfreeze(None)
    before = statistics(network)
    network.keep_norms = True
    network.train()(photos)
    assert same(before, statistics(network))
    network.keep_norms = False
    network.train()(photos)
    assert not any(torch.equal(value, statistics(network)[n]) for n, value in before.items())


def test_unfreezing_goes_from_the_top_down(network: Pretrained, photos: torch.Tensor) -> None:
    blocks = network.blocks()
    assert set(blocks.values()) == set(range(6))
    assert blocks["conv_stem.weight"] == 0
    network.unfreeze(2)
    learning = {n for n, p in network.backbone.named_parameters() if p.requires_grad}
    assert learning == {name for name, number in blocks.items() if number >= 4}
    before = statistics(network)
    network.train()(photos)
    moved = {n for n, value in statistics(network).items() if not torch.equal(value, before[n])}
    norms = {name.rpartition(".")[0] for name in learning}
    assert {name.rpartition(".")[0] for name in moved} == {n for n in norms if "bn" in n}
    network.unfreeze(None)
    assert all(p.requires_grad for p in network.parameters())


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Weights]:
    """`file(drop="conv_stem.weight")`: half-precision weights of another draw, and a classifier."""

    def make(drop: str = "", shrink: str = "") -> Weights:
        torch.manual_seed(5)
        state = timm.create_model(NAME, num_classes=0).state_dict()
        state = {name: tensor.half() for name, tensor in state.items() if name != drop}
        if shrink:
            state[shrink] = state[shrink][:1].clone()
        save_file({**state, "classifier.weight": torch.zeros(9, 256)}, tmp_path / "w.safetensors")
        return find_weights(NAME, str(tmp_path / "w.safetensors"))

    return make


def test_loading(network: Pretrained, file: Callable[..., Weights]) -> None:
    weights = file()
    head = {name: value.clone() for name, value in network.head.state_dict().items()}
    assert load_backbone(network, weights) == weights.file
    torch.manual_seed(5)
    expected = timm.create_model(NAME, num_classes=0).state_dict()
    loaded = network.backbone.state_dict()
    assert all(torch.equal(value.half(), loaded[n].half()) for n, value in expected.items())
    assert {value.dtype for value in loaded.values()} <= {torch.float32, torch.int64}
    assert same(head, network.head.state_dict())


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"drop": "conv_stem.weight"}, "it lacks conv_stem.weight."),
        ({"shrink": "conv_stem.weight"}, "other shapes in conv_stem.weight."),
    ],
)
def test_weights_that_do_not_fit(
    network: Pretrained, file: Callable[..., Weights], damage: dict[str, str], reason: str
) -> None:
    weights = file(**damage)
    message = f"{weights.file} does not hold the weights of {NAME}: {reason}"
    with pytest.raises(WeightsError, match=re.escape(message)):
        load_backbone(network, weights)


def test_weights_that_are_none(network: Pretrained, file: Callable[..., Weights]) -> None:
    weights = file()
    weights.file.write_bytes(b"\x08")
    with pytest.raises(WeightsError, match=r"w\.safetensors cannot be read as safetensors: "):
        load_backbone(network, weights)


def test_arguments() -> None:
    parsed = parse_arguments(("pad_type=same", "depth=3", "scale=0.5", "flag=True"))
    assert parsed == {"pad_type": "same", "depth": 3, "scale": 0.5, "flag": True}
    with pytest.raises(ModelError, match='arguments must be name=value, received "depth"'):
        parse_arguments(("depth",))


@pytest.mark.parametrize(
    ("config", "shape", "reason"),
    [
        (ModelConfig(NAME), (1, 64, 64), f"{NAME} needs photos in colour; leave out --color grey."),
        (
            ModelConfig(NAME, arguments=("no_such=1",)),
            (3, 64, 64),
            f"{NAME} cannot be built: ",
        ),
        (ModelConfig("vgg16", head="dense"), (3, 8, 8), "vgg16 does not fit photos of 8 pixels: "),
    ],
)
def test_what_cannot_be_built(config: ModelConfig, shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ModelError, match=re.escape(reason)):
        create_model(config, shape, 3)
