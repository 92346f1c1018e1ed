"""Photos that show the same picture, but not pixel for pixel."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits
from tests.data.pictures import NAMES, cropped, picture, recompressed, resized, save

from classeur.data import candidates as candidates_module
from classeur.data import near_duplicates as module
from classeur.data.candidates import RADIUS, candidates
from classeur.data.decode import decode
from classeur.data.facts import PhotoFacts
from classeur.data.geometry import Geometry
from classeur.data.inspect import inspect_listing
from classeur.data.likeness import likeness, small
from classeur.data.near_duplicates import NearPair, grouped
from classeur.data.near_findings import (
    Copies,
    NearLeak,
    copies_among,
    cut_pairs,
    near_sentences,
)
from classeur.data.perceptual import SMALLEST, perceptual_hash
from classeur.data.reader import PhotoReader
from classeur.data.scan import scan
from classeur.data.split import split
from classeur.data.store import build_store

CHANGES = {
    "resized": resized,
    "stretched": lambda image: image.resize((300, 300)),
    "quality 40": recompressed,
    "cropped": cropped,
    "cropped on two sides": lambda image: image.crop(
        (0, round(0.04 * image.height), round(0.96 * image.width), image.height)
    ),
    "all of it": lambda image: recompressed(resized(cropped(image))),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "grey": lambda image: image.convert("L"),
}


def folder(root, changes=None, names=NAMES):
    for name in names:
        save(picture(name), root / "a" / f"{name}.png")
    for name, change in (changes or {}).items():
        save(change(picture(name)), root / "b" / f"{name} again.png")
    return root


def textured(seed, dark=0.0):
    """A ramp from corner to corner, which alone decides the hash, under fine detail.

    `dark` grey levels are taken from the middle of it, softly.
    """
    slope = np.linspace(20, 235, 256)
    detail = np.random.default_rng(seed).normal(size=(48, 48)).astype(np.float32) * 14
    fine = Image.fromarray(detail).resize((256, 256), Image.Resampling.BICUBIC)
    coarse = fine.resize((8, 8), Image.Resampling.BOX).resize((256, 256), Image.Resampling.BICUBIC)
    middle = np.exp(-(((np.arange(256) - 128) / 50) ** 2))
    broad = (slope + slope[:, None]) / 2 - dark * middle * middle[:, None]
    pixels = broad + np.asarray(fine) - np.asarray(coarse)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert("RGB")


def fact_hash(file):
    return perceptual_hash(decode(file.read_bytes()))


def groups(root):
    return [item.paths for item in inspect_listing(scan(root)).near_duplicates]


class TestHash:
    def bits(self, one, other):
        return (
            int(perceptual_hash(decode(one)), 16) ^ int(perceptual_hash(decode(other)), 16)
        ).bit_count()

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
    def test_near_duplicates_are_within_the_radius(self, name, change):
        image = picture(name)
        assert self.bits(image, CHANGES[change](image)) <= RADIUS

    def test_different_photos_are_not(self):
        images = [picture(name) for name in NAMES]
        distances = [self.bits(a, b) for i, a in enumerate(images) for b in images[:i]]
        assert min(distances) > RADIUS

    def test_its_form(self):
        assert len(perceptual_hash(decode(picture("coffee")))) == 32

    def test_small_photos_have_none(self):
        image = picture("coffee")
        assert perceptual_hash(decode(image.resize((SMALLEST, 200))))
        assert not perceptual_hash(decode(image.resize((SMALLEST - 1, 200))))

    def test_flat_photos_have_none(self):
        noise = np.random.default_rng(0).integers(250, 256, (100, 100, 3), np.uint8)
        assert not perceptual_hash(decode(noise))


class TestLikeness:
    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("name", NAMES)
    def test_of_near_duplicates(self, name, change):
        if change == "grey" and name in ("astronaut", "rocket"):
            return  # much of their detail is colour
        image = picture(name)
        assert likeness(small(image), small(CHANGES[change](image))) > module.ALIKE

    def test_of_different_photos(self):
        looks = [small(picture(name)) for name in NAMES]
        assert max(likeness(a, b) for i, a in enumerate(looks) for b in looks[:i]) < 0.4

    def test_of_a_photo_without_detail(self):
        grey = np.full((64, 64, 3), 128, np.uint8)
        assert likeness(grey, grey) == 0
        assert likeness(grey, small(picture("coffee"))) == 0

    def test_colours_count(self):
        image = picture("coffee")
        other = Image.merge("RGB", image.split()[::-1])
        assert likeness(small(image), small(other)) < likeness(small(image), small(image)) - 0.01


class TestCandidates:
    def test_equal_hashes_are_in_one_bucket(self):
        same, other = "0" * 32, "f" * 32
        found = candidates([other, same, same, same])
        assert found.buckets == [[1, 2, 3], [0]]
        assert len(found.close) == 0
        assert not found.many

    def test_close_hashes_the_closest_first(self):
        found = candidates(["0" * 32, "0" * 30 + "0f", "0" * 31 + "1", "f" * 32])
        close = [{found.buckets[row][0] for row in pair} for pair in found.close]
        assert close == [{0, 2}, {1, 2}, {0, 1}]
        assert found.distances.tolist() == [1, 3, 4]

    @pytest.mark.parametrize("hashes", [[], ["0" * 32]])
    def test_too_few(self, hashes):
        found = candidates(hashes)
        assert found.close.shape == (0, 2)
        assert not found.many


class TestFinding:
    @pytest.mark.parametrize("change", ["resized", "quality 40", "cropped", "all of it"])
    def test_each_copy_is_found_and_nothing_else(self, tmp_path, change):
        folder(tmp_path, dict.fromkeys(("astronaut", "coffee", "clock"), CHANGES[change]))
        assert groups(tmp_path) == [
            [f"a/{name}.png", f"b/{name} again.png"] for name in ("astronaut", "clock", "coffee")
        ]

    def test_an_exact_copy_is_no_near_duplicate(self, tmp_path):
        folder(tmp_path, {"coffee": lambda image: image})
        found = inspect_listing(scan(tmp_path))
        assert len(found.duplicates) == 1
        assert found.near_duplicates == []

    def test_an_exact_copy_of_a_near_duplicate_is_in_its_group(self, tmp_path):
        folder(tmp_path, {"coffee": cropped})
        save(cropped(picture("coffee")), tmp_path / "b" / "third.png")
        assert groups(tmp_path) == [["a/coffee.png", "b/coffee again.png", "b/third.png"]]

    def test_of_equal_hashes_all_are_compared_not_only_with_the_first(self, tmp_path):
        """Three ramps of one hash: the first has other detail, the others are one picture."""
        save(textured(1), tmp_path / "a" / "0.png")
        save(textured(2), tmp_path / "a" / "1.png")
        save(resized(textured(2), 0.8), tmp_path / "b" / "2.png")
        hashes = {fact_hash(file) for file in tmp_path.rglob("*.png")}
        assert len(hashes) == 1
        assert groups(tmp_path) == [["a/1.png", "b/2.png"]]

    def test_who_leads_a_hash_meets_the_close_ones(self, tmp_path):
        """Of two unlike photos of one hash, the second is like one of another hash."""
        save(textured(1), tmp_path / "a" / "0.png")
        save(textured(2), tmp_path / "a" / "1.png")
        save(textured(2, dark=60), tmp_path / "b" / "2.png")
        first, second, third = (fact_hash(tmp_path / p) for p in ("a/0.png", "a/1.png", "b/2.png"))
        assert first == second != third
        assert groups(tmp_path) == [["a/1.png", "b/2.png"]]

    @pytest.mark.parametrize("few", [5000, 0])
    def test_many_copies_of_each_photo_are_no_crowd(self, tmp_path, monkeypatch, few):
        """A folder that was augmented before it came: ten of each, 4.5 pairs a photo."""
        monkeypatch.setattr(candidates_module, "FEW_PAIRS", few)
        names = NAMES[:4]
        for name in names:
            for i in range(10):
                changed = resized(cropped(picture(name), 0.003 * i), 0.9 - 0.04 * i)
                save(recompressed(changed, 45 + 5 * i), tmp_path / "ab"[i % 2] / f"{name}-{i}.png")
        assert sorted(map(len, groups(tmp_path))) == [10] * len(names)

    def test_blank_photos_are_no_near_duplicates(self, tmp_path):
        random = np.random.default_rng(0)
        for i in range(12):
            noise = random.normal(200 + i, 1.5, (120, 120, 3)).clip(0, 255).astype(np.uint8)
            save(Image.fromarray(noise), tmp_path / "ab"[i % 2] / f"{i}.png")
        assert groups(tmp_path) == []

    def test_gradients_alone_are_no_near_duplicates(self, tmp_path):
        ramp = np.linspace(0, 1, 200)[:, None] * np.ones((1, 200))
        for i in range(6):
            pixels = (30 + i + (180 + 3 * i) * ramp).astype(np.uint8)
            save(Image.fromarray(pixels), tmp_path / "ab"[i % 2] / f"{i}.png")
        assert groups(tmp_path) == []

    def test_digits_are_left_alone(self, tmp_path):
        pixels = (load_digits().images * 15.9).astype(np.uint8)
        np.savez(tmp_path / "digits.npz", x_train=pixels, y_train=load_digits().target)
        listing = scan(tmp_path / "digits.npz")
        found = inspect_listing(listing)
        assert found.near_duplicates == []
        store = build_store(listing, Geometry(8, "grey"), tmp_path / "store")
        facts = store.facts(listing)
        assert {(fact.hash, fact.near) for fact in facts} == {("", "")}

    def test_enlarged_digits_are_no_flood(self, tmp_path):
        """Two thirds of them were near-duplicates before crowds were judged apart."""
        for i, pixels in enumerate(load_digits().images[:300]):
            digit = Image.fromarray((pixels * 15.9).astype(np.uint8)).resize((96, 96))
            save(digit, tmp_path / str(load_digits().target[i]) / f"{i}.png")
        assert sum(map(len, groups(tmp_path))) < 10

    def test_the_same_whatever_the_photos_are_prepared_for(self, tmp_path):
        root = folder(tmp_path / "photos", dict.fromkeys(NAMES, CHANGES["all of it"]))
        listing = scan(root)
        in_full = inspect_listing(listing)
        assert len(in_full.near_duplicates) == len(NAMES)
        for geometry in (Geometry(16, "grey"), Geometry(150), Geometry(64, resize="crop")):
            store = build_store(listing, geometry, tmp_path / str(geometry.size))
            together = [
                [fact.path for fact in store.facts(listing) if fact.near == group.paths[0]]
                for group in in_full.near_duplicates
            ]
            assert together == [group.paths for group in in_full.near_duplicates]
            assert len(store.near_duplicates) == len(NAMES)

    def test_a_photo_that_goes_meanwhile_is_like_no_other(self, tmp_path):
        root = folder(tmp_path, {"coffee": cropped})
        listing = scan(root)
        facts = [
            PhotoFacts.of(record, decode((root / record.path).read_bytes()), record.path)
            for record in listing.records
        ]
        assert len(module.find_near_duplicates(facts, PhotoReader(root))) == 1
        (root / "b" / "coffee again.png").unlink()
        assert module.find_near_duplicates(facts, PhotoReader(root)) == []


def fact(path, label="a", split="", near="", content=""):
    return PhotoFacts(
        path, label, split, "", f"sha of {path}", 200, 200, "RGB", "PNG", content or path, near=near
    )


class TestGroups:
    def test_a_chain_is_cut_where_its_ends_are_unlike(self, tmp_path):
        """Cross-fades from one photo to another: each step is small, the ends are not."""
        one, other = picture("coffee"), picture("rocket").resize((600, 400))
        steps = 12
        for i in range(steps):
            save(Image.blend(one, other, i / (steps - 1)), tmp_path / "a" / f"{i:02d}.png")
        facts = [fact(f"a/{i:02d}.png") for i in range(steps)]
        pairs = [NearPair(a.path, b.path, 0.85) for a, b in itertools.pairwise(facts)]
        result = grouped(facts, pairs, PhotoReader(tmp_path))
        names = {item.near for item in result} - {""}
        assert len(names) > 1
        assert result[0].near == "a/00.png"
        assert result[0].near == result[1].near
        assert result[0].near != result[-1].near

    @pytest.fixture
    def unlike(self, monkeypatch):
        """Photos that are unlike wherever the first ones of two groups are compared."""
        monkeypatch.setattr(module._Looks, "likeness", lambda *_: 0.4)

    def test_copies_are_never_cut(self, tmp_path, unlike):
        pairs = [NearPair("a", "b", 0.95), NearPair("c", "d", 0.94), NearPair("b", "c", 0.93)]
        facts = [fact(name) for name in "abcd"]
        assert {f.near for f in grouped(facts, pairs, PhotoReader(tmp_path))} == {"a"}
        pairs[-1] = NearPair("b", "c", 0.89)
        assert {f.near for f in grouped(facts, pairs, PhotoReader(tmp_path))} == {"a", "c"}

    def test_but_in_a_film_that_never_ends(self, tmp_path, unlike):
        facts = [fact(f"{i:03d}") for i in range(250)]
        pairs = [NearPair(a.path, b.path, 0.95) for a, b in itertools.pairwise(facts)]
        result = grouped(facts, pairs, PhotoReader(tmp_path))
        sizes = Counter(item.near for item in result)
        assert 50 < max(sizes.values()) <= module.LONGEST
        cut = cut_pairs(result, pairs)
        assert 0 < cut == len(sizes) - 1

    def test_photos_without_a_pair_have_no_group(self, tmp_path):
        assert [f.near for f in grouped([fact("1"), fact("2")], [], PhotoReader(tmp_path))] == [
            "", "",
        ]  # fmt: skip

    def test_they_stay_on_one_side_of_every_split(self):
        facts = [
            fact(f"{label}/{i}", label, near=f"{label}/{i // 3 * 3}")
            for label in "ab"
            for i in range(60)
        ]
        for seed in range(5):
            sides = {}
            for row, item in zip(split(facts, seed=seed).rows, facts, strict=True):
                sides.setdefault(item.near, set()).add(row.split)
            assert all(len(side) == 1 for side in sides.values())

    def test_a_photo_without_a_split_joins_its_near_duplicate_in_the_given_test_split(self):
        facts = [fact(f"{label}/{i}", label, "") for label in "ab" for i in range(10)]
        facts += [fact(f"{label}/test", label, "test") for label in "ab"]
        facts[0] = dataclasses.replace(facts[0], near="x")
        facts[-1] = dataclasses.replace(facts[-1], near="x")
        assert split(facts).rows[0].split == "test"


class TestFindings:
    @pytest.fixture
    def found(self, tmp_path):
        save(picture("coffee"), tmp_path / "train" / "cup" / "1.png")
        save(picture("rocket"), tmp_path / "train" / "sky" / "1.png")
        save(cropped(picture("rocket")), tmp_path / "test" / "sky" / "2.png")
        save(cropped(picture("coffee")), tmp_path / "test" / "sky" / "3.png")
        save(picture("chelsea"), tmp_path / "test" / "cup" / "4.png")
        return inspect_listing(scan(tmp_path))

    def test_leaks_and_contradictions(self, found):
        assert sorted(leak.paths for leak in found.near_leaks) == [
            ["test/sky/2.png", "train/sky/1.png"],
            ["test/sky/3.png", "train/cup/1.png"],
        ]
        leak = next(leak for leak in found.near_leaks if "train/cup/1.png" in leak.paths)
        assert (leak.labels, leak.splits) == (["sky", "cup"], ["test", "train"])
        assert 0.9 < leak.likeness <= 1
        assert [item.labels for item in found.near_contradictions] == [["cup", "sky"]]

    def test_sentences(self, found):
        assert found.sentences()[:3] == [
            "1 group of near-duplicates carries more than one label: look at them.",
            "2 pairs of near-duplicates lie in different splits: scores on such photos are too "
            "good.",
            "2 photos nearly repeat another: resized, saved again, cropped a little, or taken a "
            "moment later.",
        ]

    def test_json(self, found):
        values = found.to_dict()
        assert len(values["near_duplicates"]) == len(values["near_leaks"]) == 2
        assert values["near_contradictions"][0]["labels"] == ["cup", "sky"]

    def test_a_leak_through_an_exact_copy(self):
        from classeur.data.near_findings import near_leaks

        facts = [
            fact("1", split="train", near="1"),
            fact("2", split="train", near="1", content="c"),
            fact("3", split="test", near="1", content="c"),
        ]
        assert near_leaks(facts, [NearPair("1", "2", 0.9)]) == [
            NearLeak(["1", "3"], ["a", "a"], ["train", "test"], 0.9)
        ]

    def test_copies_in_training(self):
        facts = [
            fact("1", split="train", near="1", content="c"),
            fact("2", split="test", content="c"),
            fact("3", split="test", near="1"),
            fact("4", split="test", near="5"),
            fact("5", split="val", near="5"),
            fact("6", split="test"),
        ]
        assert copies_among(facts, []) == Copies(["2"], ["3"])
        assert copies_among(facts, [], "val") == Copies([], [])
        pairs = [NearPair("1", "6", 0.93), NearPair("5", "6", 0.9)]
        assert copies_among(facts, pairs) == Copies(["2"], ["3", "6"])
        assert copies_among(facts, pairs[1:]) == Copies(["2"], ["3"])

    def test_pairs_in_no_group_together(self):
        facts = [fact("1", near="1"), fact("2", near="2"), fact("3", near="2")]
        pairs = [NearPair("1", "2", 0.9), NearPair("2", "3", 0.9)]
        assert cut_pairs(facts, pairs) == 1
        given = [dataclasses.replace(facts[0], split="train"), facts[1], facts[2]]
        assert cut_pairs(given, pairs) == 1
        assert cut_pairs([dataclasses.replace(f, split="train") for f in facts], pairs) == 0
        assert cut_pairs([dataclasses.replace(f, group="film") for f in facts], pairs) == 0
        assert list(near_sentences([], [], 1)) == [
            "1 pair of near-duplicates belongs to a series whose ends are different, which was "
            "cut: a split may separate them. Name the series with --group-from."
        ]


def test_a_crowd_needs_more_likeness(tmp_path, monkeypatch):
    folder(tmp_path, {"coffee": CHANGES["all of it"], "astronaut": lambda image: image.rotate(2)})
    assert len(groups(tmp_path)) == 2
    monkeypatch.setattr(candidates_module, "PAIRS_EACH", 0)
    assert len(groups(tmp_path)) == 2  # many, but copies
    monkeypatch.setattr(module, "STRANGERS", -1)
    assert groups(tmp_path) == [["a/coffee.png", "b/coffee again.png"]]
