"""Where the pre-trained weights of a backbone are, and what belongs to them besides the numbers.

They are looked for, in this order: at the place that was asked for (`--weights`), in the folder
named by CLASSEUR_WEIGHTS, and on the Hugging Face hub, where timm publishes its weights. A folder
holds `<timm name>.safetensors` and, beside it, an optional `<timm name>.json`:

    {"input_size": [3, 224, 224], "mean": [...], "std": [...], "interpolation": "bilinear",
     "crop_pct": 1.0, "model_args": {"pad_type": "same"}, "licence": "Apache-2.0", "source": "..."}
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classeur.errors import ModelError, WeightsError, did_you_mean

FOLDER = "CLASSEUR_WEIGHTS"
"""Environment variable that names a folder of weights."""

_IMAGENET = re.compile(r"in\d+k|imagenet|^tv|_tv")  # how the tags of timm's weights name it
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True)
class Weights:
    """Pre-trained weights of a backbone."""

    name: str
    """timm's name of the network."""
    file: Path | None
    """The .safetensors file; None: on the hub, and not yet here."""
    size: int
    """Side of the photos it was trained on, in pixels."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of each channel, pixels scaled to 0..1."""
    interpolation: str
    crop_pct: float
    arguments: tuple[str, ...] = ()
    """What timm must build the network with, as `name=value`: `pad_type=same`."""
    pretrained_on: str = ""
    licence: str = ""
    source: str = ""

    def facts(self) -> dict[str, str]:
        """Return what a reader of the run should know of them."""
        return {
            "name": self.name,
            "pretrained_on": self.pretrained_on,
            "licence": self.licence,
            "source": self.source,
        }


def is_backbone(name: str) -> bool:
    """Whether timm knows a network of this name."""
    import timm

    return bool(timm.is_model(name))


def list_backbones(pattern: str = "") -> list[str]:
    """Return timm's names, all or those that match a pattern such as `vgg*`."""
    import timm

    names: list[str] = timm.list_models()
    return [name for name in names if not pattern or fnmatch.fnmatch(name, pattern)]


def find_weights(name: str, where: str = "") -> Weights:
    """Return the weights of a backbone without fetching anything.

    Args:
        name: timm's name of the network.
        where: a .safetensors file, or a folder of them. Empty: CLASSEUR_WEIGHTS, else the hub.

    Raises:
        ModelError: if timm has no such network.
        WeightsError: if they are not where they were said to be, or what stands beside them is
            wrong.
    """
    if not is_backbone(name):
        hint = did_you_mean(name, list_backbones())
        raise ModelError(f'timm has no network "{name}".{hint} See: classeur models.')
    if where:
        return _local(name, _file_at(name, Path(where).expanduser()))
    folder = os.environ.get(FOLDER)
    file = Path(folder).expanduser() / f"{name}.safetensors" if folder else None
    if file is not None and file.is_file():
        return _local(name, file)
    return _on_hub(name)


def fetched(weights: Weights) -> Path:
    """Return the file of weights, fetched from the hub if it is not here yet.

    Raises:
        WeightsError: if they cannot be had, and how to get them.
    """
    if weights.file is not None:
        return weights.file
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        _check_network(constants.ENDPOINT)
        return Path(hf_hub_download(weights.source, "model.safetensors"))
    except (OSError, HfHubHTTPError, ValueError) as error:  # no network is an OSError of theirs
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
        raise not_at_hand(weights.name, reason) from error


def _check_network(address: str) -> None:
    """Raise OSError if the hub cannot be reached: its own library finds out in half a minute."""
    parts = urllib.parse.urlsplit(address)
    if not urllib.request.getproxies():
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=10).close()


def not_at_hand(name: str, reason: str) -> WeightsError:
    """Return the error for weights that are neither here nor to be fetched."""
    return WeightsError(
        f"the weights of {name} are not at hand, and cannot be fetched ({reason}). Give a file or "
        f"a folder with {name}.safetensors by --weights or {FOLDER}, or try again with a network."
    )


def _file_at(name: str, place: Path) -> Path:
    if place.is_dir():
        place = place / f"{name}.safetensors"
    if not place.is_file():
        raise WeightsError(f"{place} does not exist. Expected the weights of {name} there.")
    return place


def _local(name: str, file: Path) -> Weights:
    beside = file.with_suffix(".json")
    values = _published(name)
    if beside.is_file():
        try:
            values |= json.loads(beside.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError) as error:
            raise WeightsError(f"{beside} cannot be read as JSON: {error}.") from error
    return _weights(name, file, values, beside)


def _on_hub(name: str) -> Weights:
    values = _published(name)
    if not values.get("source"):
        raise not_at_hand(name, "timm publishes none for it")
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(values["source"], "model.safetensors")
    file = Path(cached) if isinstance(cached, str) else None
    return _weights(name, file, values, Path(values["source"]))


def _published(name: str) -> dict[str, Any]:
    """Return what timm says of the weights that it publishes for a network."""
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name, allow_unregistered=False)
    if config is None:
        return {"model_args": {}}
    return {
        "input_size": config.input_size,
        "mean": config.mean,
        "std": config.std,
        "interpolation": config.interpolation,
        "crop_pct": config.crop_pct or 1.0,
        "model_args": {},
        "pretrained_on": "ImageNet" if _IMAGENET.search(config.tag or "") else "",
        "licence": config.license or "",
        "source": config.hf_hub_id or "",
    }


def _weights(name: str, file: Path | None, values: Mapping[str, Any], told_by: Path) -> Weights:
    try:
        found = Weights(
            name,
            file,
            int(values["input_size"][-1]),
            tuple(map(float, values["mean"])),
            tuple(map(float, values["std"])),
            str(values["interpolation"]),
            float(values["crop_pct"]),
            tuple(f"{key}={value}" for key, value in sorted(values["model_args"].items())),
            str(values.get("pretrained_on") or ""),
            str(values.get("licence") or ""),
            str(values.get("source") or ""),
        )
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise WeightsError(f"{told_by} does not describe weights: {error}.") from error
    if found.interpolation not in _INTERPOLATIONS or len(found.mean) != 3 or len(found.std) != 3:
        raise WeightsError(
            f"{told_by} does not describe weights: expected mean and std of three channels and an "
            f"interpolation out of {', '.join(_INTERPOLATIONS)}; received {found.mean}, "
            f"{found.std} and {found.interpolation}."
        )
    return found
