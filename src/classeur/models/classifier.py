"""A network with all that travels with it: class names, preprocessing, temperature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from classeur.config import ModelConfig
from classeur.errors import ClasseurError, ConfigError, ModelError, RunFolderError
from classeur.models.abstention import Abstention, Rule
from classeur.models.preprocessing import Preprocessing
from classeur.models.registry import create_model
from classeur.run_folder import RunFolder, read_json, replacing, write_json
from classeur.section import build

MODEL_VERSION = 1

_BROKEN = (
    KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, ConfigError,
    ModelError,
)  # fmt: skip
"""What reading a model.json of anybody may raise."""


@dataclass
class Classifier:
    """Pixels in, logits or probabilities out."""

    network: nn.Module
    config: ModelConfig
    class_names: list[str]
    """In the order of the outputs, sorted by name."""
    preprocessing: Preprocessing
    temperature: float = 1.0
    """Logits are divided by it before they become probabilities."""
    abstention: Abstention | None = None
    """When to say "unsure" for a share of wrong answers; None: not found yet."""
    backbone: dict[str, str] = field(default_factory=dict)
    """Name, source, licence and photos of the pre-trained weights it began with; empty: none."""

    @classmethod
    def create(
        cls, config: ModelConfig, class_names: Sequence[str], preprocessing: Preprocessing
    ) -> Classifier:
        """Build a classifier with freshly drawn weights. Raises ModelError as `create_model`."""
        height, width, channels = preprocessing.geometry.shape
        network = create_model(config, (channels, height, width), len(class_names))
        # channels-last is how convolutions are fastest on CPUs and on tensor cores
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(network, config, list(class_names), preprocessing)

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next((t.device for t in self.network.state_dict().values()), torch.device("cpu"))

    def logits(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """(N, H, W, C) uint8 -> logits (N, 1) or (N, num_classes), float32, on the CPU.

        Computed in float32 whatever number format training used, unless inside `autocast`.
        """
        self.network.eval()
        with torch.inference_mode():
            batch = self.preprocessing.normalize(to_device(pixels, self.device))
            result: torch.Tensor = self.network(batch).float().cpu()
        return result

    def probabilities(self, logits: torch.Tensor) -> NDArray[np.float32]:
        """Logits (N, 1) or (N, C) -> (N, C) probabilities that sum to one, float32."""
        scaled = logits.double() / self.temperature
        if scaled.shape[1] == 1:
            result = torch.cat([torch.sigmoid(-scaled), torch.sigmoid(scaled)], dim=1)
        else:
            result = torch.softmax(scaled, dim=1)
        return result.float().numpy()

    def rule(self, max_error: float) -> Rule:
        """Return when to be unsure, so that at most that share of the answers is wrong.

        Raises:
            ConfigError: if the share is no share, or below every level.
            InferenceError: if the validation photos cannot promise it.
            RunFolderError: if no thresholds were found yet.
        """
        if self.abstention is None:
            raise RunFolderError(
                "this run has no thresholds for max_error: it is not scored yet, or was by an "
                "earlier Classeur. Delete its metrics.json if there is one, then: classeur train "
                "--resume RUN"
            )
        return self.abstention.rule(max_error)

    def save_facts(self, run: RunFolder) -> None:
        """Write model.json."""
        facts = {
            "version": MODEL_VERSION,
            "model": asdict(self.config),
            "class_names": self.class_names,
            "preprocessing": self.preprocessing.to_dict(),
            "temperature": self.temperature,
            "abstention": self.abstention.to_dict() if self.abstention else None,
            "backbone": self.backbone,
        }
        write_json(run.model, facts)

    def save_weights(self, run: RunFolder) -> None:
        """Write model.safetensors, in one piece. Raises RunFolderError if the disk refuses."""
        state = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        try:
            with replacing(run.weights) as temporary:
                save_file(state, temporary)
        except (OSError, SafetensorError) as error:
            raise RunFolderError(f"cannot write {run.weights}: {error}.") from error

    @classmethod
    def load(cls, run: RunFolder, device: torch.device | None = None) -> Classifier:
        """Load a classifier from a run folder, ready to evaluate.

        Raises:
            RunFolderError: if files are missing, broken, of another version, or do not belong
                together.
        """
        run.require(run.model, run.weights)
        facts = read_json(run.model)
        try:
            if facts["version"] != MODEL_VERSION:
                raise RunFolderError(
                    f"{run.model} is of version {facts['version']}; this Classeur reads version "
                    f"{MODEL_VERSION}. Train the run again."
                )
            config = cast("ModelConfig", build(ModelConfig, facts["model"]))
            preprocessing = Preprocessing.from_dict(facts["preprocessing"])
            _check_names(facts["class_names"])
            _check_weights(run, config, preprocessing, len(facts["class_names"]))
            classifier = cls.create(config, facts["class_names"], preprocessing)
            classifier.temperature = float(facts["temperature"])
            if (thresholds := facts.get("abstention")) is not None:
                classifier.abstention = Abstention.from_dict(thresholds)
            classifier.backbone = dict(facts.get("backbone", {}))
            _check_order(run.model, classifier.class_names)
            if not 0 < classifier.temperature < float("inf"):
                raise ModelError(f"temperature must be above 0, received {facts['temperature']}.")
        except _BROKEN as error:
            reason = error if isinstance(error, ClasseurError) else repr(error)
            raise RunFolderError(f"{run.model} is broken: {reason}") from error
        classifier.load_weights(run.weights)
        classifier.network.to(device or torch.device("cpu")).eval()
        return classifier

    def load_weights(self, path: Path) -> None:
        """Load weights for this very network. Raises RunFolderError if they are not."""
        try:
            state = load_file(path)
            self.network.load_state_dict(state)
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise RunFolderError(
                f"{path} does not hold the weights that model.json describes: {reason[:300]}."
            ) from error
        broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
        if broken:
            raise RunFolderError(f"{path} holds numbers that are not finite, in {broken[0]}.")


def logits_of(
    classifier: Classifier,
    photos: NDArray[np.uint8],
    indices: NDArray[np.int64],
    batch_size: int,
) -> Iterator[torch.Tensor]:
    """Yield the logits of the indexed photos, batch by batch, on the CPU."""
    for start in range(0, len(indices), batch_size):
        yield classifier.logits(np.asarray(photos[indices[start : start + batch_size]]))


def to_device(pixels: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Copy an array to the device."""
    # torch wants memory that it may write, which a decoded photo or a memory map is not
    own = np.require(pixels, requirements=["C", "W"])
    return torch.from_numpy(own).to(device)


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _check_names(class_names: Any) -> None:
    if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
        raise ModelError(f"class_names must be a list of texts, received {class_names!r:.100}.")


def _check_weights(
    run: RunFolder, config: ModelConfig, preprocessing: Preprocessing, classes: int
) -> None:
    """Raise RunFolderError, before any memory is taken, for a network larger than its weights.

    Whoever wrote model.json may have asked for more than a machine has.
    """
    height, width, channels = preprocessing.geometry.shape
    with torch.device("meta"):
        network = create_model(config, (channels, height, width), classes)
    needed = sum(t.numel() * t.element_size() for t in network.state_dict().values())
    if needed > run.weights.stat().st_size:
        raise RunFolderError(
            f"{run.weights} does not hold the weights that model.json describes: expected at "
            f"least {needed:,} bytes, received {run.weights.stat().st_size:,}."
        )


def _check_order(source: Path, class_names: list[str]) -> None:
    if class_names != sorted(set(class_names)):
        raise RunFolderError(
            f"{source} has class names that are not sorted by name, or twice the same: "
            f"{', '.join(class_names[:10])}."
        )
