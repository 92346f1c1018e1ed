"""Codes that differ in few bits: the same as comparing every two."""

from __future__ import annotations

import numpy as np
import pytest

from classeur.data import neighbours as module
from classeur.data.neighbours import BITS, neighbours


def close_codes(count: int = 600, seed: int = 0) -> np.ndarray:
    """Random codes, and for each of a third another one 0 to 39 bits away."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 2**63, (count, 2), np.uint64)
    for i in range(count // 3):
        bits = np.zeros(BITS, np.uint8)
        bits[random.choice(BITS, random.integers(1, 40), replace=False)] = 1
        codes[count - 1 - i] = codes[i] ^ np.packbits(bits).view(np.uint64)
    return np.unique(codes, axis=0)


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("radius", [0, 3, 10, 24, 27, 31])
def test_the_pairs_are_those_of_comparing_every_two(monkeypatch, few, radius):
    monkeypatch.setattr(module, "FEW", few)
    monkeypatch.setattr(module, "AT_ONCE", 1000)
    codes = close_codes()
    distances = np.bitwise_count(codes[:, None] ^ codes[None]).sum(axis=2)
    expected = np.argwhere(np.triu(distances <= radius, 1))
    pairs, used = neighbours(codes, radius)
    np.testing.assert_array_equal(pairs, expected)
    assert used == radius
    assert radius < 10 or len(expected) > 20


@pytest.mark.parametrize("few", [0, 10_000])
def test_the_radius_shrinks_where_all_are_close(monkeypatch, few):
    monkeypatch.setattr(module, "FEW", few)
    monkeypatch.setattr(module, "PAIRS_EACH", 5)
    monkeypatch.setattr(module, "FEW_PAIRS", 0)
    codes = np.zeros((200, 2), np.uint64)
    codes[:, 0] = np.arange(200)  # 8 bits: all within a radius of 8
    pairs, radius = neighbours(codes, 24)
    assert 0 < len(pairs) <= 5 * 200
    distances = np.bitwise_count(codes[pairs[:, 0], 0] ^ codes[pairs[:, 1], 0])
    every = np.bitwise_count(codes[:, None, 0] ^ codes[None, :, 0])[np.triu_indices(200, 1)]
    assert radius == distances.max() < 8
    assert len(pairs) == (every <= radius).sum()  # all of the closest, none left out
    assert (every <= radius + 1).sum() > 5 * 200


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_codes(count):
    codes = np.arange(2 * count, dtype=np.uint64).reshape(-1, 2)
    assert len(neighbours(codes, 24)[0]) == count // 2
