"""TorchScript and torch.export: one file with the whole way from photo to probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.inference.graph.photo import Answer, Prepare, Whole
from classeur.inference.graph.resample import Resample
from classeur.models.classifier import Classifier

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""(H, W, 3) uint8, an upright photo in RGB -> probabilities (num_classes,)."""

MAX_SIDE = 65_535
"""Longest side of a photo that the files are promised to take, in pixels."""


@contextmanager
def tracing() -> Iterator[None]:
    """Compute no gradients, and keep quiet what torch says about its own future."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def modules(classifier: Classifier, resample: type[Resample] = Resample) -> tuple[Prepare, Answer]:
    """Return the two halves of the way, on the CPU and ready to evaluate.

    Raises:
        InferenceError: naming every filter that no exported file can do.
    """
    prepare = Prepare(classifier.preprocessing.geometry, resample).eval()
    return prepare, Answer(classifier).eval()


def any_photo() -> tuple[torch.Tensor, dict[int, Any]]:
    """Return a photo to trace with, and which of its axes may be of any length."""
    sides = {
        0: torch.export.Dim("height", min=1, max=MAX_SIDE),
        1: torch.export.Dim("width", min=1, max=MAX_SIDE),
    }
    return torch.zeros(37, 53, 3, dtype=torch.uint8), sides


def write_torchscript(classifier: Classifier, folder: Path, facts: dict[str, str]) -> Run:
    """Write model.torchscript.pt; return what runs the file."""
    file = folder / "model.torchscript.pt"
    prepare, answer = modules(classifier)
    pixels = torch.zeros(2, *classifier.preprocessing.geometry.shape, dtype=torch.uint8)
    with tracing():
        traced = torch.jit.trace(answer, pixels)  # type: ignore[no-untyped-call]
        whole = torch.jit.script(Whole(torch.jit.script(prepare), traced).eval())
        torch.jit.save(whole, str(file), _extra_files=facts)
        return _runner(torch.jit.load(str(file)))  # type: ignore[no-untyped-call]


def write_torch_export(classifier: Classifier, folder: Path, facts: dict[str, str]) -> Run:
    """Write model.pt2; return what runs the file."""
    file = folder / "model.pt2"
    photo, sides = any_photo()
    with tracing():
        program = torch.export.export(
            Whole(*modules(classifier)).eval(), (photo,), dynamic_shapes={"photo": sides}
        )
        torch.export.save(program, file, extra_files=facts)
        return _runner(torch.export.load(file).module())


def _runner(module: torch.nn.Module) -> Run:
    def run(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        with tracing():
            found: torch.Tensor = module(torch.from_numpy(np.array(photo)))
        return found[0].numpy()

    return run
