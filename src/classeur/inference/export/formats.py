"""The formats by name: what each needs, refuses and writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from classeur.data.decode import to_pixels
from classeur.data.filters import parse_filters
from classeur.inference.export import timm_files, torch_files
from classeur.inference.export.proof import Answering
from classeur.inference.export.torch_files import Run
from classeur.inference.graph.filters import graph_filters
from classeur.models.classifier import Classifier
from classeur.run_folder import RunFolder

Facts = dict[str, str]
"""The metadata that go into a file."""


@dataclass(frozen=True)
class Format:
    """A registered format."""

    name: str
    extra: str
    packages: tuple[str, ...]
    """What must be installed, and the extra that brings it."""
    check: Callable[[Classifier], None]
    """Raises InferenceError for a run that the format cannot express."""
    write: Callable[[Classifier, RunFolder, Path, Facts], Answering]
    """Writes the files into a folder and returns what answers photos by them."""


def check_graph(classifier: Classifier) -> None:
    """Raise InferenceError for filters that no graph can do."""
    graph_filters(parse_filters(classifier.preprocessing.geometry.filters))


def upright(run: Run) -> Answering:
    """Return what answers decoded photos by a file that takes (H, W, 3) uint8."""
    return lambda photo: run(to_pixels(photo.image))


def _onnx(classifier: Classifier, _: RunFolder, folder: Path, facts: Facts) -> Answering:
    from classeur.inference.export.onnx_files import write_onnx

    return upright(write_onnx(classifier, folder, facts))


def _openvino(classifier: Classifier, _: RunFolder, folder: Path, facts: Facts) -> Answering:
    from classeur.inference.export.openvino_files import write_openvino

    return upright(write_openvino(classifier, folder, facts))


def _web(classifier: Classifier, run: RunFolder, folder: Path, facts: Facts) -> Answering:
    from classeur.inference.export.web_files import write_web

    return upright(write_web(classifier, run, folder, facts))


def _torchscript(classifier: Classifier, _: RunFolder, folder: Path, facts: Facts) -> Answering:
    return upright(torch_files.write_torchscript(classifier, folder, facts))


def _torch_export(classifier: Classifier, _: RunFolder, folder: Path, facts: Facts) -> Answering:
    return upright(torch_files.write_torch_export(classifier, folder, facts))


def _safetensors(classifier: Classifier, _: RunFolder, folder: Path, __: Facts) -> Answering:
    return timm_files.pixels_answer(classifier, timm_files.write_timm(classifier, folder))


def _hub(classifier: Classifier, run: RunFolder, folder: Path, _: Facts) -> Answering:
    answer = timm_files.transform_answer(timm_files.write_timm(classifier, folder))
    timm_files.add_card(run, folder)
    return answer


_ONNX = ("onnx", "onnxscript", "onnxruntime")
FORMATS = {
    item.name: item
    for item in (
        Format("onnx", "export", _ONNX, check_graph, _onnx),
        Format("openvino", "export,openvino", (*_ONNX, "openvino"), check_graph, _openvino),
        Format("torchscript", "", (), check_graph, _torchscript),
        Format("torch-export", "", (), check_graph, _torch_export),
        Format("safetensors", "", (), timm_files.check_timm, _safetensors),
        Format("hub", "", (), timm_files.check_hub, _hub),
        Format("web", "export", _ONNX, check_graph, _web),
    )
}
"""Format by name, in the order of the help page."""
