"""A run that was never trained, and a photo in many guises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.inference.predictor import Predictor
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder

NAMES = ["ape", "bee", "cat", "dog"]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    torch.manual_seed(0)
    preprocessing = Preprocessing(Geometry(16), (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
    classifier = Classifier.create(ModelConfig("conv1"), NAMES, preprocessing)
    run = RunFolder(tmp_path_factory.mktemp("run"))
    run.config.touch()
    classifier.save_facts(run)
    classifier.save_weights(run)
    return run


@pytest.fixture(scope="session")
def predictor(run: RunFolder) -> Predictor:
    return Predictor.load(run.path)


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A smooth photo, wider than high, different in every corner."""
    y, x = np.mgrid[0:48, 0:72] / (48, 72)[0]
    pixels = np.stack([160 * x, 255 * y, 90 * x * (1 - y)], axis=2)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def png(photo: Image.Image, encode: Callable[..., bytes]) -> bytes:
    return encode(photo)


@pytest.fixture
def folder(tmp_path: Path, png: bytes) -> Path:
    """Three photos, among them an empty file and an HTML page called .jpg."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("10.png", "2.png", "deep/er/1.png"):
        (tmp_path / name).write_bytes(png)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<!DOCTYPE html>\n<html><title>404</title></html>")
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path
