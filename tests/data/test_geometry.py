"""A decoded photo -> the square of pixels that a network sees."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from classeur.data import geometry as room
from classeur.data.geometry import SAMPLE, Geometry, suggest_geometry
from classeur.data.scan import scan
from classeur.errors import UnreadablePhotoError


@pytest.fixture
def wide(draw):
    """60×20 pixels: black, then red, then white, 20 pixels each."""
    picture = np.zeros((20, 60, 3), np.uint8)
    picture[:, 20:40], picture[:, 40:] = (255, 0, 0), 255
    return Image.fromarray(picture)


class TestResize:
    def test_squash_keeps_all_of_it(self, wide):
        pixels = Geometry(12).pixels(wide)
        assert pixels.shape == (12, 12, 3)
        assert (pixels[:, :3] == 0).all()
        assert (pixels[:, 5:7] == (255, 0, 0)).all()
        assert (pixels[:, 9:] == 255).all()

    def test_crop_keeps_the_middle(self, wide):
        # At its border the filter reaches over the edge of the crop, as a resize of all would.
        pixels = Geometry(12, resize="crop").pixels(wide)
        assert (pixels[:, 1:-1] == (255, 0, 0)).all()
        tall = wide.transpose(Image.Transpose.TRANSPOSE)
        assert np.array_equal(Geometry(12, resize="crop").pixels(tall), np.swapaxes(pixels, 0, 1))

    def test_crop_of_a_part(self, draw):
        picture = draw(1, (40, 40))
        small = Geometry(20, resize="crop", crop_pct=0.5).pixels(picture)
        assert np.array_equal(small, np.asarray(picture.crop((10, 10, 30, 30))))

    def test_crop_is_a_resize_and_a_crop(self, draw):
        """As torchvision and timm do it: short side to size / crop_pct, then the middle."""
        picture = draw(2, (96, 96))
        ours = Geometry(28, resize="crop", crop_pct=0.875).pixels(picture)
        theirs = picture.resize((32, 32), Image.Resampling.BILINEAR).crop((2, 2, 30, 30))
        assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max() <= 1

    def test_pad_adds_black(self, wide):
        pixels = Geometry(30, resize="pad").pixels(wide)
        assert (pixels[:10] == 0).all()
        assert (pixels[20:] == 0).all()
        assert (pixels[10:20, 13:17] == (255, 0, 0)).all()
        assert (pixels[10:20, 22:] == 255).all()
        tall = wide.transpose(Image.Transpose.TRANSPOSE)
        assert np.array_equal(Geometry(30, resize="pad").pixels(tall), np.swapaxes(pixels, 0, 1))

    def test_pad_of_a_line(self):
        pixels = Geometry(8, resize="pad").pixels(Image.new("RGB", (800, 1), "white"))
        assert pixels.any(axis=(1, 2)).sum() == 1

    @pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
    def test_the_right_size_stays_as_it_is(self, draw, resize):
        picture = draw(1, (24, 24))
        assert np.array_equal(Geometry(24, resize=resize).pixels(picture), np.asarray(picture))

    @pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
    @pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("grey", 1)])
    @pytest.mark.parametrize("size", [(1, 1), (7, 50), (50, 7), (16, 16)])
    def test_shape_and_type(self, draw, encode, resize, interpolation, color, channels, size):
        geometry = Geometry(16, color, resize, interpolation)
        pixels, decoded = geometry.open(encode(draw(1, size)))
        assert pixels.shape == geometry.shape == (16, 16, channels)
        assert pixels.dtype == np.uint8
        assert geometry.channels == channels
        assert (decoded.width, decoded.height) == size

    def test_shrinking_is_antialiased(self):
        stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32)))
        pixels = Geometry(16, "grey").pixels(stripes)
        assert np.abs(pixels[:, 1:-1].astype(int) - 128).max() <= 2

    def test_a_huge_jpeg_is_reduced_first_and_looks_the_same(self, draw, encode, monkeypatch):
        monkeypatch.setattr("classeur.data.geometry.LARGE_PIXELS", 0)
        photo = encode(draw(3, (640, 480)), "JPEG", quality=95)
        for geometry in (Geometry(48), Geometry(48, resize="crop", crop_pct=0.8)):
            pixels, decoded = geometry.open(photo)
            assert decoded.reduced
            whole = geometry.pixels(Image.fromarray(np.asarray(draw(3, (640, 480)))))
            assert np.abs(pixels.astype(int) - whole.astype(int)).mean() < 3

    def test_no_photo(self):
        with pytest.raises(UnreadablePhotoError, match="is empty"):
            Geometry(16).open(b"")

    def test_as_plain_values(self):
        geometry = Geometry(16, "grey", "crop", "bicubic", 0.9, ("equalize", "rotate=10"))
        assert geometry.to_dict() == {
            "size": 16,
            "color": "grey",
            "resize": "crop",
            "interpolation": "bicubic",
            "crop_pct": 0.9,
            "filters": ["equalize", "rotate=10"],
        }
        assert Geometry.from_dict(geometry.to_dict()) == geometry

    def test_as_they_were_written_before_there_were_filters(self):
        values = {"size": 16, "color": "rgb", "resize": "squash", "interpolation": "bilinear"}
        assert Geometry.from_dict(values) == Geometry(16)


class TestSuggestion:
    @pytest.mark.parametrize(
        ("size", "chosen"),
        [((28, 28), 28), ((64, 90), 64), ((65, 65), 150), ((640, 480), 150), ((2, 2), 4)],
    )
    def test_small_photos_keep_their_size(self, class_folders, size, chosen):
        listing = scan(class_folders({"a": 1, "b": 1}, size=size))
        assert suggest_geometry(listing) == Geometry(chosen)

    def test_the_median_counts(self, class_folders):
        root = class_folders({"a": 5}, size=(32, 40))
        class_folders({"b": 4}, root, size=(800, 600))
        assert suggest_geometry(scan(root)).size == 32

    def test_grey_if_all_are(self, class_folders):
        root = class_folders({"a": 2, "b": 2}, mode="L")
        assert suggest_geometry(scan(root)).color == "grey"
        class_folders({"c": 1}, root)
        assert suggest_geometry(scan(root)).color == "rgb"

    def test_what_was_asked_is_kept(self, class_folders):
        listing = scan(class_folders({"a": 1, "b": 1}))
        assert suggest_geometry(listing, 96, "grey", "pad") == Geometry(96, "grey", "pad")

    def test_unreadable_photos_have_no_say(self, class_folders):
        root = class_folders({"a": 2}, mode="L")
        (root / "a" / "broken.png").write_bytes(b"no photo")
        (root / "a" / "gone.png").write_bytes(b"")
        listing = scan(root)
        (root / "a" / "gone.png").unlink()
        assert suggest_geometry(listing) == Geometry(24, "grey")

    @pytest.mark.parametrize(("photos", "looks"), [(200, 200), (201, 101), (399, 200), (1000, 200)])
    def test_a_sample_decides(self, tmp_path, monkeypatch, photos, looks):
        np.savez(tmp_path / "a.npz", x=np.zeros((photos, 8, 8)), y=np.arange(photos))
        listing, seen = scan(tmp_path), []
        monkeypatch.setattr(room, "peek", lambda photo: seen.append(photo) or (8, True))
        suggest_geometry(listing)
        assert len(seen) == looks <= SAMPLE

    def test_no_photo_at_all(self, tree):
        assert suggest_geometry(scan(tree("a/1.jpg", "b/1.jpg"))) == Geometry(150)

    def test_arrays(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=np.zeros((4, 28, 28)), y=[0, 1, 0, 1])
        assert suggest_geometry(scan(tmp_path)) == Geometry(28, "grey")


def test_only_a_huge_jpeg_is_decoded_at_a_smaller_scale(draw, encode, monkeypatch):
    photo = encode(draw(1, (400, 300)), "JPEG")
    assert not Geometry(32).decode(photo).reduced
    monkeypatch.setattr("classeur.data.geometry.LARGE_PIXELS", 400 * 300 - 1)
    assert Geometry(32).decode(photo).reduced
