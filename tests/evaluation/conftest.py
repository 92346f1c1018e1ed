"""A run that was never trained: an untrained network, and photos that lie in an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.data.manifest import Manifest, ManifestRow
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder

NAMES = ["ape", "bee", "cat"]
SPLITS = ["train"] * 59 + ["val"] * 20 + ["test"] * 11


@pytest.fixture
def manifest() -> Manifest:
    """Ninety photos, the splits and labels mixed."""
    order = np.random.default_rng(1).permutation(len(SPLITS))
    return Manifest(
        [
            ManifestRow(f"{i}.png", NAMES[i % 3], SPLITS[place], f"{i:064x}", 8, 8, "")
            for i, place in enumerate(order)
        ]
    )


@pytest.fixture
def photos() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(SPLITS), 8, 8, 1), np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    torch.manual_seed(0)
    preprocessing = Preprocessing(Geometry(8, "grey"), (0.5,), (0.25,))
    classifier = Classifier.create(ModelConfig("dense"), NAMES, preprocessing)
    run = RunFolder(tmp_path)
    run.config.touch()
    classifier.save_facts(run)
    classifier.save_weights(run)
    return run
