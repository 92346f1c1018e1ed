"""Prepare photos with a plain Pillow loop."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def main(photos: str) -> None:
    started = time.perf_counter()
    load(Path(photos))
    seconds = time.perf_counter() - started
    print(json.dumps({"with": f"Pillow {version('pillow')}", "seconds": [seconds]}))


def load(folder: Path) -> NDArray[np.uint8]:
    """Return all photos, (N, 150, 150, 3)."""
    files = sorted(folder.glob("*/*"))
    pixels = np.empty((len(files), 150, 150, 3), np.uint8)
    for row, file in enumerate(files):
        image = Image.open(file).convert("RGB").resize((150, 150), Image.Resampling.BILINEAR)
        pixels[row] = np.asarray(image)
    return pixels


if __name__ == "__main__":
    main(sys.argv[1])
