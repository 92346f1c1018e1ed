"""A network layer by layer."""

from __future__ import annotations

import pytest
import torch

from classeur.config import ModelConfig
from classeur.models.classifier import count_parameters
from classeur.models.registry import create_model, list_models
from classeur.models.summary import Layer, summarize


def test_rows_of_conv3() -> None:
    config = ModelConfig("conv3", spatial_dropout=0.2, normalization="batch")
    rows = summarize(create_model(config, (3, 150, 150), 2), (3, 150, 150))
    assert rows[:6] == [
        Layer("0", "Conv2d 3→32, 3×3", (32, 148, 148), 896),
        Layer("1", "BatchNorm2d", (32, 148, 148), 64),
        Layer("2", "MaxPool2d 2×2", (32, 74, 74), 0),
        Layer("3", "ReLU", (32, 74, 74), 0),
        Layer("4", "Dropout2d 0.2", (32, 74, 74), 0),
        Layer("5", "Conv2d 32→64, 3×3", (64, 72, 72), 18_496),
    ]
    assert rows[-5:] == [
        Layer("15", "Flatten", (18_496,), 0),
        Layer("16", "Linear 18496→128", (128,), 2_367_616),
        Layer("17", "ReLU", (128,), 0),
        Layer("18", "Dropout 0.5", (128,), 0),
        Layer("19", "Linear 128→1", (1,), 129),
    ]


def test_strides_and_nested_names_of_resnet_small() -> None:
    rows = {
        row.name: row
        for row in summarize(create_model(ModelConfig("resnet-small"), (1, 64, 64), 3), (1, 64, 64))
    }
    assert rows["0"] == Layer("0", "Conv2d 1→32, 3×3, stride 2", (32, 32, 32), 288)
    assert rows["8.shortcut.0"].kind == "AvgPool2d 2×2"
    assert rows["8.shortcut.1"] == Layer("8.shortcut.1", "Conv2d 64→128, 1×1", (128, 16, 16), 8192)


@pytest.mark.parametrize("name", list_models())
def test_rows_add_up_to_all_parameters(name: str) -> None:
    network = create_model(ModelConfig(name), (3, 32, 32), 3)
    rows = summarize(network, (3, 32, 32))
    assert sum(row.parameters for row in rows) == count_parameters(network)
    assert rows[-1].output == (3,)


def test_frozen_layers_have_no_trainable_parameters() -> None:
    network = create_model(ModelConfig("dense"), (1, 8, 8), 3)
    network[1].requires_grad_(False)
    rows = summarize(network, (1, 8, 8))
    assert [row.parameters for row in rows] == [0, 0, 0, 0, 387]
    assert sum(row.parameters for row in rows) == count_parameters(network)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training: bool) -> None:
    config = ModelConfig("conv3", normalization="batch")
    network = create_model(config, (3, 32, 32), 3).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    summarize(network, (3, 32, 32))
    assert network.training is training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext"])
def test_every_parameter_of_a_backbone_is_in_a_row(name: str) -> None:
    network = create_model(ModelConfig(name), (3, 64, 64), 2)
    layers = summarize(network, (3, 64, 64))
    assert sum(layer.parameters for layer in layers) == count_parameters(network)
