"""A study on real images that come with scikit-learn: handwritten digits, 8×8 pixels, grey."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from classeur.study.study import Study, run_study

RUNGS = ("majority", "dense", "conv1", "conv3")


def demo(to: Path | str = "classeur-demo") -> Study:
    """Write the digits out as PNG class folders and run a study on them.

    The digits are from the UCI repository (Alpaydin and Kaynak, 1998); 1,797 of them.

    Args:
        to: folder to make; the photos go to `digits` in it, the study to `binder`.
    """
    photos = write_digits(Path(to) / "digits")
    # At their own 8×8 pixels three convolutions do not fit; four times that suits all rungs.
    return run_study(photos, RUNGS, to=Path(to) / "binder", size=32, epochs=15, patience=4)


def write_digits(folder: Path) -> Path:
    """Write scikit-learn's digits as `<folder>/<digit>/<number>.png`, 0 to 255, once."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(digit) / f"{number:04}.png"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels * 255 / 16).astype("uint8")).save(path)
    return folder
