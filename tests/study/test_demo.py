from __future__ import annotations

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from classeur.data.scan import scan
from classeur.study.demo import write_digits


def test_the_digits_become_class_folders(tmp_path):
    folder = write_digits(tmp_path / "digits")
    listing = scan(folder)
    assert listing.layout == "class-folders"
    assert listing.labels() == [str(digit) for digit in range(10)]
    assert len(listing.records) == 1797
    digits = load_digits()
    pixels = np.asarray(Image.open(folder / str(digits.target[7]) / "0007.png"))
    assert np.array_equal(pixels, (digits.images[7] * 255 / 16).astype(np.uint8))


def test_they_are_written_once(tmp_path):
    folder = write_digits(tmp_path / "digits")
    mark = next(folder.rglob("*.png"))
    before = mark.stat().st_mtime_ns
    write_digits(folder)
    assert mark.stat().st_mtime_ns == before
