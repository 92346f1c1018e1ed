"""Real photos, where they are: ../shared/data beside the checkout. Elsewhere these tests say so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from classeur.data.geometry import Geometry, suggest_geometry
from classeur.data.inspect import findings
from classeur.data.records import Listing
from classeur.data.scan import scan
from classeur.data.split import split
from classeur.data.store import build_store

SHARED = Path(__file__).parents[2] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"{SHARED} is not there: real photos are not tested"
)


def test_cats_and_dogs_keep_their_test_set(tmp_path):
    listing = scan(SHARED / "cats-dogs", limit_per_class=60)
    assert listing.layout == "split-folders"
    store = build_store(listing, Geometry(64), tmp_path / "store")
    manifest = split(store.facts(listing))
    assert not store.unreadable
    assert {name: sum(n.values()) for name, n in manifest.counts().items()} == {
        "train": 90, "val": 30, "test": 120,
    }  # fmt: skip
    given = {record.path for record in listing.records if record.split == "test"}
    assert {row.path for row in manifest.rows if row.split == "test"} == given
    assert 60 < np.asarray(store.photos).mean() < 190


def test_stanford_dogs_are_named_by_breed(tmp_path):
    listing = scan(SHARED / "stanford-dogs-14", top_classes=10, limit_per_class=15)
    assert "Pomeranian" in listing.labels()
    assert Counter(record.label for record in listing.records) == dict.fromkeys(
        listing.labels(), 15
    )
    geometry = suggest_geometry(listing)
    assert geometry == Geometry(150)
    store = build_store(listing, geometry, tmp_path / "store")
    found = findings(listing, store.facts(listing), store.unreadable)
    assert (found.widths.minimum, found.widths.maximum) == (224, 224)


def test_fashion_mnist_is_read_with_its_names(tmp_path):
    listing = scan(SHARED / "fashion-mnist", limit_per_class=30)
    assert listing.layout == "idx"
    assert listing.labels()[0] == "Ankle boot"
    geometry = suggest_geometry(listing)
    assert geometry == Geometry(28, "grey")
    store = build_store(listing, geometry, tmp_path / "store")
    trousers = [i for i, r in enumerate(listing.records) if r.label == "Trouser"]
    mean = np.asarray(store.photos)[trousers].mean(axis=(0, 3))
    assert mean[:, 10:18].mean() > 3 * mean[:, :6].mean(), "trousers stand upright in the middle"


def test_every_photo_of_the_folder_is_listed():
    listings: list[Listing] = [scan(SHARED / name) for name in ("cats-dogs", "stanford-dogs-14")]
    assert [len(listing.records) for listing in listings] == [5000, 2393]
    assert not any(listing.unreadable for listing in listings)
