"""Labels that can be told without looking: from size, mode, format or mean colour."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from classeur.data.inspect import inspect_listing
from classeur.data.scan import scan
from classeur.data.trivial import Trivial, judge


def make(root: Path, kinds: dict[str, Callable[[int], Image.Image]], number: int = 60) -> Trivial:
    """Fill a folder a class with photos drawn by number, and judge them."""
    for label, kind in kinds.items():
        (root / label).mkdir(parents=True)
        for n in range(number):
            image = kind(n)
            image.save(root / label / f"{n}.{image.info.get('as', 'png')}")
    found = inspect_listing(scan(root)).trivial
    assert found is not None
    return found


def noise(n: int, side: int = 16, mode: str = "RGB", tint: int = 0) -> Image.Image:
    """Noise of a brightness that differs from photo to photo."""
    draw = np.random.default_rng(n)
    pixels = draw.integers(0, 80, (side, side, 3)) + draw.integers(0, 100)
    pixels[..., 0] += tint
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def test_classes_of_different_sizes(tmp_path):
    found = make(tmp_path, {"a": lambda n: noise(n, 64), "b": lambda n: noise(100 + n, 80)})
    assert found.tells
    assert (found.photos, found.accuracy, found.majority) == (120, 1.0, 0.5)
    assert found.alone["image size"] == 1.0
    assert found.feature in ("image size", "file size")
    assert found.sentence() == (
        "The labels can be told without looking: image size, mode and format, file size, mean "
        "colour and border colour alone get 100.0 % of 120 unseen photos right (95 % "
        "interval 97.0–100.0 %), always answering the most frequent class 50.0 %. Most telling by "
        f"itself is {found.feature}: a network may learn that instead of what the photos show."
    )


def test_it_is_among_the_findings(tmp_path):
    make(tmp_path / "photos", {"a": lambda n: noise(n, 20), "b": lambda n: noise(100 + n, 30)})
    found = inspect_listing(scan(tmp_path / "photos"))
    assert found.trivial
    assert found.trivial.sentence() in found.sentences()
    assert found.to_dict()["trivial"]["majority"] == 0.5


def test_classes_of_different_modes(tmp_path):
    found = make(tmp_path, {"a": noise, "b": lambda n: noise(100 + n, mode="L")})
    assert found.tells
    assert found.alone["mode and format"] == 1.0


def test_classes_of_different_formats(tmp_path):
    def bmp(n: int) -> Image.Image:
        image = noise(100 + n)
        image.info["as"] = "bmp"
        return image

    found = make(tmp_path, {"a": noise, "b": bmp})
    assert found.alone["mode and format"] == 1.0


def test_classes_of_different_colours(tmp_path):
    found = make(tmp_path, {"a": noise, "b": lambda n: noise(100 + n, tint=75)})
    assert found.tells
    assert found.feature in ("mean colour", "border colour")
    assert found.alone["image size"] == 0.5


def test_labels_at_random_are_not_told(tmp_path):
    found = make(tmp_path, {"a": noise, "b": lambda n: noise(100 + n)})
    assert not found.tells
    assert found.p_value > 0.01


def test_digits_are_not_told(tmp_path):
    digits = load_digits()
    for n, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        Image.fromarray((image * 15).astype(np.uint8)).save(tmp_path / str(label) / f"{n}.png")
    listing = scan(tmp_path)
    found = inspect_listing(listing)
    assert found.trivial
    assert found.trivial.photos == 1797
    assert not found.trivial.tells
    assert found.trivial.accuracy < 0.4
    assert not any("without looking" in text for text in found.sentences())


def test_copies_do_not_help(tmp_path):
    """Each photo is there six times, under a label drawn at random: learned by heart it is told."""
    draw = random.Random(0)
    for n in range(40):
        label = draw.choice("ab")
        (tmp_path / label).mkdir(exist_ok=True)
        for copy in range(6):
            noise(n).save(tmp_path / label / f"{n}-{copy}.png")
    found = inspect_listing(scan(tmp_path)).trivial
    assert found
    assert not found.tells


def test_photos_of_one_group_count_once():
    """Four cameras, each with a size and a label of its own, are four witnesses and not 200."""
    size = np.repeat([1.0, 2.0, 1.0, 2.0], 50)[:, None]
    labels = np.repeat(np.array(["a", "b", "a", "b"], object), 50)
    folds = [(np.arange(100), np.arange(100, 200))]
    alone = {"image size": 1.0}
    cameras = judge(size, labels, folds, alone, [f"{i // 50}" for i in range(200)])
    photos = judge(size, labels, folds, alone, [""] * 200)
    assert cameras.accuracy == photos.accuracy == 1
    assert (cameras.low, photos.low) == pytest.approx((0.025 ** (1 / 2), 0.025 ** (1 / 100)))
    assert (cameras.p_value, photos.p_value) == (0.5, 0.5**50)
    assert not cameras.tells
    assert photos.tells


@pytest.mark.parametrize(("number", "is_said"), [(24, False), (25, True)])
def test_too_few_photos(tmp_path, number, is_said):
    for label in "ab":
        (tmp_path / label).mkdir()
        for n in range(number):
            noise(n + 100 * (label == "b")).save(tmp_path / label / f"{n}.png")
    assert (inspect_listing(scan(tmp_path)).trivial is not None) is is_said


def test_one_class(class_folders):
    assert inspect_listing(scan(class_folders({"a": 60}))).trivial is None
