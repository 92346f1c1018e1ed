"""Folds: every photo is tested once, and what belongs together is on one side."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from tests.data.test_split import fact, many, rooms, sides

from classeur.config import DataConfig
from classeur.data.folds import parts_of, split_fold
from classeur.data.prepare import split_as
from classeur.errors import SplitError


def all_folds(facts, folds, **options):
    return [split_fold(facts, folds=folds, fold=k, **options) for k in range(1, folds + 1)]


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_every_photo_is_tested_exactly_once(folds):
    facts = many({"cat": 53, "dog": 31, "ant": 12})
    tested = Counter()
    for manifest in all_folds(facts, folds):
        assert [row.path for row in manifest.rows] == [item.path for item in facts]
        tested.update(manifest.rows[i].path for i in manifest.indices("test"))
    assert tested == {item.path: 1 for item in facts}


@pytest.mark.parametrize(("folds", "classes"), [(3, 3), (3, 30), (4, 7), (7, 31)])
def test_folds_are_stratified_and_of_one_size(folds, classes):
    numbers = {f"class {i}": 10 + i % 3 for i in range(classes)}
    counts = [m.counts()["test"] for m in all_folds(many(numbers), folds)]
    for label, number in numbers.items():
        held = [count[label] for count in counts]
        assert max(held) - min(held) <= 1
        assert sum(held) == number
    sizes = [count.total() for count in counts]
    assert max(sizes) - min(sizes) <= 1


def test_validation_is_a_share_of_all_photos():
    for manifest in all_folds(many({"cat": 50, "dog": 100}), 5, val=0.2):
        assert manifest.counts() == {
            "train": {"cat": 30, "dog": 60},
            "val": {"cat": 10, "dog": 20},
            "test": {"cat": 10, "dog": 20},
        }


def test_groups_and_copies_are_on_one_side_of_every_fold():
    facts = [
        fact(f"{label}{n}", label, group=f"patient {n % 15}")
        for label in ("ill", "well")
        for n in range(60)
    ]
    facts += [fact(f"alone{n}", "ill") for n in range(9)]
    facts += [fact(f"copy{n}", "well", content=f"content of alone{n}") for n in range(9)]
    facts += [fact(f"bytes{n}", "ill", sha256=f"sha of alone{n}") for n in range(9)]
    for seed in range(5):
        for manifest in all_folds(facts, 4, seed=seed):
            where = sides(manifest)
            owners = {}
            for row in manifest.rows:
                owners.setdefault(row.group or row.path, set()).add(row.split)
            assert all(len(splits) == 1 for splits in owners.values())
            for n in range(9):
                assert where[f"alone{n}"] == where[f"copy{n}"] == where[f"bytes{n}"]
            assert 20 <= manifest.counts()["test"].total() <= 55


def test_a_rare_class_is_spread_beside_a_frequent_one():
    """Groups of one rare and many frequent photos: the rare ones still go to all folds."""
    facts = [fact(f"c{n}", "common", group=f"g{n % 30}") for n in range(600)]
    facts += [fact(f"r{n}", "rare", group=f"g{n}") for n in range(12)]
    for seed in range(5):
        held = [m.counts()["test"]["rare"] for m in all_folds(facts, 3, val=1 / 3, seed=seed)]
        assert held == [4, 4, 4]


def test_a_rare_class_in_as_many_groups_as_folds_is_in_each():
    facts = rooms({"lamp": [1, 1, 1], "plant": [0, 9, 9, 5, 1]})
    for seed in range(10):
        part = parts_of(facts, 3, seed)
        for label in ("lamp", "plant"):
            assert {part[f.path] for f in facts if f.label == label} == {1, 2, 3}


def test_folds_drawn_before_are_drawn_again():
    """Of photos without groups and copies."""
    part = parts_of(many({"cat": 100, "dog": 57, "ant": 5}), 4, seed=3)
    assert hashlib.sha256(repr(part).encode()).hexdigest()[:16] == "4806c1ca83150153"


def test_the_seed_decides():
    facts = many({"cat": 30, "dog": 30})
    drawn = [tuple(sides(split_fold(facts, folds=3, fold=1, seed=s)).values()) for s in range(4)]
    assert len(set(drawn)) == 4
    assert split_fold(facts, folds=3, fold=2, seed=1) == split_fold(facts, folds=3, fold=2, seed=1)


def test_a_training_split_alone_is_cut_like_any_photos():
    given, loose = many({"a": 12, "b": 12}, "train"), many({"a": 12, "b": 12}, "")
    first, second = (split_fold(facts, folds=3, fold=2) for facts in (given, loose))
    assert [row.split for row in first.rows] == [row.split for row in second.rows]


def test_a_config_asks_for_a_fold():
    facts = many({"a": 12, "b": 12})
    asked = DataConfig(folds=3, fold=2, val=0.25, split_seed=7)
    assert split_as(asked, facts) == split_fold(facts, folds=3, fold=2, val=0.25, seed=7)


def test_a_test_split_that_the_data_brought_is_not_mixed():
    facts = many({"a": 9, "b": 9}, "train") + many({"a": 3, "b": 2}, "test")
    with pytest.raises(SplitError) as caught:
        split_fold(facts, folds=3, fold=1)
    assert str(caught.value) == (
        "the data brought a split of its own (5 photos in test), and folds would mix it. Leave out "
        "--folds, or give only the photos to cut into folds: the folder of the training photos, or "
        "a table without a column of splits."
    )
    with pytest.raises(SplitError, match=r"\(6 photos in test, 2 photos in val\)"):
        split_fold(many({"a": 2}, "val") + many({"a": 6}, "test"), folds=2, fold=1)


def test_too_few_photos_names_every_class():
    facts = many({"cat": 10, "dog": 2, "ant": 1})
    facts += [fact(f"{n}", "bee", content="same") for n in range(9)]
    with pytest.raises(SplitError) as caught:
        split_fold(facts, folds=3, fold=1)
    assert str(caught.value) == (
        "too few photos for 3 folds, with duplicates and groups kept together: ant (1 photos, in 1 "
        "of 3 folds); bee (9 photos, in 1 of 3 folds); dog (2 photos, in 2 of 3 folds). Add photos "
        "of these classes, leave them out with --classes, or ask for fewer --folds."
    )


def test_a_class_that_no_fold_could_train_and_validate():
    with pytest.raises(SplitError, match=r"dog \(2 photos, none left for val\)"):
        split_fold(many({"cat": 10, "dog": 2}), folds=2, fold=1)


def test_one_class():
    with pytest.raises(SplitError, match="all photos are of one class, cat"):
        split_fold(many({"cat": 10}), folds=2, fold=1)
