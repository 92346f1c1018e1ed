"""What there is to choose from among timm's networks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import timm
import torch
from tqdm import tqdm

from classeur.data.store import cache_root
from classeur.errors import WeightsError
from classeur.models.weights import find_weights, list_backbones
from classeur.run_folder import write_json


@dataclass(frozen=True)
class Backbone:
    """A network of timm, as a list shows it."""

    name: str
    parameters: int
    """Without a classifier."""
    size: int
    """Side of the photos it was trained on, in pixels; 0: no weights are published."""
    where: str
    """`at hand`, `on the hub` or `none`."""
    licence: str

    @property
    def is_at_hand(self) -> bool:
        """Whether the weights are on this machine."""
        return self.where == "at hand"


def describe_backbones(pattern: str = "") -> Iterator[Backbone]:
    """Yield the networks whose names match a pattern; parameters are counted once and kept."""
    names = list_backbones(pattern)
    counts = _counted(names)
    for name in names:
        try:
            weights = find_weights(name)
        except WeightsError:
            yield Backbone(name, counts[name], 0, "none", "")
        else:
            where = "at hand" if weights.file else "on the hub"
            yield Backbone(name, counts[name], weights.size, where, weights.licence)


def _counted(names: list[str]) -> dict[str, int]:
    """Return name -> parameters, from the cache where they are known."""
    file = cache_root() / f"parameters-timm-{version('timm')}.json"
    counts = _read(file)
    unknown = [name for name in names if name not in counts]
    for name in tqdm(unknown, "counting parameters", leave=False, disable=None):
        with torch.device("meta"):  # shapes without memory
            network = timm.create_model(name, num_classes=0)
        counts[name] = sum(parameter.numel() for parameter in network.parameters())
    if unknown:
        with suppress(OSError):  # a cache that may not be written is only slower
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, counts)
    return counts


def _read(file: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        return dict(json.loads(file.read_text(encoding="utf-8")))
    return {}
