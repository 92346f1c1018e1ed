"""Photos at a path -> records with their hashes; which classes and how many of them."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from classeur.data.records import count_by
from classeur.data.scan import scan
from classeur.errors import DataError


def labels(listing):
    return dict(Counter(record.label for record in listing.records))


@pytest.fixture
def animals(tree):
    """Five cats, three dogs, three ants and one bee."""
    return tree(
        *(f"{label}/{n}.jpg" for label, count in
          (("cat", 5), ("dog", 3), ("ant", 3), ("bee", 1)) for n in range(count))
    )  # fmt: skip


class TestHashes:
    def test_every_photo_is_hashed(self, class_folders):
        root = class_folders({"cat": 3, "dog": 2})
        listing = scan(root)
        assert len(listing.records) == 5
        for record in listing.records:
            content = (root / record.path).read_bytes()
            assert record.sha256 == hashlib.sha256(content).hexdigest()

    def test_broken_links_are_findings(self, class_folders):
        root = class_folders({"cat": 2, "dog": 2})
        (root / "cat" / "gone.jpg").symlink_to("nowhere.jpg")
        (root / "dog" / "circle.jpg").symlink_to("circle.jpg")
        listing = scan(root)
        assert len(listing.records) == 4
        assert [(item.path, item.reason) for item in listing.unreadable] == [
            ("cat/gone.jpg", "cannot be read: No such file or directory"),
            ("dog/circle.jpg", "cannot be read: Too many levels of symbolic links"),
        ]

    def test_rows_of_a_table_that_are_not_there(self, tmp_path):
        (tmp_path / "t.csv").write_text("path,label\n1.jpg,cat\n")
        listing = scan(tmp_path / "t.csv")
        assert listing.records == []
        assert [item.path for item in listing.unreadable] == ["1.jpg"]

    def test_broken_photos_are_hashed_all_the_same(self, tree):
        listing = scan(tree("a/1.jpg", "b/1.jpg"))
        assert {r.sha256 for r in listing.records} == {hashlib.sha256(b"").hexdigest()}


class TestClasses:
    def test_some(self, animals):
        listing = scan(animals, classes=["dog", "cat"])
        assert labels(listing) == {"cat": 5, "dog": 3}
        assert listing.passed_over == {"photos of other classes": 4}

    def test_one_that_is_not_there(self, animals):
        with pytest.raises(DataError) as caught:
            scan(animals, classes=["cat", "dgo", "zebu"])
        assert str(caught.value) == (
            'no photos of dgo, zebu. Did you mean "dog"? The classes are: ant, bee, cat, dog.'
        )

    def test_many_classes_are_not_all_listed(self, tree):
        root = tree(*(f"c{n:02d}/1.jpg" for n in range(25)))
        with pytest.raises(DataError) as caught:
            scan(root, classes=["x"])
        names = ", ".join(f"c{n:02d}" for n in range(20))
        assert str(caught.value) == f"no photos of x. The classes are: {names}, …."

    @pytest.mark.parametrize(
        ("number", "kept"),
        [
            (1, {"cat": 5}),
            (2, {"cat": 5, "ant": 3}),  # a tie goes by name
            (3, {"cat": 5, "ant": 3, "dog": 3}),
            (9, {"cat": 5, "ant": 3, "dog": 3, "bee": 1}),
        ],
    )
    def test_those_with_the_most_photos(self, animals, number, kept):
        listing = scan(animals, top_classes=number)
        assert labels(listing) == kept
        dropped = 12 - sum(kept.values())
        assert listing.passed_over == ({"photos of smaller classes": dropped} if dropped else {})


class TestLimit:
    def test_at_most_so_many_of_each(self, animals):
        listing = scan(animals, limit_per_class=3)
        assert labels(listing) == {"cat": 3, "dog": 3, "ant": 3, "bee": 1}
        assert listing.passed_over == {"photos over the limit": 2}

    def test_drawn_by_seed(self, tree):
        root = tree(*(f"cat/{n}.jpg" for n in range(50)), *(f"dog/{n}.jpg" for n in range(50)))

        def drawn(seed):
            return [r.path for r in scan(root, limit_per_class=10, seed=seed).records]

        assert drawn(1) == drawn(1)
        assert drawn(1) != drawn(2)
        cats, dogs = (
            [p.split("/")[1] for p in drawn(1) if p.startswith(k)] for k in ("cat", "dog")
        )
        assert cats != dogs  # one draw for each class
        assert cats != [f"{n}.jpg" for n in range(10)]  # not simply the first ones

    def test_in_each_split_the_data_came_with(self, tree):
        root = tree(*(f"{s}/{k}/{n}.jpg" for s in ("train", "val") for k in "ab" for n in range(4)))
        counts = count_by(scan(root, limit_per_class=2).records)
        assert counts == {s: {"a": 2, "b": 2} for s in ("train", "val")}

    def test_a_class_whose_name_is_no_utf8(self, tree):
        root = tree(*(f"caf\udce9/{n}.jpg" for n in range(3)), "b/1.jpg")
        assert labels(scan(root, limit_per_class=2)) == {r"caf\xe9": 2, "b": 1}

    def test_all_together(self, animals):
        listing = scan(animals, classes=["cat", "dog", "bee"], top_classes=2, limit_per_class=2)
        assert labels(listing) == {"cat": 2, "dog": 2}
        assert listing.passed_over.total() == 8
