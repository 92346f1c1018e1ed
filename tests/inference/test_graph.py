"""The graph that exports are made from gives Pillow's pixels, to the last bit."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from classeur.config import ModelConfig
from classeur.data.filters import FILTERS, Filter
from classeur.data.geometry import Geometry
from classeur.errors import InferenceError
from classeur.inference.export.onnx_files import _exported
from classeur.inference.export.openvino_files import PRECISION
from classeur.inference.export.torch_files import any_photo
from classeur.inference.graph.pairs import PairedResample
from classeur.inference.graph.photo import Answer, Prepare
from classeur.inference.graph.resample import Resample
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing

SIZES = [(1, 1), (16, 16), (1, 40), (40, 1), (3, 200), (200, 3), (37, 53), (90, 31), (400, 300)]
"""(height, width)."""


def drawn(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise on soft shapes: full of edges, and of levels that round either way."""
    rng = np.random.default_rng(seed)
    shapes = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
    soft = np.asarray(shapes.resize((width, height)), np.int16)
    return (soft + rng.integers(-40, 41, soft.shape)).clip(0, 255).astype(np.uint8)


def assert_same(
    geometry: Geometry, photo: NDArray[np.uint8], resample: type[Resample] = Resample
) -> None:
    image = Image.fromarray(photo)
    wanted = geometry.pixels(image.convert("L") if geometry.color == "grey" else image)
    with torch.no_grad():
        found = Prepare(geometry, resample)(torch.from_numpy(photo.copy()))
    assert found.dtype == torch.uint8
    assert found.shape == (1, *geometry.shape)
    np.testing.assert_array_equal(found[0].numpy(), wanted)


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_pixels_are_those_of_pillow(interpolation: str, resize: str) -> None:
    for size in (1, 16, 33):
        for height, width in SIZES:
            geometry = Geometry(size, "rgb", resize, interpolation, 0.875)  # type: ignore[arg-type]
            assert_same(geometry, drawn(height, width))


def test_pixels_of_grey_runs() -> None:
    for height, width in SIZES:
        assert_same(Geometry(16, "grey", "crop", "bicubic", 0.9), drawn(height, width))


@pytest.mark.parametrize(
    "filters",
    [
        ("autocontrast",), ("autocontrast=3",), ("autocontrast=49",), ("equalize",), ("whiten",),
        ("mirror",), ("flip",), ("transpose",), ("rotate=90",), ("rotate=-90",), ("rotate=180",),
        ("rotate=0",), ("rotate=17",), ("rotate=-100.5",),
        ("rotate=30", "transpose", "equalize", "mirror", "autocontrast=2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("resize", ["squash", "pad"])
def test_filters_are_those_of_pillow(resize: str, filters: tuple[str, ...]) -> None:
    for height, width in [(37, 53), (90, 31), (3, 200), (1, 1)]:
        geometry = Geometry(16, "rgb", resize, filters=filters)  # type: ignore[arg-type]
        assert_same(geometry, drawn(height, width))


def test_a_blank_photo_stays_blank() -> None:
    for name in ("autocontrast", "equalize", "whiten"):
        assert_same(Geometry(8, filters=(name,)), np.full((20, 30, 3), 7, np.uint8))


def test_a_photo_of_the_right_size_is_not_touched() -> None:
    photo = drawn(24, 24)
    found = Prepare(Geometry(24, interpolation="lanczos"))(torch.from_numpy(photo))
    np.testing.assert_array_equal(found[0].numpy(), photo)


@pytest.mark.slow
def test_pixels_of_any_geometry() -> None:
    draw = random.Random(0)
    for _ in range(300):
        geometry = Geometry(
            draw.choice([1, 2, 5, 28, 64]), draw.choice(["rgb", "grey"]),
            draw.choice(["squash", "crop", "pad"]),
            draw.choice(["nearest", "bilinear", "bicubic", "lanczos"]),
            draw.choice([1.0, 0.875, 0.77]),
        )  # fmt: skip
        assert_same(
            geometry, drawn(draw.randint(1, 300), draw.randint(1, 300), draw.randint(0, 99))
        )


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_pixels_without_float64(interpolation: str, resize: str) -> None:
    for size in (1, 33, 224):
        geometry = Geometry(size, "rgb", resize, interpolation, 0.875)  # type: ignore[arg-type]
        for height, width in [*SIZES, (192, 257), (257, 192), (224, 192), (93, 200), (2400, 31)]:
            assert_same(geometry, drawn(height, width), PairedResample)
        _, weights = PairedResample(geometry).taps(192, 257)
        assert weights.dtype == torch.float32


class _Rows(torch.nn.Module):
    """Resamples the rows of a photo alone: half as much to trace, and less."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.resample = PairedResample(geometry)

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        below, weights = self.resample.taps(photo.shape[1], photo.shape[0])
        return self.resample.along(photo.permute(2, 0, 1), below, weights, grey=False)


@pytest.mark.slow
@pytest.mark.timeout(900)  # tracing takes half a minute of a core that is free
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_openvino_gives_pillows_pixels(interpolation: str, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    onnx = pytest.importorskip("onnx")
    geometry = Geometry(224, interpolation=interpolation)
    photo, sides = any_photo()
    rows = _Rows(geometry).eval()
    model = _exported(rows, photo, {"photo": sides}, "photo", "rows")
    onnx.save(model, tmp_path / "rows.onnx")
    converted = openvino.convert_model(tmp_path / "rows.onnx")
    compiled = openvino.Core().compile_model(converted, "CPU", PRECISION)
    kernel = getattr(Image.Resampling, interpolation.upper())
    draw = random.Random(0)
    widths = [192, 224, 257, 112, 448, 1, 4000, *(draw.randint(1, 2000) for _ in range(30))]
    for width in widths:
        photo_of = drawn(9, width, width)
        wanted = np.asarray(Image.fromarray(photo_of).resize((224, 9), kernel))
        found = compiled([photo_of])[0].transpose(1, 2, 0)
        np.testing.assert_array_equal(found, wanted, str(width))


def test_every_filter_is_there() -> None:
    numbers = {name: "=10" if item.default is None else "" for name, item in FILTERS.items()}
    Prepare(Geometry(8, filters=tuple(name + number for name, number in numbers.items())))


def test_a_filter_that_no_graph_can_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    odd: Filter = replace(FILTERS["mirror"], name="swirl")
    monkeypatch.setitem(FILTERS, "swirl", odd)
    with pytest.raises(
        InferenceError, match=r"this run uses swirl, which no exported file can do\. Expected no "
        r"filter but autocontrast, .*Train it without\.",
    ):  # fmt: skip
        Prepare(Geometry(8, filters=("swirl", "swirl")))


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c"]])
@pytest.mark.parametrize("zca", [0, 3])
def test_answers_are_those_of_the_classifier(names: list[str], zca: int) -> None:
    torch.manual_seed(0)
    preprocessing = Preprocessing(Geometry(8), (0.5, 0.4, 0.3), (0.2, 0.1, 0.3))
    classifier = Classifier.create(ModelConfig("dense", zca=zca), names, preprocessing)
    classifier.temperature = 0.37
    pixels = drawn(8 * 5, 8).reshape(5, 8, 8, 3)
    with torch.no_grad():
        found = Answer(classifier).eval()(torch.from_numpy(pixels))
    wanted = classifier.probabilities(classifier.logits(pixels))
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
