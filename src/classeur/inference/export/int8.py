"""int8: weights and activations as whole numbers of 8 bits, calibrated on validation photos.

Static post-training quantisation of ONNX Runtime (`quantize_static`, QDQ format): weights for
each channel, activations by the range they have on the calibration photos (Jacob et al., 2018,
"Quantization and training of neural networks for efficient integer-arithmetic-only inference").
Only the network is quantised; what comes before stays exact. So do the first convolution and those
of a channel each: they hold next to no weights and lose the most (Sheng et al., 2018, "A
quantization-friendly separable convolution for MobileNets").
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classeur.errors import InferenceError
from classeur.inference.export.photos import validation_photos
from classeur.inference.predictor import Predictor
from classeur.run_folder import RunFolder

if TYPE_CHECKING:
    from onnx import ModelProto

CALIBRATION = 100
"""Photos that the ranges are taken from, at most."""

MEASURED = 500
"""Photos that accuracy and agreement are measured on, at most."""

FEWEST = 10
"""Validation photos that calibration needs."""

AGREEMENT = 0.95
"""Share of the validation photos that must keep their label."""

LOSS = 0.02
"""How far accuracy on the validation photos may fall."""

_QUANTISED = ["Conv", "Gemm", "MatMul"]


@dataclass(frozen=True)
class Quality:
    """What int8 costs, on validation photos."""

    photos: int
    float_accuracy: float
    int8_accuracy: float
    agreement: float
    """Share of the photos with the same label."""
    mean_difference: float
    """Of the largest probability difference of each photo."""
    worst_difference: float

    def failure(self) -> str:
        """Return why it is not good enough; empty if it is."""
        if self.agreement < AGREEMENT:
            return (
                f"int8 keeps the label of {self.agreement:.1%} of {self.photos} validation "
                f"photos; at least {AGREEMENT:.0%} are expected"
            )
        lost = self.float_accuracy - self.int8_accuracy
        if lost > LOSS + 1e-9:
            return (
                f"int8 is right on {self.int8_accuracy:.1%} of {self.photos} validation photos "
                f"instead of {self.float_accuracy:.1%}; at most {100 * LOSS:.0f} points may be lost"
            )
        return ""


@dataclass(frozen=True)
class Pixels:
    """Validation photos, prepared."""

    photos: NDArray[np.uint8]
    """(N, S, S, C)."""
    labels: list[str]

    @classmethod
    def of(cls, run: RunFolder, predictor: Predictor) -> Pixels:
        """Prepare the validation photos of a run that are still there.

        Raises:
            InferenceError: if they are too few to calibrate with.
        """
        found = list(_prepared(run, predictor))
        if len(found) < FEWEST:
            raise InferenceError(
                f"int8 is calibrated on validation photos of the run: expected at least {FEWEST}, "
                f"found {len(found)} where they were. Bring the photos back, or leave out int8."
            )
        return cls(np.stack([pixels for pixels, _ in found]), [label for _, label in found])


def quantised(answer: ModelProto, pixels: Pixels) -> ModelProto:
    """Return the network in int8."""
    import onnx
    from onnxruntime import quantization  # type: ignore[import-untyped]
    from onnxruntime.quantization import shape_inference  # type: ignore[import-untyped]

    step = max(1, len(pixels.photos) // CALIBRATION)
    with tempfile.TemporaryDirectory() as scratch:
        source, plain, small = (Path(scratch) / name for name in ("a.onnx", "b.onnx", "c.onnx"))
        onnx.save(answer, source)
        shape_inference.quant_pre_process(source, plain, skip_symbolic_shape=True)
        quantization.quantize_static(
            plain, small, _Reader(pixels.photos[::step][:CALIBRATION]),
            quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=_QUANTISED, nodes_to_exclude=_delicate(onnx.load(plain)),
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        model: ModelProto = onnx.load(small)
        return model


def _delicate(network: ModelProto) -> list[str]:
    """Return the names of the first convolution and of those that see one channel each."""
    shapes = {weights.name: weights.dims for weights in network.graph.initializer}
    convolutions = [node for node in network.graph.node if node.op_type == "Conv"]
    return [
        node.name
        for number, node in enumerate(convolutions)
        if number == 0 or shapes.get(node.input[1], (0, 0))[1] == 1  # they may be computed, too
    ]


def quality(predictor: Predictor, small: ModelProto, pixels: Pixels) -> Quality:
    """Measure the network in int8 against the run's own."""
    from classeur.inference.export.onnx_files import session

    opened = session(small.SerializeToString())
    names = np.array(predictor.class_names)
    ours, theirs = [], []
    for start in range(0, len(pixels.photos), 32):
        batch = pixels.photos[start : start + 32]
        ours.append(predictor.probabilities(batch))
        theirs.append(opened.run(["probabilities"], {"pixels": batch})[0])
    one, other = np.concatenate(ours), np.concatenate(theirs)
    labels, off = np.array(pixels.labels), np.abs(one - other).max(1)
    return Quality(
        len(labels),
        float((names[one.argmax(1)] == labels).mean()),
        float((names[other.argmax(1)] == labels).mean()),
        float((one.argmax(1) == other.argmax(1)).mean()),
        float(off.mean()),
        float(off.max()),
    )


def _prepared(run: RunFolder, predictor: Predictor) -> Iterator[tuple[NDArray[np.uint8], str]]:
    from classeur.errors import UnreadablePhotoError

    for sample in validation_photos(run, MEASURED):
        try:
            yield predictor.preprocessing.open(sample.content)[0], sample.label
        except UnreadablePhotoError:
            continue


class _Reader:
    """Hands the calibration photos to ONNX Runtime, one after the other."""

    def __init__(self, photos: NDArray[np.uint8]) -> None:
        self._remaining = iter(photos)

    def get_next(self) -> dict[str, Any] | None:
        photo = next(self._remaining, None)
        return None if photo is None else {"pixels": photo[None]}
