"""Photos in folders: each layout is recognised by itself, and nothing is passed over uncounted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from classeur.data.folders import class_name, natural
from classeur.data.records import SPLIT_NAMES, count_by, split_of
from classeur.data.sources import EXPECTED, list_photos
from classeur.errors import DataError


def found(listing):
    """Return (split, label) -> photos."""
    return {
        (split, label): number
        for split, labels in count_by(listing.records).items()
        for label, number in labels.items()
    }


def labels_of(listing):
    return {record.path: record.label for record in listing.records}


class TestClassFolders:
    def test_recognised(self, tree):
        root = tree("cats/1.jpg", "cats/2.png", "dogs/1.JPG", "dogs/deeper/still/2.jpeg")
        listing = list_photos(root)
        assert listing.layout == "class-folders"
        assert listing.root == root
        assert labels_of(listing) == {
            "cats/1.jpg": "cats",
            "cats/2.png": "cats",
            "dogs/1.JPG": "dogs",
            "dogs/deeper/still/2.jpeg": "dogs",
        }
        assert {record.split for record in listing.records} == {""}
        assert listing.labels() == ["cats", "dogs"]

    def test_wrapped_in_one_outer_folder(self, tree):
        root = tree("photos-master/photos/cats/1.jpg", "photos-master/photos/dogs/1.jpg")
        listing = list_photos(root)
        assert listing.layout == "class-folders"
        assert labels_of(listing) == {
            "photos-master/photos/cats/1.jpg": "cats",
            "photos-master/photos/dogs/1.jpg": "dogs",
        }

    def test_one_class_is_no_wrapping(self, tree):
        assert found(list_photos(tree("cats/1.jpg", "cats/2.jpg"))) == {("", "cats"): 2}

    def test_bus_car_and_train_are_three_classes(self, tree):
        listing = list_photos(tree("bus/1.jpg", "car/1.jpg", "train/1.jpg"))
        assert listing.layout == "class-folders"
        assert listing.labels() == ["bus", "car", "train"]

    def test_natural_order(self, tree):
        root = tree("b/10.jpg", "b/9.jpg", "b/2.jpg", "a/1.jpg", "a/01.jpg")
        paths = [record.path for record in list_photos(root).records]
        assert paths == ["a/01.jpg", "a/1.jpg", "b/2.jpg", "b/9.jpg", "b/10.jpg"]

    @pytest.mark.parametrize(
        ("folder", "label"),
        [
            ("n02085620-Chihuahua", "Chihuahua"),
            ("n02085620_Chihuahua", "Chihuahua"),
            ("n02085620 Chihuahua", "Chihuahua"),
            ("n02085620", "n02085620"),
            ("n0208562-Chihuahua", "n0208562-Chihuahua"),
            ("n02085620-", "n02085620-"),
            ("new-york", "new-york"),
            (" tulip ", "tulip"),
        ],
    )
    def test_wordnet_numbers_are_left_out(self, folder, label):
        assert class_name(folder) == label

    def test_wordnet_numbers_of_one_name_stay_apart(self, tree):
        root = tree(
            "n01-x/1.jpg", "n02012849-crane/1.jpg", "n03126707-crane/1.jpg", "n02085620-pug/1.jpg"
        )
        assert list_photos(root).labels() == [
            "n01-x",
            "n02012849-crane",
            "n03126707-crane",
            "pug",
        ]

    def test_wordnet_numbers_of_one_name_stay_apart_over_all_splits(self, tree):
        root = tree(
            "train/n02012849-crane/1.jpg", "train/n03126707-crane/1.jpg",
            "train/n02085620-pug/1.jpg", "val/n02012849-crane/2.jpg", "val/n02085620-pug/2.jpg",
        )  # fmt: skip
        assert found(list_photos(root)) == {
            ("train", "n02012849-crane"): 1,
            ("train", "n03126707-crane"): 1,
            ("train", "pug"): 1,
            ("val", "n02012849-crane"): 1,
            ("val", "pug"): 1,
        }


class TestSplitFolders:
    @pytest.mark.parametrize("train", ["train", "training", "train_set", "training_set"])
    @pytest.mark.parametrize("val", ["val", "valid", "validation"])
    @pytest.mark.parametrize("test", ["test", "test_set", "testing"])
    def test_every_name(self, tree, train, val, test):
        root = tree(*(f"{split}/{label}/1.jpg" for split in (train, val, test) for label in "ab"))
        listing = list_photos(root)
        assert listing.layout == "split-folders"
        assert found(listing) == {(s, k): 1 for s in ("train", "val", "test") for k in "ab"}

    def test_names_do_not_mind_case_and_punctuation(self):
        for name, split in SPLIT_NAMES.items():
            for written in (name.upper(), name.replace("_", "-"), f" {name.title()} "):
                assert split_of(written) == split
        for name in ("trains", "contest", "value", "", "Test 2"):
            assert split_of(name) is None

    def test_train_and_test_only(self, tree):
        root = tree("Train/a/1.jpg", "Train/b/1.jpg", "Test/a/1.jpg")
        assert found(list_photos(root)) == {("train", "a"): 1, ("train", "b"): 1, ("test", "a"): 1}

    def test_train_only(self, tree):
        listing = list_photos(tree("train/a/1.jpg", "train/b/1.jpg"))
        assert listing.layout == "split-folders"
        assert found(listing) == {("train", "a"): 1, ("train", "b"): 1}

    def test_nested_once_more_as_in_kaggle_archives(self, tree):
        root = tree(
            *(f"{s}/{s}/{k}/{k}.{n}.jpg" for s in ("training_set", "test_set")
              for k in ("cats", "dogs") for n in range(3)),
            "training_set/training_set/_DS_Store",
        )  # fmt: skip
        listing = list_photos(root)
        assert listing.layout == "split-folders"
        assert found(listing) == {(s, k): 3 for s in ("train", "test") for k in ("cats", "dogs")}
        assert listing.passed_over == {"non-photos (no ending)": 1}

    def test_wrapped_in_one_outer_folder(self, tree):
        root = tree(*(f"archive/{s}/{k}/1.jpg" for s in ("train", "val") for k in "ab"))
        listing = list_photos(root)
        assert listing.layout == "split-folders"
        assert found(listing) == {(s, k): 1 for s in ("train", "val") for k in "ab"}
        assert listing.records[0].path == "archive/train/a/1.jpg"

    def test_a_folder_called_train_may_hold_class_folders(self, tree):
        root = tree("train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg")
        listing = list_photos(root / "train")
        assert listing.layout == "class-folders"
        assert found(listing) == {("", "a"): 1, ("", "b"): 1}

    def test_names_with_labels_in_a_split_folder(self, tree):
        """Kaggle's dogs-vs-cats: train/cat.0.jpg, and a test folder without labels."""
        root = tree("train/cat.0.jpg", "train/cat.1.jpg", "train/dog.0.jpg", "test1/1.jpg")
        listing = list_photos(root)
        assert listing.layout == "split-folders"
        assert found(listing) == {("train", "cat"): 2, ("train", "dog"): 1}
        assert listing.passed_over == {"photos without a label in their name": 1}

    def test_names_with_labels_in_two_split_folders(self, tree):
        root = tree("train/cat.0.jpg", "train/dog.0.jpg", "val/cat.7.jpg", "val/dog.8.jpg")
        assert found(list_photos(root)) == {
            (s, k): 1 for s in ("train", "val") for k in ("cat", "dog")
        }

    def test_what_lies_beside_the_splits_is_counted(self, tree):
        root = tree(
            "train/a/1.jpg", "val/a/1.jpg", "sample/1.jpg", "sample/a/2.jpg", "docs/read.txt",
            "9.jpg", "LICENSE", ".hidden",
        )  # fmt: skip
        listing = list_photos(root)
        assert len(listing.records) == 2
        assert listing.passed_over == {
            "photos outside the split folders": 3,
            "non-photos (no ending)": 1,
            "hidden or system files": 1,
        }

    def test_a_class_that_train_has_not(self, tree):
        root = tree(
            "train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/x/1.jpg", "test/c/1.jpg"
        )
        with pytest.raises(DataError) as caught:
            list_photos(root)
        assert str(caught.value) == (
            "test has classes that train has not: c, x. Class folders must have the same names in "
            "every split."
        )

    def test_forced_without_a_training_folder(self, tree):
        root = tree("cats/1.jpg", "test/a/1.jpg")
        with pytest.raises(DataError) as caught:
            list_photos(root, "split-folders")
        assert str(caught.value) == (
            f"{root} has no training folder with labelled photos; expected a folder named train, "
            "training, train_set or training_set. Found: cats, test."
        )

    def test_forced_where_there_is_no_folder_at_all(self, tree):
        root = tree("1.jpg")
        with pytest.raises(DataError, match="Found: no folders"):
            list_photos(root, "split-folders")


class TestFlatNames:
    @pytest.mark.parametrize(
        ("name", "label"),
        [
            ("cat.0.jpg", "cat"),
            ("dog.12.jpg", "dog"),
            ("english_cocker_spaniel_104.jpg", "english_cocker_spaniel"),
            ("tulip-7.png", "tulip"),
            ("rose (3).jpeg", "rose"),
            ("oak12.webp", "oak"),
            ("cat_3_small.jpg", "cat"),
            ("Élan 4.JPG", "Élan"),
            ("猫.1.jpg", "猫"),
        ],
    )
    def test_label_in_front_of_a_number(self, tree, name, label):
        listing = list_photos(tree(name))
        assert listing.layout == "flat"
        assert labels_of(listing) == {name: label}

    def test_names_without_a_label_are_counted(self, tree):
        listing = list_photos(tree("cat.1.jpg", "dog.1.jpg", "0001.jpg", "notes.txt"))
        assert listing.labels() == ["cat", "dog"]
        assert listing.passed_over == {
            "photos without a label in their name": 1,
            "non-photos (.txt)": 1,
        }

    def test_no_name_with_a_label(self, tree):
        root = tree("0001.jpg", "0002.jpg")
        with pytest.raises(DataError) as caught:
            list_photos(root)
        assert str(caught.value) == (
            f"{root} holds no labelled photos (flat). Passed over: 2 photos without a label in "
            f"their name. {EXPECTED}"
        )

    def test_in_one_folder_inside(self, tree):
        listing = list_photos(tree("images/cat.0.jpg", "images/dog.0.jpg"))
        assert listing.layout == "flat"
        assert labels_of(listing) == {"images/cat.0.jpg": "cat", "images/dog.0.jpg": "dog"}

    def test_forced_over_class_folders(self, tree):
        root = tree("day/cat.0.jpg", "day/dog.0.jpg", "night/cat.1.jpg")
        assert list_photos(root).labels() == ["day", "night"]
        assert found(list_photos(root, "flat")) == {("", "cat"): 2, ("", "dog"): 1}

    def test_class_folders_forced_over_split_folders(self, tree):
        root = tree("train/a/1.jpg", "val/a/1.jpg")
        assert list_photos(root, "class-folders").labels() == ["train", "val"]

    def test_label_from_a_group(self, tree):
        root = tree("2024_03_cat_x.jpg", "2024_04_dog.jpg", "other.jpg")
        listing = list_photos(root, label_from=r"^\d+_\d+_([a-z]+)")
        assert labels_of(listing) == {"2024_03_cat_x.jpg": "cat", "2024_04_dog.jpg": "dog"}
        assert listing.passed_over == {"photos without a label in their name": 1}

    def test_label_from_the_whole_match(self, tree):
        listing = list_photos(tree("IMG_cat_1.jpg", "IMG_dog_2.jpg"), label_from="cat|dog")
        assert listing.labels() == ["cat", "dog"]

    def test_label_from_a_group_that_took_no_part(self, tree):
        listing = list_photos(tree("a1.jpg", "2.jpg"), label_from=r"^([a-z])?\d")
        assert labels_of(listing) == {"a1.jpg": "a"}

    def test_label_from_overrules_the_folders(self, tree):
        listing = list_photos(tree("one/cat.0.jpg", "two/dog.0.jpg"), label_from=r"^(\w+)\.")
        assert (listing.layout, listing.labels()) == ("flat", ["cat", "dog"])

    @pytest.mark.parametrize("layout", ["auto", "split-folders"])
    def test_label_from_leaves_the_splits_alone(self, tree, layout):
        root = tree(
            "train/1_cat.jpg", "train/2023/1_dog.jpg", "test/2_cat.jpg", "val/x/3_dog.jpg",
            "test/4.jpg", "more/5_cat.jpg",
        )  # fmt: skip
        listing = list_photos(root, layout, label_from=r"^\d_([a-z]+)")
        assert found(listing) == {
            ("train", "cat"): 1, ("train", "dog"): 1, ("test", "cat"): 1, ("val", "dog"): 1,
        }  # fmt: skip
        assert listing.layout == "split-folders"
        assert listing.passed_over == {
            "photos without a label in their name": 1, "photos outside the split folders": 1,
        }  # fmt: skip

    def test_label_from_with_the_layout_flat_takes_the_whole_tree(self, tree):
        listing = list_photos(tree("train/1_a.jpg", "test/1_b.jpg"), "flat", label_from="[ab]")
        assert found(listing) == {("", "a"): 1, ("", "b"): 1}

    @pytest.mark.parametrize("layout", ["class-folders", "table", "idx", "arrays"])
    def test_label_from_and_a_layout_with_labels_of_its_own(self, tree, layout):
        with pytest.raises(DataError) as caught:
            list_photos(tree("one/cat.0.jpg", "two/dog.0.jpg"), layout, label_from=r"^(\w+)\.")
        assert str(caught.value) == (
            f"label_from takes the label from the file name, but the layout {layout} has labels of "
            "its own. Leave out one of the two, or choose the layout flat or split-folders."
        )

    def test_label_from_no_regular_expression(self, tree):
        with pytest.raises(DataError) as caught:
            list_photos(tree("a.jpg"), label_from="(")
        assert str(caught.value) == (
            "label_from must be a regular expression, received '(': missing ), unterminated "
            "subpattern at position 0."
        )


class TestPassedOver:
    def test_hidden_and_system_files(self, tree):
        root = tree(
            "cats/1.jpg", "cats/.DS_Store", "cats/Thumbs.db", "cats/._1.jpg", "cats/desktop.ini",
            "cats/.thumbnails/1.jpg", "cats/__MACOSX/1.jpg", "dogs/1.jpg", "Thumbs.db",
            "__MACOSX/cats/1.jpg", ".git/1.jpg",
        )  # fmt: skip
        listing = list_photos(root)
        assert found(listing) == {("", "cats"): 1, ("", "dogs"): 1}
        assert listing.passed_over == {"hidden or system files": 7}

    def test_non_photos(self, tree):
        root = tree(
            "cats/1.jpg", "cats/a.txt", "cats/b.TXT", "cats/c.mp4", "cats/Makefile", "dogs/1.jpg"
        )
        assert list_photos(root).passed_over == {
            "non-photos (.txt)": 2,
            "non-photos (.mp4)": 1,
            "non-photos (no ending)": 1,
        }

    def test_photos_beside_the_class_folders(self, tree):
        root = tree("cats/1.jpg", "dogs/1.jpg", "loose.jpg", "README.md")
        listing = list_photos(root)
        assert len(listing.records) == 2
        assert listing.passed_over == {
            "photos outside any class folder": 1,
            "non-photos (.md)": 1,
        }

    def test_every_file_is_either_taken_or_counted(self, tree):
        """Whatever the layout: records + unreadable + passed over = files."""
        for number, paths in enumerate(
            [
                ("a/1.jpg", "a/x.txt", "b/2.jpg", "c.png", "d.txt", "b/.x"),
                ("train/a/1.jpg", "train/2.jpg", "val/a/3.jpg", "4.jpg", "x/5.jpg", ".z"),
                ("cat.1.jpg", "dog.2.jpg", "3.jpg", "x.csv", ".DS_Store"),
                ("o/train/cat.1.jpg", "o/train/dog.1.jpg", "o/train/x.txt", "o/2.jpg"),
            ]
        ):
            root = tree(*paths, root=tree() / str(number))
            listing = list_photos(root)
            assert len(listing.records) + listing.passed_over.total() == len(paths), paths

    def test_upper_case_endings(self, tree):
        root = tree(
            *(
                f"a/{n}{ending}"
                for n, ending in enumerate((".JPG", ".Jpeg", ".PNG", ".TIFF", ".WebP"))
            )
        )
        assert len(list_photos(root).records) == 5


class TestUnicode:
    def test_composed_and_decomposed_names_are_one_class(self, tree):
        composed, decomposed = (unicodedata.normalize(form, "Élan") for form in ("NFC", "NFD"))
        root = tree(f"train/{composed}/1.jpg", "train/b/1.jpg", f"val/{decomposed}/2.jpg")
        assert found(list_photos(root)) == {
            ("train", composed): 1,
            ("train", "b"): 1,
            ("val", composed): 1,
        }

    def test_composed_and_decomposed_names_side_by_side(self, tree):
        names = [unicodedata.normalize(form, "Élan") for form in ("NFC", "NFD")]
        root = tree(*(f"{name}/{n}.jpg" for n, name in enumerate(names)), "b/1.jpg")
        assert found(list_photos(root)) == {("", names[0]): 2, ("", "b"): 1}

    def test_decomposed_file_names(self, tree):
        name = unicodedata.normalize("NFD", "é.1.jpg")
        assert labels_of(list_photos(tree(name))) == {name: "é"}

    def test_names_that_are_no_utf8(self, tree):
        root = tree("caf\udce9/1.jpg", "b/\udce9.jpg")
        assert found(list_photos(root)) == {("", r"caf\xe9"): 1, ("", "b"): 1}
        assert found(list_photos(tree("t\udce9.1.jpg", "b.2.jpg", root=root / "flat"))) == {
            ("", r"t\xe9"): 1, ("", "b"): 1,
        }  # fmt: skip

    def test_natural_order_keeps_different_paths_apart(self):
        paths = ["a1", "a01", "a10", "a2", "b", "a", "a1b2", "a1b10", "١", "1"]
        keys = [natural(path) for path in paths]
        assert len({tuple(key) for key in keys}) == len(paths)
        ordered = [path for _, path in sorted(zip(keys, paths, strict=True))]
        assert ordered.index("a1b2") < ordered.index("a1b10") < ordered.index("a2")


class TestLinks:
    def test_to_files_and_folders(self, tree, tmp_path):
        elsewhere = tree("1.jpg", "2.jpg", root=tmp_path / "elsewhere")
        root = tree("cats/1.jpg", "dogs/1.jpg")
        (root / "cats" / "linked.jpg").symlink_to(elsewhere / "1.jpg")
        (root / "cats" / "more").symlink_to(elsewhere)
        (root / "birds").symlink_to(elsewhere)
        assert found(list_photos(root)) == {("", "cats"): 4, ("", "dogs"): 1, ("", "birds"): 2}

    def test_no_loops(self, tree):
        """A link to any folder above would bring the other classes in under this one's label."""
        root = tree("outer/cats/1.jpg", "outer/dogs/1.jpg", "outer/birds/x/1.jpg") / "outer"
        (root / "cats" / "self").symlink_to(root / "cats")
        (root / "cats" / "root").symlink_to("..")
        (root / "birds" / "x" / "above").symlink_to(root.parent)
        (root / "everything").symlink_to(root)
        listing = list_photos(root)
        assert found(listing) == {("", "cats"): 1, ("", "dogs"): 1, ("", "birds"): 1}
        assert listing.passed_over == {"links to a folder they lie in, or that was read before": 4}

    def test_no_loops_below_a_linked_root(self, tree, tmp_path):
        root = tree("cats/1.jpg", "dogs/1.jpg")
        (root / "cats" / "up").symlink_to(root)
        (tmp_path / "link").symlink_to(root)
        assert found(list_photos(tmp_path / "link")) == {("", "cats"): 1, ("", "dogs"): 1}

    def test_two_links_that_lead_to_each_other(self, tree):
        root = tree("a/x/1.jpg", "b/y/1.jpg")
        (root / "a" / "x" / "to_b").symlink_to(root / "b")
        (root / "b" / "y" / "to_a").symlink_to(root / "a")
        listing = list_photos(root)
        assert found(listing) == {("", "a"): 2, ("", "b"): 2}  # once its own, once the other's

    def test_a_folder_of_nothing_but_itself(self, tmp_path):
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos")
        with pytest.raises(DataError, match="holds no labelled photos"):
            list_photos(tmp_path / "photos")

    def test_a_link_that_leads_nowhere_is_still_a_photo_to_name(self, tree):
        root = tree("cats/1.jpg", "dogs/1.jpg")
        (root / "cats" / "gone.jpg").symlink_to("nowhere.jpg")
        (root / "cats" / "circle.jpg").symlink_to("circle.jpg")
        (root / "cats" / "gone").symlink_to("nowhere")
        listing = list_photos(root)
        assert {"cats/gone.jpg", "cats/circle.jpg"} <= labels_of(listing).keys()
        assert listing.passed_over == {"non-photos (no ending)": 1}

    def test_a_pipe_does_not_hang(self, tree):
        root = tree("cats/1.jpg", "dogs/1.jpg")
        os.mkfifo(root / "cats" / "pipe.jpg")
        os.mkfifo(root / "pipe.jpg")
        listing = list_photos(root)
        assert len(listing.records) == 2
        assert listing.passed_over == {
            "no regular files": 1,
            "photos outside any class folder": 1,
        }


class TestNotAllowed:
    """Run as a user who is not root, for root may read everything."""

    @pytest.fixture
    def root(self):
        root = Path(tempfile.mkdtemp(prefix="classeur-test-"))
        root.chmod(0o755)
        yield root
        for folder in root.rglob("*"):
            if folder.is_dir() and not folder.is_symlink():
                folder.chmod(0o755)
        shutil.rmtree(root)

    @pytest.fixture
    def as_anybody(self):
        if os.geteuid() != 0:
            return lambda function: function()

        def call(function):
            os.seteuid(65534)
            try:
                return function()
            finally:
                os.seteuid(0)

        return call

    def test_a_class_folder(self, tree, root, as_anybody):
        tree("cats/1.jpg", "dogs/1.jpg", "dogs/old/2.jpg", "birds/1.jpg", root=root)
        (root / "dogs" / "old").chmod(0)
        (root / "birds").chmod(0)
        listing = as_anybody(lambda: list_photos(root))
        assert found(listing) == {("", "cats"): 1, ("", "dogs"): 1}
        assert [(item.path, item.reason) for item in listing.unreadable] == [
            ("birds", "folder cannot be read: Permission denied"),
            ("dogs/old", "folder cannot be read: Permission denied"),
        ]

    def test_a_split_folder(self, tree, root, as_anybody):
        tree("train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "test/a/1.jpg", root=root)
        (root / "val").chmod(0)
        listing = as_anybody(lambda: list_photos(root))
        assert found(listing) == {("train", "a"): 1, ("train", "b"): 1, ("test", "a"): 1}
        assert [item.path for item in listing.unreadable] == ["val"]

    @pytest.mark.parametrize("layout", ["auto", "class-folders", "flat"])
    def test_the_folder_itself(self, tree, root, as_anybody, layout):
        tree("cats/1.jpg", root=root)
        root.chmod(0)
        with pytest.raises(DataError) as caught:
            as_anybody(lambda: list_photos(root, layout))
        root.chmod(0o755)
        assert str(caught.value) == f"{root} cannot be read: Permission denied."

    def test_a_table(self, root, as_anybody):
        (root / "table.csv").write_text("path,label\n1.jpg,cat\n")
        (root / "table.csv").chmod(0)
        with pytest.raises(DataError) as caught:
            as_anybody(lambda: list_photos(root / "table.csv"))
        assert str(caught.value) == f"{root}/table.csv cannot be read: Permission denied."

    def test_a_link_into_a_folder_that_may_not_be_entered(self, tree, root, as_anybody):
        tree("cats/1.jpg", "dogs/1.jpg", "secret/deeper/1.jpg", root=root)
        (root / "cats" / "link.jpg").symlink_to(root / "secret" / "deeper" / "1.jpg")
        (root / "secret").chmod(0)
        listing = as_anybody(lambda: list_photos(root))
        assert "cats/link.jpg" in labels_of(listing)  # reading it gives the reason


class TestNothingThere:
    def test_no_such_folder(self, tmp_path):
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path / "photos")
        assert str(caught.value) == (
            f"{tmp_path}/photos does not exist. Expected a folder of photos."
        )

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path} holds no labelled photos that could be recognised. {EXPECTED}"
        )

    def test_forced_on_an_empty_folder(self, tmp_path):
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path, "class-folders")
        assert str(caught.value) == (
            f"{tmp_path} holds no labelled photos (class-folders). {EXPECTED}"
        )

    def test_a_file_where_a_folder_is_expected(self, tree):
        file = tree("a.jpg") / "a.jpg"
        with pytest.raises(DataError) as caught:
            list_photos(file, "class-folders")
        assert str(caught.value) == f"{file} is a file; the layout class-folders expects a folder."

    def test_a_single_photo(self, tree):
        file = tree("a.jpg") / "a.jpg"
        with pytest.raises(DataError) as caught:
            list_photos(file)
        assert str(caught.value) == f"{file} is a file of no known layout. {EXPECTED}"

    def test_a_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path / "pipe")
        assert str(caught.value) == f"{tmp_path}/pipe cannot be read: Not a directory."

    def test_the_home_folder_may_be_a_tilde(self, tree, tmp_path, monkeypatch):
        tree("cats/1.jpg")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert list_photos("~/photos").labels() == ["cats"]


def test_listing_opens_no_photo(tree):
    """Names alone are read: the files here are empty."""
    assert Counter(r.label for r in list_photos(tree("a/1.jpg", "b/1.jpg")).records) == {
        "a": 1,
        "b": 1,
    }


def test_listing_loads_no_torch(tree):
    root = tree("a/1.jpg", "b/1.jpg")
    code = f"""
import sys
from classeur.data.sources import list_photos
assert len(list_photos({str(root)!r}).records) == 2
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_holds_no_photos_does_not_matter(tree):
    root = tree("data/images/cats/1.jpg", "data/images/dogs/1.jpg", "data/docs/readme.txt")
    assert list_photos(root).labels() == ["cats", "dogs"]


def test_fashion_mnist_is_known_by_the_folder_or_the_one_above():
    from classeur.data.arrays import FASHION_MNIST, _class_names

    image = {"train-images-idx3-ubyte": np.zeros((1, 2, 2), np.uint8)}
    assert _class_names(Path("/x/FashionMNIST/raw"), image) == list(FASHION_MNIST)
    assert _class_names(Path("/fashion/mnist/raw"), image) == []
