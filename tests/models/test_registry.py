"""Networks by name."""

from __future__ import annotations

import pytest
from torch import nn

from classeur.config import ModelConfig
from classeur.errors import ModelError
from classeur.models import registry
from classeur.models.registry import create_model, list_models, options_of, register

NAMES = "majority, dense, conv1, conv3, resnet-small"


@pytest.fixture
def own_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    list_models()
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))


def test_names_are_in_the_order_of_the_ladder() -> None:
    assert ", ".join(list_models()) == NAMES


def test_options_of_a_network() -> None:
    assert options_of("conv3") == {"dropout", "spatial_dropout", "normalization", "zca"}
    assert options_of("majority") == frozenset()


@pytest.mark.usefixtures("own_entries")
def test_a_new_network_needs_a_name_and_a_builder() -> None:
    @register("linear", "dropout")
    def build(shape: registry.Shape, outputs: int, config: ModelConfig) -> nn.Module:
        """One layer.

        More of it.
        """
        assert config.dropout == 0.25
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], outputs))

    assert list_models()[-1] == "linear"
    assert options_of("linear") == {"dropout"}
    network = create_model(ModelConfig("linear", dropout=0.25), (1, 2, 2), 2)
    assert network[1].out_features == 1


@pytest.mark.usefixtures("own_entries")
def test_a_duplicate_name_raises() -> None:
    with pytest.raises(ModelError) as raised:
        register("conv3")(lambda shape, outputs, config: nn.Identity())
    assert str(raised.value) == (
        'a network named "conv3" is registered already; choose another name.'
    )


def message_of(config: ModelConfig, classes: int = 2) -> str:
    with pytest.raises(ModelError) as raised:
        create_model(config, (3, 32, 32), classes)
    return str(raised.value)


def test_an_unknown_name() -> None:
    expected = (
        f'unknown model "resnet_small". Did you mean "resnet-small"? Expected one of: {NAMES}. '
        "Or any network of timm; see: classeur models."
    )
    assert message_of(ModelConfig("resnet_small")) == expected
    with pytest.raises(ModelError, match=r'unknown model "zzz"\. Expected one of'):
        options_of("zzz")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig("majority", dropout=0.1), "majority has no option dropout. It has: none."),
        (
            ModelConfig("dense", normalization="batch"),
            "dense has no option normalization. It has: dropout, zca.",
        ),
        (
            ModelConfig("resnet-small", spatial_dropout=0.1),
            "resnet-small has no option spatial_dropout. It has: dropout, zca.",
        ),
    ],
)
def test_an_option_of_another_network(config: ModelConfig, message: str) -> None:
    assert message_of(config) == message


@pytest.mark.parametrize("classes", [0, 1])
def test_too_few_classes(classes: int) -> None:
    expected = f"a classifier needs at least two classes, received {classes}."
    assert message_of(ModelConfig("dense"), classes) == expected
