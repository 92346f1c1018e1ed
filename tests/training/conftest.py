"""Arrays that stand for prepared photos: no files, no decoding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from classeur.config import ModelConfig, RunConfig
from classeur.data.geometry import Geometry
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder
from classeur.section import override
from classeur.training.checkpoint import Progress
from classeur.training.inputs import TrainingData
from classeur.training.loop import fit
from classeur.training.seeding import seed_all

SIZE = 12


@pytest.fixture
def data() -> TrainingData:
    """Sixty grey photos of three classes: a bright bar at the left, in the middle, at the right."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    photos = random.integers(0, 120, (60, SIZE, SIZE, 1)).astype(np.uint8)
    for photo, label in zip(photos, labels, strict=True):
        photo[:, 4 * label : 4 * label + 4] += 100
    return TrainingData(photos, labels, np.arange(0, 42), np.arange(42, 60))


@pytest.fixture
def config() -> RunConfig:
    return override(
        RunConfig(model=ModelConfig("conv1")),
        {"epochs": 4, "batch_size": 8, "patience": 0, "device": "cpu", "number_format": "float32"},
    )


@pytest.fixture
def train(data: TrainingData) -> Callable[..., tuple[Classifier, Progress]]:
    """Fit a freshly drawn network, or go on with the run folder's."""

    def fit_one(config: RunConfig, folder: Path) -> tuple[Classifier, Progress]:
        folder.mkdir(exist_ok=True)
        seed_all(config.seed, "weights")
        preprocessing = Preprocessing(Geometry(SIZE, "grey"), (0.4,), (0.2,))
        names = [str(i) for i in range(int(data.labels.max()) + 1)]
        classifier = Classifier.create(config.model, names, preprocessing)
        progress = fit(
            classifier,
            data,
            config,
            RunFolder(folder),
            device=torch.device("cpu"),
            number_format=config.training.number_format,
        )
        return classifier, progress

    return fit_one
