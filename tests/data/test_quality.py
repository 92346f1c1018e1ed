"""What a photo looks like in numbers, and which photos look odd."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from classeur.data.decode import decode
from classeur.data.facts import PhotoFacts
from classeur.data.geometry import Geometry
from classeur.data.inspect import inspect_listing
from classeur.data.quality import KINDS, Look, Odd, odd_photos
from classeur.data.scan import scan
from classeur.data.store import cached_store

data = pytest.importorskip("skimage.data")

ORDINARY = ("astronaut", "coffee", "chelsea", "rocket", "camera", "brick", "grass", "gravel")
"""Photos of scikit-image with nothing odd about them."""


def photo(name: str) -> Image.Image:
    return Image.fromarray(getattr(data, name)())


def fact(image: Image.Image, name: str = "x.png") -> PhotoFacts:
    decoded = decode(image)
    return PhotoFacts(
        name, "a", "", "", name, decoded.width, decoded.height, decoded.mode, "PNG", name,
        Look.of(decoded),
    )  # fmt: skip


def kinds(image: Image.Image) -> list[str]:
    return [odd.kind for odd in odd_photos([fact(image)])]


class TestLook:
    def test_in_numbers(self):
        picture = Image.new("RGB", (40, 40), (0, 0, 255))
        picture.paste((255, 0, 0), (1, 1, 39, 39))
        look = Look.of(decode(picture), file_bytes=7)
        assert look.file_bytes == 7
        assert (look.border_red, look.border_green, look.border_blue) == (0, 0, 255)
        assert look.red == pytest.approx(255 * 38**2 / 40**2)
        assert look.entropy == pytest.approx(0.461, abs=1e-3)
        assert look.brightest == pytest.approx(math.sqrt(0.241), abs=1e-4)
        assert look.darkest == pytest.approx(math.sqrt(0.068), abs=1e-4)
        assert look.sharpness > 0

    @pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 500), (500, 1), (3, 2)])
    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_of_the_smallest_photos(self, size, mode):
        look = Look.of(decode(Image.new(mode, size, "white")))
        assert (look.brightest, look.darkest, look.entropy) == (1, 1, 0)
        assert look.border_red == look.red == 255

    def test_is_much_the_same_at_a_reduced_scale(self, encode):
        content = encode(photo("astronaut"), "JPEG", quality=90)
        whole, reduced = Look.of(decode(content)), Look.of(decode(content, enough=64))
        assert decode(content, enough=64).reduced
        for name, value in dataclasses.asdict(whole).items():
            assert getattr(reduced, name) == pytest.approx(value, rel=0.05), name

    def test_is_kept_in_a_store(self, class_folders):
        listing = scan(class_folders({"a": 2, "b": 2}, size=(80, 60)))
        store = cached_store(listing, Geometry(16))
        for found in store.facts(listing):
            file = listing.root / found.path
            assert found.look == Look.of(decode(file.read_bytes()), file.stat().st_size)

    def test_of_a_row_of_an_array(self, tmp_path):
        photos = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
        np.savez(tmp_path / "a.npz", x_train=photos, y_train=[0, 1, 0, 1])
        listing = scan(tmp_path)
        assert {f.look.file_bytes for f in cached_store(listing, Geometry(8)).facts(listing)} == {0}


class TestOddPhotos:
    @pytest.mark.parametrize("name", ORDINARY)
    def test_an_ordinary_photo_is_not_odd(self, name):
        assert kinds(photo(name)) == []

    @pytest.mark.parametrize("name", ORDINARY)
    def test_a_blurred_one(self, name):
        picture = photo(name)
        strong = picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 32))
        assert kinds(strong) == ["blurred"]

    @pytest.mark.parametrize("name", ORDINARY)
    def test_a_dark_one(self, name):
        assert "dark" in kinds(photo(name).point(lambda level: level * 0.2))

    @pytest.mark.parametrize("name", ORDINARY)
    def test_an_over_exposed_one(self, name):
        assert "bright" in kinds(photo(name).point(lambda level: 245 + level * 0.04))

    def test_a_blank_one(self):
        assert "blank" in kinds(Image.new("RGB", (200, 150), (90, 120, 60)))
        noise = np.random.default_rng(0).integers(120, 124, (100, 100), np.uint8)
        assert "blank" in kinds(Image.fromarray(noise))

    def test_a_dark_blurred_one_is_dark(self):
        blurred = photo("coffee").filter(ImageFilter.GaussianBlur(20))
        assert kinds(blurred.point(lambda level: level * 0.2)) == ["dark"]

    def test_graphics_are_not_blurred(self):
        picture = Image.new("RGB", (200, 200), "white")
        picture.paste((200, 30, 30), (60, 60, 140, 140))
        assert "blurred" not in kinds(picture)

    def test_small_photos_are_neither_blurred_nor_blank(self):
        smooth = photo("coffee").filter(ImageFilter.GaussianBlur(40))
        assert kinds(smooth.resize((63, 80))) == []
        assert kinds(smooth.resize((64, 80))) == ["blurred"]

    @pytest.mark.parametrize(("size", "is_odd"), [((100, 35), False), ((34, 100), True)])
    def test_an_odd_shape(self, size, is_odd):
        assert ("shape" in kinds(photo("coffee").resize(size))) is is_odd

    def test_an_odd_size(self):
        picture = photo("gravel")
        sides = {"usual": 100, "also": 110, "other": 90, "large": 600, "small": 20}
        facts = [fact(picture.resize((side, side)), name) for name, side in sides.items()]
        assert odd_photos(facts) == [Odd("size", ["large"])]  # 6.3 times the median of 95
        assert odd_photos([fact(picture.resize((18, 18)), "x"), *facts[:3]]) == [Odd("size", ["x"])]

    def test_the_oddest_come_first(self):
        picture = photo("rocket")
        facts = [
            fact(picture.point(lambda level, by=by: level * by), f"{by}") for by in (0.2, 0.05, 0.1)
        ]
        (odd,) = [odd for odd in odd_photos(facts) if odd.kind == "dark"]
        assert odd.paths == ["0.05", "0.1", "0.2"]

    def test_of_no_photos(self):
        assert odd_photos([]) == []


def test_findings_name_them(class_folders):
    root = class_folders({"a": 4, "b": 4}, size=(48, 48))
    Image.new("RGB", (48, 48), (3, 2, 1)).save(root / "a" / "night.png")
    found = inspect_listing(scan(root))
    assert {odd.kind: odd.paths for odd in found.odd}["dark"] == ["a/night.png"]
    assert found.to_dict()["odd"][0] == {"kind": "dark", "paths": ["a/night.png"]}
    (sentence,) = [text for text in found.sentences() if "odd" in text]
    assert sentence.startswith("Some photos look odd, see whether they belong here: 1 dark")
    assert set(KINDS) >= {odd.kind for odd in found.odd}
