"""Photographs from scikit-image, and near-duplicates of them."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from skimage import data

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "camera", "coins", "page", "clock")


def picture(name: str) -> Image.Image:
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def resized(image: Image.Image, scale: float = 0.5) -> Image.Image:
    return image.resize((round(image.width * scale), round(image.height * scale)))


def recompressed(image: Image.Image, quality: int = 40) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def cropped(image: Image.Image, part: float = 0.03) -> Image.Image:
    x, y = round(part * image.width), round(part * image.height)
    return image.crop((x, y, image.width - x, image.height - y))


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
