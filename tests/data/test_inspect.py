"""Findings: balance, sizes, unreadable files, copies, contradictions and leaks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image

from classeur.data.geometry import Geometry
from classeur.data.inspect import SAMPLES, Duplicates, GroupLeak, Spread, findings, inspect_listing
from classeur.data.records import Unreadable
from classeur.data.scan import scan
from classeur.data.store import cached_store
from classeur.errors import DataError


class TestNumbers:
    def test_counts(self, class_folders):
        found = inspect_listing(scan(class_folders({"dog": 6, "cat": 3, "ant": 4})))
        assert found.layout == "class-folders"
        assert found.total == 13
        assert found.counts == {"": {"ant": 4, "cat": 3, "dog": 6}}
        assert found.class_names == ["ant", "cat", "dog"]
        assert found.per_class == {"ant": 4, "cat": 3, "dog": 6}
        assert found.imbalance == 2
        assert found.unreadable == []
        assert found.duplicates == []
        assert [text for text in found.sentences() if "look odd" not in text] == []

    def test_counts_of_splits(self, class_folders):
        root = class_folders({"a": 2, "b": 1}, splits=("train", "val"))
        found = inspect_listing(scan(root))
        assert found.counts == {"train": {"a": 2, "b": 1}, "val": {"a": 2, "b": 1}}
        assert found.per_class == {"a": 4, "b": 2}

    def test_sizes(self, class_folders):
        root = class_folders({"a": 3}, size=(40, 30))
        class_folders({"b": 1}, root, size=(100, 20))
        found = inspect_listing(scan(root))
        assert (found.widths.minimum, found.widths.median, found.widths.maximum) == (40, 40, 100)
        assert (found.heights.minimum, found.heights.median, found.heights.maximum) == (20, 30, 30)
        assert found.widths.mean == 55

    @pytest.mark.parametrize(
        ("side", "is_said"), [(35, False), (36, True), (16, True), (17, False)]
    )
    def test_splits_with_photos_of_other_sizes(self, class_folders, side, is_said):
        root = class_folders({"a": 3, "b": 3}, splits=("train",))
        class_folders({"a": 3, "b": 3}, root, size=(2 * side, side), splits=("test",))
        found = inspect_listing(scan(root))
        assert found.sides == {"test": side, "train": 24}
        sentence = (
            "The splits hold photos of different sizes (median of the shorter side: "
            f"{side} pixels in test, 24 pixels in train): a network may see detail in one that "
            "another never showed it."
        )
        assert found.sentences() == ([sentence] if is_said else [])

    def test_sizes_are_those_of_the_upright_photo(self, tmp_path, draw):
        exif = Image.Exif()
        exif[0x0112] = 6
        for label in "ab":
            (tmp_path / label).mkdir()
            draw(ord(label), (40, 20)).save(tmp_path / label / "1.jpg", exif=exif)
        found = inspect_listing(scan(tmp_path))
        assert (found.widths.maximum, found.heights.maximum) == (20, 40)

    def test_spread(self):
        spread = Spread.of(range(101))
        assert spread == Spread(0, 5.0, 50.0, 95.0, 100, 50.0)
        assert Spread.of([7]) == Spread(7, 7.0, 7.0, 7.0, 7, 7.0)

    def test_modes_and_formats(self, class_folders):
        root = class_folders({"a": 3})
        class_folders({"b": 2}, root, suffix=".jpg", mode="L")
        class_folders({"c": 1}, root, suffix=".bmp")
        found = inspect_listing(scan(root))
        assert found.modes == {"RGB": 4, "L": 2}
        assert found.formats == {"PNG": 3, "JPEG": 2, "BMP": 1}

    def test_what_was_passed_over(self, class_folders):
        root = class_folders({"a": 2, "b": 2})
        for name in ("x.txt", "y.txt", ".DS_Store"):
            (root / "a" / name).touch()
        found = inspect_listing(scan(root))
        assert found.passed_over == {"non-photos (.txt)": 2, "hidden or system files": 1}


class TestUnreadable:
    def test_photos_of_phones_are_named(self, class_folders):
        root = class_folders({"a": 3, "b": 3})
        (root / "a" / "IMG 1.HEIC").write_bytes(b"anything")
        assert inspect_listing(scan(root)).unreadable == [
            Unreadable("a/IMG 1.HEIC", "is HEIC, which is not read here; convert it to JPEG")
        ]

    def test_each_with_its_reason(self, class_folders):
        root = class_folders({"a": 3, "b": 3})
        (root / "a" / "0.png").write_bytes(b"<html>404</html>")
        (root / "b" / "1.png").write_bytes(b"")
        (root / "b" / "gone.jpg").symlink_to("nowhere.jpg")
        found = inspect_listing(scan(root))
        assert found.unreadable == [
            Unreadable("b/gone.jpg", "cannot be read: No such file or directory"),
            Unreadable("a/0.png", "is an HTML page, not a photo"),
            Unreadable("b/1.png", "is empty (0 bytes)"),
        ]
        assert found.total == 4
        assert found.per_class == {"a": 2, "b": 2}

    def test_all_of_them(self, tree):
        root = tree("a/1.jpg", "b/1.jpg")
        with pytest.raises(DataError) as caught:
            inspect_listing(scan(root))
        assert caught.type is DataError  # an UnreadablePhotoError is about one photo
        assert str(caught.value) == (
            f"none of the photos at {root} can be read. The first: a/1.jpg is empty (0 bytes)."
        )

    def test_none_there(self, tree):
        listing = scan(tree("a/1.jpg", "b/1.jpg"))
        with pytest.raises(DataError) as caught:
            findings(listing, [], [])
        assert str(caught.value) == f"none of the photos at {listing.root} can be read."


class TestDuplicates:
    @pytest.fixture
    def root(self, class_folders):
        return class_folders({"a": 4, "b": 4}, splits=("train", "test"))

    def copy(self, root, path, to):
        with Image.open(root / path) as image:
            image.save(root / to)

    def test_a_copy_in_another_format(self, root):
        self.copy(root, "train/a/0.png", "train/a/copy.bmp")
        self.copy(root, "train/a/0.png", "train/a/copy.tiff")
        found = inspect_listing(scan(root))
        assert found.duplicates == [
            Duplicates(["train/a/0.png", "train/a/copy.bmp", "train/a/copy.tiff"], ["a"], ["train"])
        ]
        assert found.contradictions == found.leaks == []
        assert found.sentences() == ["2 photos are exact copies of another."]

    def test_a_contradiction(self, root):
        self.copy(root, "train/a/0.png", "train/b/copy.bmp")
        found = inspect_listing(scan(root))
        (item,) = found.contradictions
        assert (item.labels, item.splits) == (["a", "b"], ["train"])
        assert found.leaks == []

    def test_a_leak(self, root):
        self.copy(root, "train/a/0.png", "test/a/copy.bmp")
        found = inspect_listing(scan(root))
        (item,) = found.leaks
        assert item == Duplicates(["test/a/copy.bmp", "train/a/0.png"], ["a"], ["test", "train"])
        assert found.contradictions == []

    def test_a_copy_without_a_split_is_no_leak(self, class_folders):
        """It follows its copy when the photos are split."""
        root = class_folders({"a": 2, "b": 2})
        (root / "a" / "2.png").write_bytes((root / "a" / "0.png").read_bytes())
        table = root / "photos.csv"
        table.write_text("path,label,split\na/0.png,a,test\na/2.png,a,\nb/0.png,b,train\n")
        found = inspect_listing(scan(table))
        assert [item.splits for item in found.duplicates] == [["", "test"]]
        assert found.leaks == []

    def test_a_group_in_several_splits(self, class_folders):
        root = class_folders({"a": 4, "b": 4})
        rows = ["path,label,split,group"]
        for n, (split, group) in enumerate(
            [("train", "ann"), ("train", "ann"), ("test", "ann"), ("", "bob")]
        ):
            rows += [f"a/{n}.png,a,{split},{group}", f"b/{n}.png,b,test,bob"]
        (root / "photos.csv").write_text("\n".join(rows))
        found = inspect_listing(scan(root / "photos.csv"))
        assert found.group_leaks == [GroupLeak("ann", {"test": 1, "train": 2})]
        assert found.to_dict()["group_leaks"] == [
            {"group": "ann", "splits": {"test": 1, "train": 2}}
        ]
        assert found.sentences() == [
            "1 group lies in more than one split: scores on such photos may be too good."
        ]

    def test_a_jpeg_and_its_decoded_pixels(self, root, draw):
        draw(1, (300, 200)).save(root / "train/a/large.jpg")
        self.copy(root, "train/a/large.jpg", "test/b/large.png")
        listing = scan(root)
        in_full = inspect_listing(listing)
        assert [item.paths for item in in_full.duplicates] == [
            ["test/b/large.png", "train/a/large.jpg"]
        ]
        store = cached_store(listing, Geometry(16))
        from_store = findings(listing, store.facts(listing), store.unreadable)
        # measured on a picture decoded at another scale: the same photos, in another order
        odd, same = (
            {item.kind: set(item.paths) for item in found.odd} for found in (from_store, in_full)
        )
        assert odd == same
        assert replace(from_store, odd=[]) == replace(in_full, odd=[])

    def test_a_turned_copy(self, tmp_path, draw):
        """Turned by EXIF or by its pixels: upright it is the same picture."""
        (tmp_path / "a").mkdir()
        draw(1, (30, 20)).save(tmp_path / "a" / "1.png")
        exif = Image.Exif()
        exif[0x0112] = 3
        turned = draw(1, (30, 20)).transpose(Image.Transpose.ROTATE_180)
        turned.save(tmp_path / "a" / "2.png", exif=exif)
        found = inspect_listing(scan(tmp_path))
        assert [item.paths for item in found.duplicates] == [["a/1.png", "a/2.png"]]

    def test_nearly_the_same_is_not_the_same(self, tmp_path, draw):
        (tmp_path / "a").mkdir()
        picture = draw(1)
        picture.save(tmp_path / "a" / "1.png")
        red, green, blue = picture.getpixel((0, 0))
        picture.putpixel((0, 0), (red, green, blue ^ 1))
        picture.save(tmp_path / "a" / "2.png")
        assert inspect_listing(scan(tmp_path)).duplicates == []

    def test_repeated_bytes_under_an_array(self, tmp_path):
        import numpy as np

        photos = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
        photos[3] = photos[0]
        np.savez(tmp_path / "a.npz", x_train=photos, y_train=[0, 1, 0, 1])
        (item,) = inspect_listing(scan(tmp_path)).duplicates
        assert item.paths == ["a.npz#x_train/0", "a.npz#x_train/3"]
        assert item.labels == ["0", "1"]


class TestWords:
    def test_every_sentence(self, class_folders, draw):
        root = class_folders({"a": 9, "b": 2}, splits=("train", "test"))
        for n in range(2):
            (root / "train" / "a" / f"{n}.png").write_bytes(b"")
            with Image.open(root / "train" / "a" / f"{n + 2}.png") as image:
                image.save(root / "test" / "b" / f"copy{n}.bmp")
        for n in range(2):
            (root / "test" / "b" / f"{n}.png").unlink()
        assert inspect_listing(scan(root)).sentences() == [
            "2 files cannot be read and are left out of every score.",
            "2 pictures stand under more than one label: at least one of the labels is wrong.",
            "2 pictures lie in more than one split: scores on such photos are too good.",
            "2 photos are exact copies of another.",
            "The largest class has 4.0 photos for each one of the smallest: read balanced accuracy "
            "and macro-F1 beside accuracy.",
        ]

    def test_of_one_alone(self, class_folders):
        root = class_folders({"a": 3, "b": 3}, splits=("train", "test"))
        (root / "train" / "a" / "0.png").write_bytes(b"")
        (root / "test" / "b" / "0.png").write_bytes((root / "train/a/1.png").read_bytes())
        assert inspect_listing(scan(root)).sentences() == [
            "1 file cannot be read and is left out of every score.",
            "1 picture stands under more than one label: at least one of the labels is wrong.",
            "1 picture lies in more than one split: scores on such photos are too good.",
            "1 photo is an exact copy of another.",
        ]

    def test_samples(self, class_folders):
        root = class_folders({"caf\udce9": SAMPLES + 9, "b": 2})
        samples = inspect_listing(scan(root)).samples
        assert samples == inspect_listing(scan(root)).samples
        assert {label: len(set(paths)) for label, paths in samples.items()} == {
            "b": 2,
            r"caf\xe9": SAMPLES,
        }
        assert all(path.startswith("caf\udce9/") for path in samples[r"caf\xe9"])

    def test_as_plain_values(self, class_folders):
        root = class_folders({"a": 2, "b": 2})
        (root / "a" / "1.png").write_bytes((root / "b" / "1.png").read_bytes())
        values = inspect_listing(scan(root)).to_dict()
        copies = {"paths": ["a/1.png", "b/1.png"], "labels": ["a", "b"], "splits": [""]}
        assert values["duplicates"] == values["contradictions"] == [copies]
        assert values["leaks"] == []
        assert values["per_class"] == {"a": 2, "b": 2}
        assert values["photos"] == str(root)
        assert values["widths"]["median"] == 32
        json.dumps(values)
