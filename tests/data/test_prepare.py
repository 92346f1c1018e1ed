"""Photos -> a folder of arrays with names and a split, and what a manifest changes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from classeur.config import DataConfig, PreprocessingConfig
from classeur.data.geometry import Geometry
from classeur.data.manifest import Manifest, ManifestRow, read_manifest
from classeur.data.prepare import prepare, scan_as, split_as
from classeur.data.reader import PhotoReader, sha256
from classeur.data.store import cached_store
from classeur.errors import DataError, SplitError, StoreError


@pytest.fixture
def photos(class_folders):
    return class_folders({"dog": 10, "cat": 10})


def config(photos, **options):
    return DataConfig(photos=str(photos), **options)


class TestPrepare:
    def test_arrays_that_numpy_opens(self, photos, tmp_path):
        to = tmp_path / "arrays"
        prepare(config(photos), PreprocessingConfig(size=16), to)
        pixels, labels = np.load(to / "photos.npy"), np.load(to / "labels.npy")
        names = json.loads((to / "class_names.json").read_text())
        rows = read_manifest(to / "manifest.csv").rows
        assert pixels.shape == (20, 16, 16, 3)
        assert (labels.dtype, labels.shape) == (np.int64, (20,))
        assert names == ["cat", "dog"]
        assert [row.label for row in rows] == [names[index] for index in labels]
        assert [row.path for row in rows[:2]] == ["cat/0.png", "cat/1.png"]
        for row, photo in zip(rows, pixels, strict=True):
            content = (photos / row.path).read_bytes()
            assert row.sha256 == sha256(content)
            assert np.array_equal(photo, Geometry(16).open(content)[0])

    def test_what_is_in_the_folder(self, photos, tmp_path):
        prepare(config(photos), PreprocessingConfig(), tmp_path / "arrays")
        assert {file.name for file in (tmp_path / "arrays").iterdir()} == {
            "photos.npy", "labels.npy", "class_names.json", "manifest.csv", "facts.csv",
            "unreadable.csv", "near_duplicates.csv", "store.json",
        }  # fmt: skip

    def test_what_was_left_open_is_chosen(self, photos, class_folders, tmp_path):
        store = prepare(config(photos), PreprocessingConfig(), tmp_path / "arrays")
        assert store.geometry == Geometry(24)
        grey = class_folders({"a": 5, "b": 5}, tmp_path / "grey", mode="L")
        store = prepare(config(grey), PreprocessingConfig(resize="pad"), tmp_path / "other")
        assert store.geometry == Geometry(24, "grey", "pad")

    def test_the_split_is_seeded(self, photos, tmp_path):
        def splits(seed, name):
            prepare(config(photos, split_seed=seed), PreprocessingConfig(size=8), tmp_path / name)
            return (tmp_path / name / "manifest.csv").read_text()

        assert splits(1, "a") == splits(1, "b") != splits(2, "c")

    def test_unreadable_files_are_named_wherever_they_were_noticed(self, photos, tmp_path):
        (photos / "cat" / "gone.jpg").symlink_to("nowhere")
        (photos / "dog" / "0.png").write_bytes(b"no photo at all")
        store = prepare(config(photos), PreprocessingConfig(size=8), tmp_path / "arrays")
        assert [item.path for item in store.unreadable] == ["cat/gone.jpg", "dog/0.png"]
        assert len(np.load(store.path / "labels.npy")) == len(store.photos) == 19
        assert len(read_manifest(store.path / "manifest.csv").rows) == 19

    def test_what_the_cache_holds_is_not_decoded_again(self, photos, tmp_path, monkeypatch):
        (photos / "dog" / "0.png").write_bytes(b"no photo at all")
        options = PreprocessingConfig(size=8, color="rgb")
        new = prepare(config(photos), options, tmp_path / "new")
        kept = cached_store(scan_as(config(photos)), Geometry(8))
        monkeypatch.setattr(Geometry, "decode", None)
        copied = prepare(config(photos), options, tmp_path / "copied")
        assert {file.name: file.read_bytes() for file in copied.path.iterdir()} == {
            file.name: file.read_bytes() for file in new.path.iterdir()
        }
        assert not (copied.path / "photos.npy").samefile(kept.path / "photos.npy")

    def test_too_few_photos_leave_nothing(self, class_folders, tmp_path):
        photos = class_folders({"cat": 5, "dog": 1})
        with pytest.raises(SplitError):
            prepare(config(photos), PreprocessingConfig(size=8), tmp_path / "arrays")
        assert list(tmp_path.iterdir()) == [photos]

    def test_never_into_the_photos(self, photos):
        with pytest.raises(StoreError, match="is not empty and holds no prepared photos"):
            prepare(config(photos), PreprocessingConfig(size=8), photos)

    def test_class_names_that_are_no_utf8(self, class_folders, tmp_path):
        photos = class_folders({"caf\udce9": 5, "b": 5})
        store = prepare(config(photos), PreprocessingConfig(size=8), tmp_path / "arrays")
        names = json.loads((store.path / "class_names.json").read_text(encoding="utf-8"))
        assert names == ["b", r"caf\xe9"]
        assert read_manifest(store.path / "manifest.csv").class_names == names

    def test_options_of_the_scan(self, class_folders, tmp_path):
        photos = class_folders({"a": 9, "b": 8, "c": 3})
        options = {"classes": ("a", "b"), "limit_per_class": 5, "val": 0.2, "test": 0.4}
        store = prepare(config(photos, **options), PreprocessingConfig(size=8), tmp_path / "s")
        assert read_manifest(store.path / "manifest.csv").counts() == {
            "train": {"a": 2, "b": 2},
            "val": {"a": 1, "b": 1},
            "test": {"a": 2, "b": 2},
        }


class TestManifest:
    @pytest.fixture
    def manifest(self, photos, tmp_path):
        """A manifest of another run on the same photos: 12 of them, one under another label."""
        file = tmp_path / "old" / "manifest.csv"
        store = prepare(
            config(photos, limit_per_class=6, split_seed=5),
            PreprocessingConfig(size=8),
            file.parent,
        )
        assert store.is_whole
        rows = read_manifest(file).rows[::-1]
        first = rows[0]
        relabelled = ManifestRow(
            first.path, "wolf", first.split, first.sha256, first.width, first.height, "g"
        )
        Manifest([relabelled, *rows[1:]]).write(file)
        return file

    def test_it_is_reused_exactly(self, photos, manifest):
        data = config(
            photos, manifest=str(manifest), split_seed=99, top_classes=1, limit_per_class=1
        )
        listing = scan_as(data)
        store = cached_store(listing, Geometry(8))
        again = split_as(data, store.facts(listing))
        assert again == read_manifest(manifest)
        assert [record.path for record in listing.records] == [row.path for row in again.rows]
        assert listing.records[0].label == "wolf"

    def test_its_rows_stay_beside_their_pixels(self, photos, manifest, tmp_path):
        """A photo of the manifest that does not decode is in neither, and shifts no other."""
        broken = photos / "cat" / "broken.png"
        broken.write_bytes(b"no photo")
        old = read_manifest(manifest)
        row = ManifestRow("cat/broken.png", "cat", "train", sha256(b"no photo"), 1, 1, "")
        Manifest([*old.rows[:3], row, *old.rows[3:]]).write(manifest)
        store = prepare(
            config(photos, manifest=str(manifest)), PreprocessingConfig(size=8), tmp_path / "new"
        )
        assert read_manifest(store.path / "manifest.csv") == old
        assert store.paths() == [row.path for row in old.rows]
        assert [item.path for item in store.unreadable] == ["cat/broken.png"]
        names = json.loads((store.path / "class_names.json").read_text())
        labels = [names[index] for index in np.load(store.path / "labels.npy")]
        assert labels == [row.label for row in old.rows]

    def test_the_photos_of_a_run_are_decoded_once(self, photos, tmp_path, monkeypatch):
        """Also if there are files that cannot be read, which its manifest does not name."""
        (photos / "dog" / "3.png").write_bytes(b"no photo")
        data, file = config(photos), tmp_path / "manifest.csv"
        listing = scan_as(data)
        store = cached_store(listing, Geometry(8))
        split_as(data, store.facts(listing)).write(file)
        monkeypatch.setattr(Geometry, "decode", None)
        again = cached_store(scan_as(config(photos, manifest=str(file))), Geometry(8))
        assert np.array_equal(again.photos, store.photos)

    def test_no_photo_outside_it_is_read(self, photos, manifest, monkeypatch):
        read, whole = [], PhotoReader.read
        monkeypatch.setattr(PhotoReader, "read", lambda *a: read.append(a[1]) or whole(*a))
        listing = scan_as(config(photos, manifest=str(manifest)))
        assert sorted(read) == sorted(row.path for row in read_manifest(manifest).rows)
        assert listing.passed_over == {}

    def test_its_photos_must_be_there(self, photos, manifest):
        gone = read_manifest(manifest).rows[4].path
        (photos / gone).unlink()
        with pytest.raises(DataError, match=rf"1 of the 12 photos in .* are not there: {gone}\."):
            scan_as(config(photos, manifest=str(manifest)))

    def test_without_one_the_photos_are_split(self, photos):
        data = config(photos)
        listing = scan_as(data)
        facts = cached_store(listing, Geometry(8)).facts(listing)
        assert split_as(data, facts).counts()["test"] == {"cat": 2, "dog": 2}
