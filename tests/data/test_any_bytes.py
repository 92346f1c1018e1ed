"""Any bytes give a photo or a finding; any place gives a listing or a finding. Nothing else.

The same examples every time. `benchmarks/fuzz.py` tries as many as there is time for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import hostile

from classeur.config import LAYOUTS
from classeur.data import decode as room

modest = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", autouse=True)
def small():
    """Lower the limit, so that a header that asks for 149 megapixels does not get them here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "MAX_PIXELS", 1_000_000)
        yield


@settings(modest, max_examples=400)
@given(hostile.photos())
def test_any_bytes_are_a_photo_or_a_finding(data):
    hostile.check_photo(data)


@settings(modest, max_examples=60)
@given(hostile.trees(), st.sampled_from(LAYOUTS))
def test_any_folder_is_a_listing_or_a_finding(tree, layout):
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "photos"
        root.mkdir()
        hostile.plant(root, tree)
        hostile.check_place(root, Path(scratch), layout)


@settings(modest, max_examples=150)
@given(hostile.tables())
def test_any_table_is_a_listing_or_a_finding(table):
    with tempfile.TemporaryDirectory() as scratch:
        name, data = table
        (Path(scratch) / name).write_bytes(data)
        (Path(scratch) / "a.png").write_bytes(hostile.seeds()[5])
        hostile.check_place(Path(scratch) / name, Path(scratch))


@settings(modest, max_examples=200)
@given(hostile.arrays())
def test_any_arrays_are_a_listing_or_a_finding(files):
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "arrays"
        root.mkdir()
        for name, data in files.items():
            (root / name).write_bytes(data)
        hostile.check_place(root, Path(scratch))
