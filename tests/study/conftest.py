"""Small photos of three classes, and one finished study of them, made once for each worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classeur.study.study import Study, run_study

OPTIONS = {"epochs": 3, "batch_size": 16, "size": 24, "device": "cpu"}


def draw_photos(folder: Path, per_class: int = 20) -> Path:
    """Bright bars at the left, in the middle and at the right, on noise."""
    random = np.random.default_rng(0)
    for position, label in enumerate(("left", "middle", "right")):
        for number in range(per_class):
            pixels = random.integers(0, 120, (24, 24, 3)).astype(np.uint8)
            pixels[:, 8 * position : 8 * position + 8] += 100
            path = folder / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLASSEUR_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("data") / "barres d'été")


@pytest.fixture(scope="session")
def study(photos: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """majority, dense, and conv3, which does not fit 16×16 pixels and fails."""
    (photos / "left" / "broken.jpg").write_bytes(b"<html>not found</html>")
    folder = tmp_path_factory.mktemp("binders") / "un classeur"
    rungs = ("majority", "dense", "conv3")
    return run_study(photos, rungs, to=folder, **{**OPTIONS, "size": 16})
