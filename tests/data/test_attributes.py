"""What else is known of a photo travels in the manifest, but for free text."""

from __future__ import annotations

import math

import pytest

from classeur.data.attributes import numbers, with_attributes
from classeur.data.facts import PhotoFacts
from classeur.data.manifest import Manifest, ManifestRow


def test_mode_few_values_and_numbers_are_kept() -> None:
    paths = [f"{i}.jpg" for i in range(25)]
    facts = [PhotoFacts(p, "a", "", "", "", 1, 1, "L", "PNG", p) for p in reversed(paths)]
    columns = {
        "day": {path: str(i % 3) for i, path in enumerate(paths)},
        "age": {path: str(i / 2) for i, path in enumerate(paths[1:])},
        "note": {path: f"of {i}" for i, path in enumerate(paths)},
        "elsewhere": {"other.jpg": "x"},
    }
    manifest = Manifest([ManifestRow(path, "a", "train", "", 1, 1, "") for path in paths])
    rows = with_attributes(manifest, facts, columns).rows
    assert rows[0].attributes == {"mode": "L", "day": "0", "age": "", "elsewhere": ""}
    assert rows[24].attributes == {"mode": "L", "day": "0", "age": "11.5", "elsewhere": ""}


@pytest.mark.parametrize("texts", [["1", "x"], ["", ""], [], ["1", "nan"], ["inf"]])
def test_what_is_no_number(texts: list[str]) -> None:
    assert numbers(texts) == []


def test_numbers_and_missing_ones() -> None:
    one, missing = numbers(["-1.5e3", ""])
    assert one == -1500
    assert math.isnan(missing)
