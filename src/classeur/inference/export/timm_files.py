"""For users of timm: the weights in the names of timm's own network, with its config.json.

The head is a linear layer, as timm's; the temperature is folded into it. Where ours has one output
for two classes, timm's has two, of which the first is always zero.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn

from classeur.data.decode import Decoded
from classeur.errors import InferenceError
from classeur.inference.export.proof import Answering
from classeur.inference.export.torch_files import tracing
from classeur.models.classifier import Classifier
from classeur.models.pretrained import Pretrained, parse_arguments
from classeur.run_folder import RunFolder

WEIGHTS = "model.safetensors"


def check_timm(classifier: Classifier) -> None:
    """Raise InferenceError unless the network is one that timm itself can build."""
    name, network = classifier.config.name, classifier.network
    if not isinstance(network, Pretrained):
        why = "it is whitened" if classifier.config.zca else "it is no network of timm"
        raise InferenceError(f"{name} cannot be exported for timm: {why}. Choose onnx.")
    if not network.pooled:
        raise InferenceError(
            f"{name} cannot be exported for timm: its head is dense, and timm's are linear. "
            "Choose onnx."
        )


def check_hub(classifier: Classifier) -> None:
    """Raise InferenceError unless timm's own transform can prepare the photos, too."""
    check_timm(classifier)
    geometry = classifier.preprocessing.geometry
    if geometry.resize != "squash" or geometry.filters:
        what = f"filter {geometry.filters[0]}" if geometry.filters else f"resize {geometry.resize}"
        raise InferenceError(
            f"timm's own transform cannot prepare photos as this run does ({what}). Choose "
            "safetensors and prepare them yourself, or onnx."
        )


def write_timm(classifier: Classifier, folder: Path) -> nn.Module:
    """Write model.safetensors and config.json; return what timm loads from them."""
    model = _timm_model(classifier)
    geometry = classifier.preprocessing.geometry
    data = {
        "input_size": (3, geometry.size, geometry.size),
        "mean": classifier.preprocessing.mean,
        "std": classifier.preprocessing.std,
        "interpolation": geometry.interpolation,
        "crop_pct": geometry.crop_pct,
        "crop_mode": {"squash": "squash", "crop": "center", "pad": "border"}[geometry.resize],
    }
    timm.models.save_for_hf(
        model, str(folder), {"label_names": classifier.class_names, "pretrained_cfg": data},
        safe_serialization=True, data_config=data,
    )  # fmt: skip
    loaded: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True)
    return loaded.eval()


def pixels_answer(classifier: Classifier, model: nn.Module) -> Answering:
    """Return what answers photos that we prepare and timm's network classifies."""
    geometry = classifier.preprocessing.geometry

    def answer(photo: Decoded) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.array(geometry.pixels(photo.image)))[None]
        with tracing():
            return _probabilities(model, classifier.preprocessing.normalize(pixels))

    return answer


def transform_answer(model: nn.Module) -> Answering:
    """Return what answers photos as timm alone would: its transform, its network, softmax."""
    data: Any = timm.data
    transform = data.create_transform(**data.resolve_model_data_config(model), is_training=False)

    def answer(photo: Decoded) -> NDArray[np.float32]:
        with tracing():
            return _probabilities(model, cast("torch.Tensor", transform(photo.image))[None])

    return answer


def add_card(run: RunFolder, folder: Path) -> None:
    """Copy the run's model card, if it has one."""
    if run.card.is_file():
        shutil.copyfile(run.card, folder / "README.md")


def _probabilities(model: nn.Module, photos: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = torch.softmax(model(photos), dim=1)[0].numpy()
    return found


def _timm_model(classifier: Classifier) -> nn.Module:
    """Return timm's own network with our weights."""
    network = cast("Pretrained", classifier.network)
    arguments = parse_arguments(classifier.config.arguments)
    size = classifier.preprocessing.geometry.size
    classes = len(classifier.class_names)
    name = classifier.config.name
    try:
        model = timm.create_model(name, num_classes=classes, img_size=size, **arguments)
    except TypeError:  # as where the backbone was built
        model = timm.create_model(name, num_classes=classes, **arguments)
    state = network.backbone.state_dict() | _head(
        classifier, cast("Any", model).get_classifier(), model
    )
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InferenceError(
            f"timm builds another {name} for {classes} classes than for none: {reason}. "
            "Choose onnx."
        ) from error
    return model.eval()


def _head(classifier: Classifier, head: nn.Module, model: nn.Module) -> dict[str, torch.Tensor]:
    """Return weight and bias of the head by their names in timm's network."""
    ours = cast("Pretrained", classifier.network).head[1]  # type: ignore[index]
    name = next((name for name, module in model.named_modules() if module is head), "")
    if not name or not isinstance(head, nn.Linear):
        raise InferenceError(
            f"{classifier.config.name} cannot be exported for timm: its classifier there is no "
            "linear layer. Choose onnx."
        )
    weight = ours.weight.detach() / classifier.temperature
    bias = ours.bias.detach() / classifier.temperature
    if len(bias) < head.out_features:
        weight = torch.cat([torch.zeros_like(weight), weight])
        bias = torch.cat([torch.zeros_like(bias), bias])
    return {f"{name}.weight": weight, f"{name}.bias": bias}
