"""What an export is proved on: photos of the run, and valid ones of the kinds that go wrong."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from classeur.data.manifest import ManifestRow, read_manifest
from classeur.data.reader import Content, PhotoReader, sha256
from classeur.errors import ClasseurError, UnreadablePhotoError
from classeur.run_folder import RunFolder


@dataclass(frozen=True)
class Sample:
    """One photo of a proof."""

    name: str
    content: bytes | Content
    label: str = ""
    """Its class; empty for photos that were made up."""


def validation_photos(run: RunFolder, at_most: int) -> Iterator[Sample]:
    """Yield photos of the run's validation split, evenly spread over it.

    Those that are gone or have changed since are passed over.
    """
    found = _rows(run)
    if found is None:
        return
    root, rows = found
    reader = PhotoReader(root)
    step = max(1, len(rows) // max(1, at_most))
    for row in rows[::step][:at_most]:
        try:
            content = reader.read(row.path)
        except UnreadablePhotoError:
            continue
        if sha256(content) == row.sha256:
            yield Sample(row.path, content, row.label)


def _rows(run: RunFolder) -> tuple[Path, list[ManifestRow]] | None:
    """Return where the run's photos were, and those of its validation split."""
    try:
        asked = tomllib.loads(run.config.read_text(encoding="utf-8"))
        root = Path(asked["data"]["photos"])
        rows = read_manifest(run.manifest).rows
    except (OSError, ValueError, KeyError, TypeError, ClasseurError):
        return None
    return (root if root.is_dir() else root.parent), [row for row in rows if row.split == "val"]


def made_photos() -> Iterator[Sample]:
    """Yield a photo of every kind that some program or other gets wrong, the same on each call."""
    for name, make in _MADE.items():
        yield Sample(f"made: {name}", make())


def _scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Draw soft shapes with a little noise on them."""
    rng = np.random.default_rng(seed)
    shapes = Image.fromarray(rng.integers(0, 256, (5, 7, 3), np.uint8))
    pixels = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    noise = rng.integers(-12, 13, (height, width, 1), np.int16)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _file(image: Image.Image, file_format: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, file_format, **options)
    return target.getvalue()


def _turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _file(_scene(120, 80, orientation), "JPEG", exif=exif, quality=92)


def _deep() -> bytes:
    levels = np.asarray(_scene(90, 60).convert("L"), np.uint16) * 257
    return _file(Image.fromarray(levels), "PNG")


def _palette() -> bytes:
    return _file(_scene(64, 48).quantize(32), "PNG", transparency=3)


def _translucent() -> bytes:
    image = _scene(80, 60)
    image.putalpha(_scene(80, 60, 1).convert("L"))
    return _file(image, "PNG")


def _profiled() -> bytes:
    """Draw a photo whose profile exchanges red and green: who obeys it sees other levels."""
    from PIL import ImageCms

    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = plain.replace(b"rXYZ", b"####").replace(b"gXYZ", b"rXYZ").replace(b"####", b"gXYZ")
    return _file(_scene(100, 80, 9), "JPEG", quality=92, icc_profile=other)


_MADE: dict[str, Callable[[], bytes]] = {
    "EXIF orientation 3": lambda: _turned(3),
    "EXIF orientation 5": lambda: _turned(5),
    "EXIF orientation 6": lambda: _turned(6),
    "EXIF orientation 8": lambda: _turned(8),
    "CMYK JPEG": lambda: _file(_scene(100, 70, 2).convert("CMYK"), "JPEG", quality=92),
    "JPEG with a colour profile": _profiled,
    "16-bit PNG": _deep,
    "palette with transparency": _palette,
    "translucent PNG": _translucent,
    "grey JPEG": lambda: _file(_scene(75, 50, 3).convert("L"), "JPEG", quality=92),
    "1×1": lambda: _file(_scene(1, 1), "PNG"),
    "2×1": lambda: _file(_scene(2, 1), "PNG"),
    "3×5000": lambda: _file(_scene(3, 5000, 4), "PNG"),
    "5000×3": lambda: _file(_scene(5000, 3, 5), "PNG"),
    "500×1500": lambda: _file(_scene(500, 1500, 6), "PNG"),
    "1600×1200 JPEG": lambda: _file(_scene(1600, 1200, 7), "JPEG", quality=90),
    "6000×4000 JPEG": lambda: _file(_scene(6000, 4000, 8), "JPEG", quality=85),
}
