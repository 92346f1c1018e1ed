"""ONNX: model.onnx for photos of any size, model.batch.onnx for batches of prepared pixels.

Both halves of the way are exported apart and joined: the tensor between them is named `pixels`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.inference.export.torch_files import Run, any_photo, modules, tracing
from classeur.inference.graph.resample import Resample
from classeur.models.classifier import Classifier

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
WHOLE = "model.onnx"
BATCH = "model.batch.onnx"


def write_onnx(classifier: Classifier, folder: Path, facts: dict[str, str]) -> Run:
    """Write both files; return what runs the first."""
    prepare, answer = halves(classifier)
    return write_joined(prepare, answer, folder, facts)


def halves(
    classifier: Classifier, resample: type[Resample] = Resample
) -> tuple[ModelProto, ModelProto]:
    """Return photo -> pixels, and pixels -> probabilities.

    Raises:
        InferenceError: naming every filter that no exported file can do.
    """
    prepare, answer = modules(classifier, resample)
    photo, sides = any_photo()
    shape = classifier.preprocessing.geometry.shape
    batch = torch.zeros(2, *shape, dtype=torch.uint8)
    return (
        _exported(prepare, photo, {"photo": sides}, "photo", "pixels"),
        _exported(
            answer, batch, {"pixels": {0: torch.export.Dim("batch")}}, "pixels", "probabilities"
        ),
    )


def write_joined(
    prepare: ModelProto, answer: ModelProto, folder: Path, facts: dict[str, str]
) -> Run:
    """Write both files from the two halves; return what runs the first."""
    import onnx

    named = onnx.compose.add_prefix(
        answer, "answer/", rename_inputs=False, rename_outputs=False, inplace=False
    )
    named.ir_version = prepare.ir_version
    whole = onnx.compose.merge_models(prepare, named, io_map=[("pixels", "pixels")])
    whole.graph.value_info.append(answer.graph.input[0])
    for model, name in ((whole, WHOLE), (answer, BATCH)):
        _describe(model, facts)
        onnx.checker.check_model(model)
        onnx.save(model, folder / name)
    return runner(folder / WHOLE)


def session(model: Path | bytes) -> Any:
    """Return an ONNX Runtime session on the CPU, quiet about what it optimises."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if torch.get_num_threads() == 1:
        options.intra_op_num_threads = 1
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])


def runner(file: Path) -> Run:
    """Return what runs a file on one photo."""
    opened = session(file)

    def run(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = opened.run(["probabilities"], {"photo": photo})[0][0]
        return found

    return run


def _exported(
    module: torch.nn.Module, sample: torch.Tensor, shapes: dict[str, Any], given: str, found: str
) -> ModelProto:
    with tracing():
        program = torch.onnx.export(
            module, (sample,), dynamo=True, dynamic_shapes=shapes, input_names=[given],
            output_names=[found], opset_version=OPSET, verbose=False,
        )  # fmt: skip
    model: ModelProto = program.model_proto  # type: ignore[union-attr]
    return model


def _describe(model: ModelProto, facts: dict[str, str]) -> None:
    from onnx import helper

    model.producer_name, model.producer_version = "classeur", facts["classeur"]
    helper.set_model_props(model, facts)
