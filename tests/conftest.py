"""What the tests of all rooms share: photos drawn on the spot, and a cache of their own."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# Tests share the processors already; torch's own threads on top of that would only wait for
# each other. Read by torch when it is loaded, and by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Draw = Callable[..., Image.Image]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty cache: none reads or fills the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CLASSEUR_CACHE", str(folder))
    return folder


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """What Classeur logs during the test, whatever earlier tests did with its logger."""
    logger, collector = logging.getLogger("classeur"), _Collector()
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    yield collector.messages
    logger.removeHandler(collector)
    logger.setLevel(level)


def _draw(seed: int = 0, size: tuple[int, int] = (32, 24), mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BILINEAR).convert(mode)


def _encode(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def draw() -> Draw:
    """`draw(seed, size, mode)`: a soft coloured picture, another one for each seed."""
    return _draw


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """`encode(image, "JPEG", quality=90)`: the bytes of a file."""
    return _encode


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """`tree("cats/1.jpg", …)`: empty files in a folder `photos`, for what only lists names."""

    def make(*paths: str, root: Path | None = None) -> Path:
        root = root or tmp_path / "photos"
        for path in paths:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return root

    return make


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """`class_folders({"cat": 5, "dog": 3})`: a folder of that many different photos a class.

    The classes differ in hue, so that a network can tell them apart.

    Args of the function:
        counts: label -> photos.
        to: the folder to fill. Default: `photos` in the test's own folder.
        suffix: `.png`, `.jpg`, … picks the format.
        size: (width, height) in pixels.
        mode: Pillow's mode.
        splits: folders above the class folders, for example ("train", "test").
    """

    def make(
        counts: Mapping[str, int],
        to: Path | None = None,
        *,
        suffix: str = ".png",
        size: tuple[int, int] = (32, 24),
        mode: str = "RGB",
        splits: Sequence[str] = ("",),
    ) -> Path:
        root = to or tmp_path / "photos"
        seed = 0
        for split in splits:
            for index, (label, number) in enumerate(counts.items()):
                folder = root / split / label
                folder.mkdir(parents=True, exist_ok=True)
                hue = Image.new("HSV", size, (index * 256 // len(counts), 255, 200)).convert("RGB")
                for photo in range(number):
                    seed += 1
                    picture = Image.blend(hue, _draw(seed, size), 0.3).convert(mode)
                    picture.save(folder / f"{photo}{suffix}")
        return root

    return make
