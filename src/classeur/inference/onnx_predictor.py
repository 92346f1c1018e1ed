"""A predictor on an exported .onnx file: our decoder, ONNX Runtime, no torch network.

The pixels are prepared by Pillow, on several threads, and answered in batches. The file's own
resize gives the same pixels; that is what its proof has shown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.errors import ClasseurError, InferenceError
from classeur.inference.export.needed import require
from classeur.inference.predictor import Predictor
from classeur.models.abstention import Abstention, Rule
from classeur.models.explain import Explainer
from classeur.models.preprocessing import Preprocessing


class OnnxPredictor(Predictor):
    """Classifies photos with a file that `classeur export --format onnx` has written.

    Args:
        network: pixels (N, S, S, C) uint8 -> probabilities (N, num_classes), for `onnxruntime`.
        facts: the metadata of the file.
        path: of the file, for messages.

    Raises:
        InferenceError: if the facts are not those of an export.
    """

    def __init__(self, network: bytes, facts: dict[str, str], path: Path) -> None:
        from classeur.inference.export.onnx_files import session

        self.novelty = None
        self._path = path
        try:
            names = json.loads(facts["class_names"])
            self._preprocessing = Preprocessing.from_dict(json.loads(facts["preprocessing"]))
            thresholds = json.loads(facts["abstention"])
            self._abstention = Abstention.from_dict(thresholds) if thresholds else None
            self._names: list[str] = names
            self._session = session(network)
            _check(self._session, names, self._preprocessing)
        except (KeyError, TypeError, ValueError, AttributeError, ClasseurError) as error:
            raise _foreign(path, error) from error
        except Exception as error:  # ONNX Runtime has classes of its own for each way to fail
            raise _foreign(path, error) from error

    @classmethod
    def open(cls, path: Path, device: str, strange_share: float | None) -> OnnxPredictor:
        """Open a file.

        Raises:
            InferenceError: if it is not one of ours, a package is missing, or it is asked for
                what it cannot do.
        """
        require("export", "onnx", "onnxruntime")
        if device not in ("cpu", "auto"):
            raise InferenceError(
                f"{path} runs on the processor only, received device {device}. Leave it out, or "
                "give the run folder."
            )
        if strange_share is not None:
            raise InferenceError(
                f"{path} cannot tell which photos are strange. Leave out the strange share, or "
                "give the run folder."
            )
        network, facts = _read(path)
        return cls(network, facts, path)

    @property
    def class_names(self) -> list[str]:
        """The classes, in the order of the probabilities."""
        return self._names

    @property
    def preprocessing(self) -> Preprocessing:
        """What makes pixels of a photo."""
        return self._preprocessing

    @property
    def explainer(self) -> Explainer:
        """Raises InferenceError: there is no torch network to look into."""
        raise InferenceError(
            f"{self._path} cannot explain its answers; give the run folder instead."
        )

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Prepared pixels (N, S, S, C) uint8 -> probabilities (N, num_classes)."""
        found: NDArray[np.float32] = self._session.run(["probabilities"], {"pixels": pixels})[0]
        return found

    def rule(self, abstain_below: float | None, max_error: float | None) -> Rule | None:
        """Return when to be unsure; None: never. Raises as `predict` does."""
        if max_error is None or abstain_below is not None:
            return super().rule(abstain_below, max_error)
        if self._abstention is None:
            raise InferenceError(
                f"{self._path} has no thresholds for max_error: its run was not scored, or it is "
                "int8. Give the run folder instead."
            )
        return self._abstention.rule(max_error)


def _check(network: Any, names: Any, preprocessing: Preprocessing) -> None:
    """Raise ValueError unless a network takes such pixels and has an output for each class."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("its class names are no list of texts")
    if len(set(names)) < len(names) or len(names) < 2:
        raise ValueError("its class names are not different ones, two at least")
    given, made = network.get_inputs()[0], network.get_outputs()[0]
    if given.type != "tensor(uint8)" or [*given.shape[1:]] != [*preprocessing.geometry.shape]:
        raise ValueError(
            f"its network takes {given.type} of {given.shape}, its preprocessing makes uint8 of "
            f"{preprocessing.geometry.shape}"
        )
    if made.shape[-1] != len(names):
        raise ValueError(f"it has {len(names)} class names for {made.shape[-1]} outputs")


def _read(path: Path) -> tuple[bytes, dict[str, str]]:
    """Return the part of a file that takes prepared pixels, and its facts."""
    import onnx

    if not path.is_file():
        raise InferenceError(f"{path} does not exist. Expected a run folder or an .onnx file.")
    try:
        model: Any = onnx.load(path, load_external_data=False)
        facts = {item.key: item.value for item in model.metadata_props}
        if "classeur" not in facts:
            raise ValueError("it has no metadata of Classeur")
        if model.graph.input[0].name != "pixels":
            model = onnx.utils.Extractor(model).extract_model(["pixels"], ["probabilities"])
        return model.SerializeToString(), facts
    except Exception as error:  # protobuf, onnx and we have classes of our own
        raise _foreign(path, error) from error


def _foreign(path: Path, error: Exception) -> InferenceError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InferenceError(
        f"{path} is no file that `classeur export --format onnx` has written: {reason}."
    )
