"""Filters: what each does to a photo, how it is asked for, and that no split depends on it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage.data import astronaut

from classeur.config import DataConfig, PreprocessingConfig
from classeur.data.filters import FILTERS, WHITE_STD, apply_filters, filter_problems, parse_filters
from classeur.data.geometry import Geometry, suggest_geometry
from classeur.data.prepare import prepare
from classeur.data.scan import scan
from classeur.data.split import split
from classeur.data.store import cached_store
from classeur.errors import ConfigError

EVERY = [f"{name}=20" if item.default is None else name for name, item in FILTERS.items()]


@pytest.fixture(scope="module")
def photo():
    """A real photo, wider than high."""
    return Image.fromarray(astronaut()).resize((60, 40))


def filtered(image, *texts):
    return apply_filters(image, parse_filters(texts))


class TestEachFilter:
    @pytest.mark.parametrize("text", EVERY)
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_mode_and_pixels_stay_and_repeat(self, photo, text, mode):
        image = photo.convert(mode).point(lambda level: 40 + level // 2)
        before = image.tobytes()
        once = filtered(image, text)
        assert once.mode == mode
        assert sorted(once.size) == sorted(image.size)
        assert once.tobytes() == filtered(image, text).tobytes()
        assert once.tobytes() != before
        assert image.tobytes() == before

    @pytest.mark.parametrize("text", EVERY)
    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 8)])
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_a_blank_photo_stays_blank(self, text, size, mode):
        pixels = np.asarray(filtered(Image.new("RGB", size, (9, 9, 9)).convert(mode), text))
        assert pixels.min() == pixels.max()

    def test_autocontrast_stretches_each_channel(self, photo):
        dull = photo.point(lambda level: 60 + level // 3)
        for low, high in filtered(dull, "autocontrast").getextrema():
            assert (low, high) == (0, 255)
        wider = filtered(dull, "autocontrast=10")
        assert wider == ImageOps.autocontrast(dull, 10)
        assert wider != filtered(dull, "autocontrast")

    def test_equalize_is_pillows(self, photo):
        assert filtered(photo, "equalize") == ImageOps.equalize(photo)

    def test_whiten_gives_every_channel_the_same_mean_and_spread(self, photo):
        dark = photo.point(lambda level: 10 + level // 8)
        levels = np.asarray(filtered(dark, "whiten")).astype(float)
        assert levels.mean(axis=(0, 1)) == pytest.approx([127.5] * 3, abs=2)
        assert levels.std(axis=(0, 1)) == pytest.approx([WHITE_STD] * 3, abs=4)

    def test_whiten_makes_two_exposures_alike(self, photo):
        grey = photo.convert("L").point(lambda level: 40 + level // 2)
        darker = grey.point(lambda level: level - 40)
        assert filtered(grey, "whiten") == filtered(darker, "whiten")

    def test_whiten_does_not_blow_up_the_noise_of_a_blank_photo(self):
        levels = np.full((20, 20), 100, np.uint8)
        levels[3, 3] = 101
        white = np.asarray(filtered(Image.fromarray(levels), "whiten"))
        assert (white == 127).sum() == 399  # below the middle by a hair
        assert white[3, 3] == 191

    def test_what_is_exchanged(self, photo):
        pixels = np.asarray(photo)
        assert np.array_equal(np.asarray(filtered(photo, "mirror")), pixels[:, ::-1])
        assert np.array_equal(np.asarray(filtered(photo, "flip")), pixels[::-1])
        assert np.array_equal(np.asarray(filtered(photo, "transpose")), pixels.swapaxes(0, 1))

    @pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3), (0, 0), (-180, 2)])
    def test_quarter_turns_are_exact_and_counter_clockwise(self, photo, degrees, turns):
        turned = np.asarray(filtered(photo, f"rotate={degrees}"))
        assert np.array_equal(turned, np.rot90(np.asarray(photo), turns))

    def test_the_mean_colour_fills_the_corners(self, photo):
        turned = filtered(photo, "rotate=45")
        mean = np.asarray(photo).mean(axis=(0, 1))
        assert turned.size == photo.size
        assert turned.getpixel((0, 0)) == tuple(np.rint(mean))
        grey = filtered(photo.convert("L"), "rotate=45")
        assert grey.getpixel((59, 39)) == round(np.asarray(photo.convert("L")).mean())

    def test_they_are_applied_in_the_order_given(self, photo):
        one, other = filtered(photo, "rotate=30", "flip"), filtered(photo, "flip", "rotate=30")
        assert one != other
        assert other == filtered(filtered(photo, "flip"), "rotate=30")

    def test_none(self, photo):
        assert filtered(photo) is photo


class TestNames:
    @pytest.mark.parametrize("item", FILTERS.values(), ids=FILTERS)
    def test_each_says_what_it_does(self, item):
        assert item.description.endswith(".")
        assert item.usage.startswith(item.name)

    def test_usage(self):
        usages = [FILTERS[name].usage for name in ("mirror", "autocontrast", "rotate")]
        assert usages == ["mirror", "autocontrast[=PERCENT]", "rotate=DEGREES"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (
                "autocontrst",
                'unknown filter "autocontrst". Did you mean "autocontrast"? Expected one of: '
                f"{', '.join(FILTERS)}.",
            ),
            ("mirror=3", 'filter mirror takes no number, received "mirror=3".'),
            ("mirror=", 'filter mirror takes no number, received "mirror=".'),
            *(
                (
                    text,
                    "filter rotate takes degrees from -180 to 180, as in rotate=10; received "
                    f'"{text}".',
                )
                for text in ("rotate", "rotate=", "rotate=x", "rotate=181", "rotate=nan")
            ),
            (
                "autocontrast=50",
                "filter autocontrast takes percent from 0 to 49, as in autocontrast=10; received "
                '"autocontrast=50".',
            ),
        ],
    )
    def test_that_cannot_be(self, text, problem):
        assert filter_problems((text,)) == [problem]
        with pytest.raises(ConfigError) as caught:
            Geometry(8, filters=("mirror", text, "bogus"))
        assert caught.value.problems[0] == problem
        assert caught.value.problems[1].startswith('unknown filter "bogus".')

    def test_a_wrong_one_is_said_before_the_photos_are_looked_for(self, tmp_path):
        with pytest.raises(ConfigError, match='unknown filter "bogus"'):
            prepare(DataConfig(photos="nowhere"), PreprocessingConfig(filters=("bogus",)), tmp_path)


class TestGeometry:
    @pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
    @pytest.mark.parametrize("text", EVERY)
    @pytest.mark.parametrize("color", ["rgb", "grey"])
    def test_shape_and_type(self, photo, encode, resize, text, color):
        geometry = Geometry(16, color, resize, filters=(text,))
        pixels, _ = geometry.open(encode(photo))
        assert pixels.shape == geometry.shape
        assert pixels.dtype == np.uint8

    def test_they_follow_the_resize(self, photo):
        small = Image.fromarray(Geometry(16).pixels(photo))
        expected = np.asarray(ImageOps.equalize(small))
        assert np.array_equal(Geometry(16, filters=("equalize",)).pixels(photo), expected)

    def test_the_border_of_pad_does_not_count(self, photo):
        padded = Geometry(30, resize="pad", filters=("whiten",)).pixels(photo)
        assert (padded[:5] == 0).all()
        assert (padded[25:] == 0).all()
        inner = padded[5:25].astype(float)
        assert inner.mean(axis=(0, 1)) == pytest.approx([127.5] * 3, abs=6)

    def test_a_turned_photo_is_padded_at_its_other_sides(self, photo):
        padded = Geometry(30, resize="pad", filters=("transpose",)).pixels(photo)
        lying = Geometry(30, resize="pad").pixels(photo)
        assert np.array_equal(padded, lying.swapaxes(0, 1))

    def test_a_suggestion_keeps_them(self, class_folders):
        listing = scan(class_folders({"a": 1, "b": 1}))
        geometry = suggest_geometry(listing, filters=("mirror",))
        assert geometry == Geometry(24, filters=("mirror",))

    def test_they_make_another_store(self, class_folders):
        listing = scan(class_folders({"a": 2, "b": 2}))
        plain, turned = (cached_store(listing, Geometry(8, filters=f)) for f in ((), ("flip",)))
        assert plain.path != turned.path
        assert turned.geometry == Geometry(8, filters=("flip",))
        assert np.array_equal(turned.photos, plain.photos[:, ::-1])
        assert turned.is_whole


@pytest.mark.parametrize("filters", [("whiten",), ("equalize", "rotate=30"), ("autocontrast=20",)])
@pytest.mark.parametrize("resize", ["squash", "pad"])
def test_copies_and_the_split_are_the_same_whatever_the_filters(
    class_folders, draw, filters, resize
):
    """Two exposures of one photo become alike by whitening: they are no copies for that."""
    root = class_folders({"cat": 8, "dog": 8})
    grey = draw(77, mode="L").point(lambda level: 40 + level // 2)
    grey.convert("RGB").save(root / "cat" / "bright.png")
    grey.point(lambda level: level - 40).convert("RGB").save(root / "dog" / "dark.png")
    grey.convert("RGB").save(root / "dog" / "copy.bmp")
    listing = scan(root)
    stores = [cached_store(listing, Geometry(16, resize=resize, filters=f)) for f in ((), filters)]
    plain, changed = (store.facts(listing) for store in stores)
    assert plain == changed
    assert not np.array_equal(stores[0].photos, stores[1].photos)
    content = {fact.path: fact.content for fact in changed}
    assert content["cat/bright.png"] == content["dog/copy.bmp"] != content["dog/dark.png"]
    assert split(plain).rows == split(changed).rows
