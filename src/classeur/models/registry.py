"""Networks by name."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from classeur.config import ModelConfig
from classeur.errors import ModelError, unknown
from classeur.models.weights import is_backbone
from classeur.models.zca import Zca

Shape = tuple[int, int, int]
Builder = Callable[[Shape, int, ModelConfig], nn.Module]
AnyBuilder = TypeVar("AnyBuilder", bound=Builder)


@dataclass(frozen=True)
class Entry:
    """A registered network."""

    name: str
    build: Builder
    options: frozenset[str]
    """The fields of ModelConfig that the network uses."""


_ENTRIES: dict[str, Entry] = {}


def register(name: str, *options: str) -> Callable[[AnyBuilder], AnyBuilder]:
    """Register a builder `(shape, outputs, config) -> network` under a name.

    Args:
        name: the name that configs and recipes use.
        options: the fields of ModelConfig that the network uses.

    Raises:
        ModelError: if the name is taken.
    """

    def add(build: AnyBuilder) -> AnyBuilder:
        if name in _ENTRIES:
            raise ModelError(
                f'a network named "{name}" is registered already; choose another name.'
            )
        _ENTRIES[name] = Entry(name, build, frozenset(options))
        return build

    return add


def list_models() -> list[str]:
    """Return the names of our own networks, in the order of the ladder."""
    _load()
    return list(_ENTRIES)


def is_pretrained(name: str) -> bool:
    """Whether a network is a backbone of timm, and not one of our own."""
    _load()
    return name not in _ENTRIES and is_backbone(name)


def options_of(name: str) -> frozenset[str]:
    """Return the fields of ModelConfig that a network uses. Raises ModelError if unknown."""
    return _entry(name).options


def unsupported_options(config: ModelConfig) -> list[str]:
    """Return the options that were changed from their defaults but that the network has not.

    Raises:
        ModelError: if the name is unknown.
    """
    entry = _entry(config.name)
    return [
        field.name
        for field in dataclasses.fields(ModelConfig)
        if field.name not in ("name", *entry.options)
        and getattr(config, field.name) != field.default
    ]


def output_units(num_classes: int) -> int:
    """Return the width of the output layer: one (sigmoid) for two classes, else one a class."""
    return 1 if num_classes == 2 else num_classes


def create_model(config: ModelConfig, shape: Shape, num_classes: int) -> nn.Module:
    """Build a network with freshly drawn weights.

    Args:
        config: the network's name and its options.
        shape: (C, H, W) of the normalised photos.
        num_classes: at least 2.

    Returns:
        A network (N, C, H, W) float32 -> logits (N, 1) for two classes, else (N, num_classes). With
        `config.zca` it has a layer before it that whitens.

    Raises:
        ModelError: if the name is unknown, an option is not one of the network's, or the photos
            are too small for it.
    """
    if num_classes < 2:
        raise ModelError(f"a classifier needs at least two classes, received {num_classes}.")
    entry = _entry(config.name)
    for option in unsupported_options(config):
        raise ModelError(
            f"{config.name} has no option {option}. "
            f"It has: {', '.join(sorted(entry.options)) or 'none'}."
        )
    network = entry.build(shape, output_units(num_classes), config)
    if not config.zca:
        return network
    return nn.Sequential(OrderedDict(zca=Zca(shape, config.zca), network=network))


def _entry(name: str) -> Entry:
    _load()
    if name in _ENTRIES:
        return _ENTRIES[name]
    if is_backbone(name):
        from classeur.models.pretrained import OPTIONS, build_pretrained

        return Entry(name, build_pretrained, frozenset(OPTIONS))
    raise ModelError(
        f"{unknown('model', name, _ENTRIES)} Or any network of timm; see: classeur models."
    )


def _load() -> None:
    """Import the modules that register networks, in the order of the ladder."""
    from classeur.models import baselines, convnets, resnet  # noqa: F401
