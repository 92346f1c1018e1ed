"""RandAugment: the operations are Pillow's, and each photo draws its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from skimage import data as pictures

from classeur.config import AugmentationConfig
from classeur.data import randaugment as room
from classeur.data.augment import augment
from classeur.data.randaugment import OPERATIONS, randaugment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(pictures.astronaut()[20:180, 150:290]).resize((70, 80))


def tensor(image: Image.Image) -> torch.Tensor:
    array = np.atleast_3d(np.asarray(image))
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None] / 255


PILLOW = [
    ("_identity", 0.3, lambda image: image, 0),
    ("_autocontrast", 0.3, ImageOps.autocontrast, 1),
    ("_equalize", 0.3, ImageOps.equalize, 0),
    ("_solarize", 0.5, lambda image: ImageOps.solarize(image, 128), 0),
    ("_solarize", -0.75, lambda image: ImageOps.solarize(image, 64), 0),
    ("_posterize", 0.5, lambda image: ImageOps.posterize(image, 6), 0),
    ("_posterize", -1.0, lambda image: ImageOps.posterize(image, 4), 0),
    ("_contrast", 0.5, lambda image: ImageEnhance.Contrast(image).enhance(1.45), 1),
    ("_contrast", -1.0, lambda image: ImageEnhance.Contrast(image).enhance(0.1), 1),
    ("_brightness", 0.5, lambda image: ImageEnhance.Brightness(image).enhance(1.45), 1),
    ("_sharpness", 1.0, lambda image: ImageEnhance.Sharpness(image).enhance(1.9), 2),
    ("_sharpness", -1.0, lambda image: ImageEnhance.Sharpness(image).enhance(0.1), 2),
]
COLOR = ("_color", -0.5, lambda image: ImageEnhance.Color(image).enhance(0.55), 2)


@pytest.mark.parametrize(
    ("mode", "name", "strength", "expected", "levels"),
    [(mode, *row) for mode in ("RGB", "L") for row in PILLOW] + [("RGB", *COLOR)],
)
def test_an_operation_is_pillows(picture, mode, name, strength, expected, levels):
    image = picture.convert(mode)
    operation = getattr(room, name)
    changed = operation(tensor(image), torch.tensor([strength])).clamp(0, 1)
    wanted = tensor(expected(image))
    assert (255 * (changed - wanted)).abs().max() <= levels + 0.01


@pytest.mark.parametrize("name", ["_autocontrast", "_equalize"])
def test_a_single_shade_stays(name):
    flat = torch.full((2, 3, 8, 8), 102 / 255)
    assert torch.allclose(getattr(room, name)(flat, torch.ones(2)), flat)


def places(height: int, width: int) -> torch.Tensor:
    """(1, 3, H, W): a photo whose pixels say where they lie, in pixels from its centre."""
    rows, columns = torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])[None]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_rotate", lambda x, y: (0.866 * x - 0.5 * y, 0.5 * x + 0.866 * y)),
        ("_shear_x", lambda x, y: (x + 0.3 * y, y)),
        ("_shear_y", lambda x, y: (x, y + 0.3 * x)),
        ("_translate_x", lambda x, y: (x + 0.45 * 60, y)),
        ("_translate_y", lambda x, y: (x, y + 0.45 * 40)),
    ],
)
def test_where_each_pixel_comes_from(name, expected):
    where = places(40, 60)
    x, y = expected(where[0, 0], where[0, 1])
    came_from = getattr(room, name)(where, torch.ones(1))[0]
    inside = (x.abs() < 29) & (y.abs() < 19)
    assert inside.sum() > 100
    assert torch.allclose(came_from[0][inside], x[inside], atol=0.02)
    assert torch.allclose(came_from[1][inside], y[inside], atol=0.02)


@pytest.mark.parametrize("shape", [(40, 3, 20, 32), (40, 1, 9, 9), (5, 3, 2, 2), (1, 1, 28, 28)])
@pytest.mark.parametrize("magnitude", [0, 4, 10])
def test_shape_and_range(shape, magnitude):
    photos = torch.rand(shape, generator=generator(1))
    before = photos.clone()
    changed = randaugment(photos, 3, magnitude, generator())
    assert (changed.shape, changed.dtype) == (shape, torch.float32)
    assert changed.isfinite().all()
    assert 0 <= changed.min() <= changed.max() <= 1
    assert torch.equal(photos, before)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photo_is_changed_the_same_in_whatever_company(channels):
    """Each operation treats the photos of a batch apart."""
    photos = torch.rand(6, channels, 12, 16, generator=generator(1))
    strengths = torch.linspace(-1, 1, 6)
    for operation in OPERATIONS:
        if channels == 1 and operation is room._color:
            continue
        together = operation(photos, strengths)
        for row in range(6):
            alone = operation(photos[row : row + 1], strengths[row : row + 1])
            assert torch.allclose(together[row], alone[0], atol=1e-5), operation.__name__


def drawn(monkeypatch: pytest.MonkeyPatch, channels: int, operations: int) -> list[str]:
    """Return the operations drawn for 1400 photos, in the order they were applied."""
    names: list[str] = []

    def noting(name: str) -> room.Operation:
        def operation(photos: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
            names.extend(f"{name}{'+' if strength > 0 else '-'}" for strength in strengths)
            return photos

        return operation

    stand_ins = {operation.__name__: noting(operation.__name__) for operation in OPERATIONS}
    monkeypatch.setattr(room, "OPERATIONS", tuple(stand_ins.values()))
    monkeypatch.setattr(room, "_color", stand_ins["_color"])
    randaugment(torch.rand(1400, channels, 2, 2), operations, 5, generator())
    return names


def test_every_operation_is_drawn_equally_often_both_ways(monkeypatch):
    names = drawn(monkeypatch, 3, 2)
    assert len(names) == 2800
    counts = {name: names.count(name) for name in names}
    assert len(counts) == 28
    assert min(counts.values()) > 65
    assert max(counts.values()) < 135


def test_colour_is_not_drawn_for_grey_photos(monkeypatch):
    names = drawn(monkeypatch, 1, 1)
    assert len(names) == 1400
    assert len({name[:-1] for name in names}) == 13
    assert not any(name.startswith("_color") for name in names)


def test_a_seed_draws_the_same_for_augment(picture):
    photos = tensor(picture).expand(16, -1, -1, -1)
    config = AugmentationConfig(randaugment=2, magnitude=7)
    first, again, other = (augment(photos, config, generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({photo.numpy().tobytes() for photo in first}) > 12


def test_a_larger_magnitude_changes_more(picture):
    photos = tensor(picture).expand(64, -1, -1, -1)
    weak, strong = (
        (randaugment(photos, 1, magnitude, generator()) - photos).abs().mean()
        for magnitude in (2, 8)
    )
    assert strong > 1.5 * weak
