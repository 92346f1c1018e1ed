"""Facts -> manifest: stratified, seeded, with copies and groups on one side."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from classeur.data.facts import PhotoFacts
from classeur.data.folds import split_fold
from classeur.data.manifest import Manifest, ManifestRow
from classeur.data.scan import scan
from classeur.data.split import split, with_units
from classeur.errors import SplitError


def fact(path, label, split="", group="", sha256=None, content=None):
    return PhotoFacts(
        path, label, split, group, sha256 or f"sha of {path}", 32, 24, "RGB", "PNG",
        content or f"content of {path}",
    )  # fmt: skip


def many(counts, split=""):
    return [
        fact(f"{split}/{label}/{n}", label, split)
        for label, count in counts.items()
        for n in range(count)
    ]


def sides(manifest):
    """Return path -> split."""
    return {row.path: row.split for row in manifest.rows}


class TestProportions:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_60_20_20_of_every_class(self, seed):
        manifest = split(many({"cat": 100, "dog": 50, "ant": 5}), seed=seed)
        assert manifest.counts() == {
            "train": {"cat": 60, "dog": 30, "ant": 3},
            "val": {"cat": 20, "dog": 10, "ant": 1},
            "test": {"cat": 20, "dog": 10, "ant": 1},
        }

    @pytest.mark.parametrize(
        ("val", "test"), [(0.2, 0.2), (0.1, 0.3), (0.29, 0.29), (0.05, 0.05), (0.45, 0.45)]
    )
    def test_within_one_photo_of_what_was_asked(self, val, test):
        wanted = {"train": 1 - val - test, "val": val, "test": test}
        for count in range(3, 60):
            counts = split(many({"cat": count, "dog": 20}), val=val, test=test).counts()
            for name, share in wanted.items():
                number = counts[name]["cat"]
                assert number >= 1
                if count * min(wanted.values()) >= 1:
                    assert abs(number - count * share) < 1 + 1e-9
            assert sum(counts[name]["cat"] for name in wanted) == count

    def test_three_photos_are_enough(self):
        counts = split(many({"cat": 3, "dog": 3})).counts()
        assert all(counts[name] == {"cat": 1, "dog": 1} for name in ("train", "val", "test"))

    def test_every_photo_once_and_in_order(self):
        facts = many({"cat": 10, "dog": 10})
        manifest = split(facts)
        assert [row.path for row in manifest.rows] == [item.path for item in facts]
        indices = np.concatenate([manifest.indices(name) for name in ("train", "val", "test")])
        assert sorted(indices) == list(range(20))

    def test_rows_carry_the_facts(self):
        rows = split(many({"cat": 3, "dog": 3})).rows
        assert (rows[0].label, rows[0].sha256) == ("cat", "sha of /cat/0")
        assert (rows[0].width, rows[0].height, rows[0].group) == (32, 24, "")


class TestSeed:
    def test_the_same_seed_draws_the_same(self):
        facts = many({"cat": 30, "dog": 30})
        assert split(facts, seed=7) == split(facts, seed=7)

    def test_another_seed_draws_another(self):
        facts = many({"cat": 30, "dog": 30})
        drawn = [tuple(sides(split(facts, seed=seed)).values()) for seed in range(5)]
        assert len(set(drawn)) == 5

    def test_it_is_no_slice_of_the_order(self):
        test = split(many({"cat": 50, "dog": 50})).indices("test")
        assert len(set(np.diff(test))) > 2


class TestTogether:
    def test_copies(self):
        """The same file, or the same picture in another format, never on two sides."""
        facts = many({"cat": 20, "dog": 20})
        facts += [fact(f"copy{n}", "cat", sha256=f"sha of /cat/{n}") for n in range(8)]
        facts += [fact(f"png{n}", "dog", content=f"content of /dog/{n}") for n in range(8)]
        for seed in range(20):
            where = sides(split(facts, seed=seed))
            for n in range(8):
                assert where[f"copy{n}"] == where[f"/cat/{n}"]
                assert where[f"png{n}"] == where[f"/dog/{n}"]

    def test_groups(self):
        facts = [
            fact(f"{label}{n}", label, group=f"patient {n % 12}")
            for label in ("ill", "well")
            for n in range(60)
        ]
        for seed in range(20):
            manifest = split(facts, seed=seed)
            owners = {}
            for row in manifest.rows:
                owners.setdefault(row.group, set()).add(row.split)
            assert all(len(splits) == 1 for splits in owners.values())
            counts = manifest.counts()
            for name, wanted in (("train", 36), ("val", 12), ("test", 12)):
                assert abs(counts[name]["ill"] - wanted) <= 5  # a patient has five photos of each

    def test_chains_of_copies_and_groups(self):
        """a has b's picture, b is of c's group, c has d's bytes: all four stay together."""
        chain = [
            fact("a", "cat", content="same"),
            fact("b", "cat", content="same", group="g"),
            fact("c", "cat", group="g", sha256="file"),
            fact("d", "cat", sha256="file"),
        ]
        for seed in range(20):
            where = sides(split(many({"cat": 20, "dog": 20}) + chain, seed=seed))
            assert len({where[name] for name in "abcd"}) == 1

    def test_photos_without_a_group_are_not_one_group(self):
        counts = split(many({"cat": 10, "dog": 10})).counts()
        assert counts["train"] == {"cat": 6, "dog": 6}

    def test_the_same_picture_under_two_labels(self):
        pair = [fact("a", "cat", content="same"), fact("b", "dog", content="same")]
        for seed in range(20):
            where = sides(split(many({"cat": 10, "dog": 10}) + pair, seed=seed))
            assert where["a"] == where["b"]

    def test_real_photos_copied_in_other_formats(self, class_folders):
        from PIL import Image

        from classeur.data.geometry import Geometry
        from classeur.data.store import cached_store

        root = class_folders({"cat": 8, "dog": 8})
        for n in range(4):
            with Image.open(root / "cat" / f"{n}.png") as image:
                image.save(root / "cat" / f"copy{n}.bmp")
        listing = scan(root)
        facts = cached_store(listing, Geometry(8)).facts(listing)
        for seed in range(5):
            where = sides(split(facts, seed=seed))
            for n in range(4):
                assert where[f"cat/{n}.png"] == where[f"cat/copy{n}.bmp"]


def rooms(counts):
    """Thirty rooms with 10 to 39 photos of chairs; of other things so many in each of the first."""
    facts = [fact(f"chair{r}/{n}", "chair", group=f"{r}") for r in range(30) for n in range(10 + r)]
    for label, numbers in counts.items():
        facts += [
            fact(f"{label}{r}/{n}", label, group=f"{r}")
            for r, number in enumerate(numbers)
            for n in range(number)
        ]
    return facts


class TestRareAmongFrequent:
    def test_a_rare_class_is_cut_as_it_was_asked(self):
        for seed in range(10):
            counts = split(rooms({"lamp": [1] * 10}), seed=seed).counts()
            assert [counts[s]["lamp"] for s in ("train", "val", "test")] == [6, 2, 2]
            for name, wanted in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
                assert abs(counts[name]["chair"] / 735 - wanted) < 0.06  # 39 in the largest room

    @pytest.mark.parametrize("numbers", [[1, 1, 1], [9, 9, 9], [1, 1, 20], [20, 5, 5, 5]])
    def test_three_groups_are_enough(self, numbers):
        for seed in range(10):
            counts = split(rooms({"lamp": numbers, "plant": [0, *numbers]}), seed=seed).counts()
            assert all(counts[s][x] for s in ("train", "val", "test") for x in ("lamp", "plant"))

    def test_large_groups_of_one_class(self):
        """The second of ten photos must not follow the first into train."""
        facts = many({"dog": 30}) + [fact(f"{n}", "cat", group=f"{n % 3}") for n in range(30)]
        assert [split(facts).counts()[s]["cat"] for s in ("train", "val", "test")] == [10, 10, 10]


def test_splits_drawn_before_are_drawn_again():
    """Of photos without groups and copies: the manifests of studies that were published."""
    drawn = split(many({"cat": 100, "dog": 57, "ant": 5}), val=0.15, test=0.25, seed=3)
    assert hashlib.sha256(drawn.to_csv().encode()).hexdigest()[:16] == "ccb80d4a5576a157"


class TestUnits:
    """What counts as one in every statistic is what is kept together."""

    def units(self, facts):
        return [row.unit for row in with_units(Manifest(rows_of(facts)), facts).rows]

    def test_copies_are_one_and_a_photo_alone_is_none(self):
        facts = [
            fact("1", "a", content="x"), fact("2", "b"), fact("3", "a", content="x"),
            replace(fact("4", "a"), near="4"), replace(fact("5", "a"), near="4"),
        ]  # fmt: skip
        assert self.units(facts) == ["1", "", "1", "4", "4"]

    def test_groups_keep_their_names(self):
        facts = [fact("1", "a", group="g"), fact("2", "a", group="g"), fact("3", "a", group="h")]
        rows = with_units(Manifest(rows_of(facts)), facts).rows
        assert [(row.unit, row.kept_with) for row in rows] == [("g", ""), ("g", ""), ("h", "")]

    def test_a_copy_joins_a_group_and_joins_two(self):
        facts = [
            fact("1", "a", group="g"), fact("2", "a", group="g", content="x"),
            fact("3", "a", content="x"),
        ]  # fmt: skip
        assert self.units(facts) == ["g", "g", "g"]
        facts.append(fact("4", "a", group="h", content="x"))
        assert self.units(facts) == ["1", "1", "1", "1"]
        assert [row.group for row in with_units(Manifest(rows_of(facts)), facts).rows][-1] == "h"

    def test_every_split_has_them(self):
        facts = many({"a": 20, "b": 20})
        facts += [replace(item, path=f"again {item.path}") for item in facts]
        named = split(facts).rows
        assert {row.unit for row in named} == {fact.path for fact in facts[:40]}
        folds = split_fold(facts, folds=3, fold=1).rows
        assert [row.unit for row in folds] == [row.unit for row in named]

    def test_without_copies_the_manifest_is_what_it_was(self):
        manifest = split(many({"a": 20, "b": 20}))
        assert "kept_with" not in manifest.to_csv()


def rows_of(facts):
    return [ManifestRow.of(item, "train") for item in facts]


class TestGiven:
    def test_all_three_are_kept(self):
        facts = [item for s in ("train", "val", "test") for item in many({"a": 3, "b": 2}, s)]
        assert sides(split(facts, seed=3)) == {item.path: item.split for item in facts}

    def test_missing_val_is_cut_from_train(self):
        facts = many({"a": 80, "b": 80}, "train") + many({"a": 20, "b": 20}, "test")
        manifest = split(facts, val=0.2, test=0.2)
        assert manifest.counts() == {
            "train": {"a": 60, "b": 60},
            "val": {"a": 20, "b": 20},
            "test": {"a": 20, "b": 20},
        }
        given = {item.path for item in facts if item.split == "test"}
        assert {row.path for row in manifest.rows if row.split == "test"} == given

    def test_missing_test_is_cut_from_train(self):
        facts = many({"a": 80, "b": 80}, "train") + many({"a": 20, "b": 20}, "val")
        counts = split(facts, val=0.2, test=0.1).counts()
        assert Counter(counts["val"]) == {"a": 20, "b": 20}
        assert counts["test"]["a"] == round(80 * 0.1 / 0.8)

    def test_a_given_test_split_counts_as_the_share_it_was_asked_for(self):
        """As the config says: val / (1 - test) of the others, however many are given."""
        facts = many({"a": 80, "b": 80}, "train") + many({"a": 3, "b": 3}, "test")
        assert split(facts, val=0.2, test=0.6).counts()["val"] == {"a": 40, "b": 40}

    def test_train_alone_is_cut_in_three(self):
        counts = split(many({"a": 10, "b": 10}, "train")).counts()
        assert [counts[s]["a"] for s in ("train", "val", "test")] == [6, 2, 2]

    def test_photos_without_a_split_beside_given_ones_are_for_training(self):
        facts = (
            many({"a": 4, "b": 4}) + many({"a": 1, "b": 1}, "val") + many({"a": 1, "b": 1}, "test")
        )
        counts = split(facts).counts()
        assert counts["train"] == {"a": 4, "b": 4}

    @pytest.fixture
    def three(self):
        return [item for s in ("train", "val", "test") for item in many({"a": 6, "b": 6}, s)]

    @pytest.mark.parametrize("to", ["val", "test"])
    def test_photos_without_a_split_follow_their_copies_and_groups(self, three, to):
        loose = [
            fact("copy", "a", content=f"content of {to}/a/0"),
            fact("same file", "a", sha256=f"sha of {to}/a/1"),
            fact("group", "b", group="g"),
            fact("copy of the group's", "b", content="content of group"),
            fact("alone", "b"),
        ]
        grouped = fact(f"{to}/grouped", "b", to, group="g")
        where = sides(split([*loose, *three, grouped]))
        assert [where[item.path] for item in loose] == [to, to, to, to, "train"]

    def test_they_follow_the_test_split_first(self, three):
        loose = fact("loose", "a", content="content of val/a/0", sha256="sha of test/a/0")
        assert sides(split([loose, *three]))["loose"] == "test"

    def test_they_follow_where_a_split_is_missing(self):
        facts = many({"a": 30, "b": 30}) + many({"a": 9, "b": 9}, "test")
        facts += [fact(f"copy{n}", "a", content=f"content of test/a/{n}") for n in range(9)]
        for seed in range(10):
            where = sides(split(facts, seed=seed))
            assert {where[f"copy{n}"] for n in range(9)} == {"test"}

    def test_given_training_photos_stay_and_pull_nothing(self, three):
        leak = fact("train/leak", "a", "train", group="g", content="same")
        facts = [*three, leak, fact("test/leak", "a", "test", group="g")]
        where = sides(split([*facts, fact("copy", "a", content="same")]))
        assert where["train/leak"] == where["copy"] == "train"
        assert where["test/leak"] == "test"


class TestTooFew:
    def test_names_every_class(self):
        with pytest.raises(SplitError) as caught:
            split(many({"cat": 10, "dog": 2, "ant": 1}))
        assert str(caught.value) == (
            "too few photos for a split into train, val and test, with duplicates and groups kept "
            "together: ant (1 photos, none left for val, test); dog (2 photos, none left for "
            "test). Add photos of these classes or leave them out with --classes."
        )

    def test_copies_count_once(self):
        facts = many({"cat": 10}) + [fact(f"{n}", "dog", content="same") for n in range(9)]
        with pytest.raises(
            SplitError, match=r"dog \(9 photos in 1 group, none left for val, test\)"
        ):
            split(facts)

    def test_a_class_that_a_given_split_lacks(self):
        facts = many({"a": 9, "b": 9}, "train") + many({"a": 3}, "test")
        with pytest.raises(SplitError, match=r"b \(9 photos, none left for test\)"):
            split(facts)

    def test_one_class(self):
        with pytest.raises(SplitError) as caught:
            split(many({"cat": 10}))
        assert str(caught.value) == (
            "all photos are of one class, cat; expected at least two. Check that each class has "
            "its own folder, or give --label-from."
        )
