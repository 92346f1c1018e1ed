"""Benchmarks still run. How fast is for whoever runs them on a quiet machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1] / "benchmarks"


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(ROOT / script), *map(str, arguments)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("contender", ["train_classeur.py", "train_torch.py"])
def test_training(tmp_path: Path, contender: str) -> None:
    np.save(tmp_path / "photos.npy", np.zeros((6, 150, 150, 3), np.uint8))
    np.save(tmp_path / "labels.npy", np.arange(6) % 2)
    options = [tmp_path, "--batch-size=2", "--skip=1", "--augment"]
    assert len(json.loads(run(f"contenders/{contender}", *options))["seconds"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("contender", ["prepare_classeur.py", "prepare_pillow.py"])
def test_preparing(class_folders: Callable[..., Path], contender: str) -> None:
    assert len(json.loads(run(f"contenders/{contender}", class_folders({"a": 2})))["seconds"]) == 1


@pytest.mark.slow
def test_frozen() -> None:
    assert "as long" in run("frozen.py", "--photos", 10)


@pytest.mark.slow
def test_flipped_labels(class_folders: Callable[..., Path]) -> None:
    photos = class_folders({"a": 20, "b": 20}, size=(64, 64))
    assert "| recall |" in run("flipped_labels.py", photos, "--backbone=none", "--share=0.1")
