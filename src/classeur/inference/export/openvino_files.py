"""OpenVINO: model.xml and model.bin, converted from the ONNX file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classeur.inference.export.onnx_files import WHOLE, halves, write_joined
from classeur.inference.export.torch_files import Run
from classeur.inference.graph.pairs import PairedResample
from classeur.models.classifier import Classifier

PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
"""OpenVINO else computes in bfloat16 where a processor can, and its answers differ."""


def write_openvino(classifier: Classifier, folder: Path, facts: dict[str, str]) -> Run:
    """Write model.xml and model.bin, weights in float32; return what runs them."""
    import openvino  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as scratch:
        write_joined(*halves(classifier, PairedResample), Path(scratch), facts)
        model = openvino.convert_model(Path(scratch) / WHOLE)
        for name, text in facts.items():
            model.set_rt_info(text, ["classeur", name])
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", PRECISION)

    def run(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = compiled([photo])[0][0]
        return found

    return run
