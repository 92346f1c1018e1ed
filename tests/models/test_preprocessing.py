"""From pixels to the numbers that a network sees."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from classeur.data.geometry import Geometry
from classeur.errors import ModelError
from classeur.models.preprocessing import Preprocessing, measure, to_unit

RGB = Preprocessing(Geometry(4), (0.5, 0.25, 0.0), (0.5, 0.25, 1.0))


@pytest.fixture
def photos() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 5, 4, 3), np.uint8)


def test_round_trip_through_json() -> None:
    original = Preprocessing(
        Geometry(96, "grey", "crop", "bicubic", 0.875, ("whiten", "rotate=5")), (0.1234,), (0.5678,)
    )
    assert Preprocessing.from_dict(json.loads(json.dumps(original.to_dict()))) == original
    assert Preprocessing.from_dict(json.loads(json.dumps(RGB.to_dict()))) == RGB


def test_files_from_before_there_were_filters_still_load() -> None:
    values = RGB.to_dict()
    del values["filters"]
    assert Preprocessing.from_dict(values) == RGB


def test_normalised_values() -> None:
    pixels = torch.tensor([[[[0, 0, 0], [255, 255, 255]]]], dtype=torch.uint8)  # (1, 1, 2, 3)
    expected = torch.tensor([[[[-1.0, 1.0]], [[-1.0, 3.0]], [[0.0, 1.0]]]])  # (1, 3, 1, 2)
    normal = RGB.normalize(pixels)
    assert normal.dtype == torch.float32
    torch.testing.assert_close(normal, expected)
    torch.testing.assert_close(RGB.standardize(to_unit(pixels)), normal)


def test_a_batch_is_channels_last_in_memory(photos: np.ndarray) -> None:
    normal = RGB.normalize(torch.from_numpy(photos))
    assert normal.shape == (30, 3, 5, 4)
    assert normal.is_contiguous(memory_format=torch.channels_last)


def test_pixels_are_not_changed(photos: np.ndarray) -> None:
    before = photos.copy()
    RGB.normalize(torch.from_numpy(photos))
    np.testing.assert_array_equal(photos, before)


def test_measured_values_are_those_of_the_whole(photos: np.ndarray) -> None:
    mean, std = measure(photos, np.arange(30))
    unit = photos / 255
    np.testing.assert_allclose(mean, unit.mean(axis=(0, 1, 2)), atol=5e-5)
    np.testing.assert_allclose(std, unit.std(axis=(0, 1, 2)), atol=5e-5)
    normal = Preprocessing(Geometry(5), mean, std).normalize(torch.from_numpy(photos))
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(normal.std((0, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)


def test_only_the_given_rows_are_measured(photos: np.ndarray) -> None:
    changed = photos.copy()
    changed[20:] = 255
    assert measure(changed, np.arange(20)) == measure(photos, np.arange(20))


def test_many_photos_are_measured_by_an_even_sample(photos: np.ndarray) -> None:
    assert measure(photos, np.arange(30), at_most=10) == measure(photos, np.arange(0, 30, 3))


def test_grey_photos_have_one_mean() -> None:
    mean, std = measure(np.full((2, 3, 3, 1), 51, np.uint8), np.arange(2))
    assert (mean, std) == ((0.2,), (1.0,))  # blank: no spread to divide by


def test_figures_that_cannot_be_are_refused() -> None:
    with pytest.raises(ModelError, match=r"std must be above 0, received \(0\.0,\)\."):
        Preprocessing(Geometry(8, "grey"), (0.5,), (0.0,))
    with pytest.raises(
        ModelError, match="mean and std need a finite number for each of 3 channels"
    ):
        Preprocessing(Geometry(8), (0.5,), (0.2,))
