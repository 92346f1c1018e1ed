"""One decoder: every format, mode and orientation comes out as the picture that was drawn."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from classeur.data import decode as room
from classeur.data.decode import SUFFIXES, decode, peek, stated_size, to_pixels
from classeur.errors import UnreadablePhotoError


def pixels(photo, color="rgb", **options):
    return to_pixels(decode(photo, color, **options).image)


def close(left, right, tolerance):
    assert left.shape == right.shape
    difference = np.abs(left.astype(int) - right.astype(int))
    assert difference.max() <= tolerance, f"pixels differ by up to {difference.max()}"


def quadrants() -> np.ndarray:
    """64×32 pixels in four colours: no two of its eight orientations look alike."""
    picture = np.empty((32, 64, 3), np.uint8)
    picture[:16, :32], picture[:16, 32:] = (230, 40, 40), (40, 200, 60)
    picture[16:, :32], picture[16:, 32:] = (50, 60, 220), (240, 230, 90)
    return picture


off_seams = np.ones((32, 64), bool)
"""Where lossy formats, which keep colour at half the scale, blend no two quadrants."""
off_seams[14:18], off_seams[:, 30:34] = False, False


def as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Return the rows and columns of a file in which the EXIF standard calls this `upright`.

    The standard says where the file's first row and first column belong in the upright picture.
    """
    turned = upright.swapaxes(0, 1)
    return {
        1: upright,  # row 0 is the top, column 0 the left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: turned,  # left, top
        6: turned[::-1],  # right, top
        7: turned[::-1, ::-1],  # right, bottom
        8: turned[:, ::-1],  # left, bottom
    }[orientation]


def png(
    width: int, height: int, bits: int, color_type: int, rows: bytes, *extra: tuple[bytes, bytes]
) -> bytes:
    """Return the bytes of a PNG by hand. `rows` each start with the filter byte 0."""
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def png_of(values: np.ndarray, color_type: int) -> bytes:
    """Return the bytes of a PNG of 16 bits a channel, (H, W) or (H, W, C)."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(values.shape[1], values.shape[0], 16, color_type, rows)


def tiff(values: np.ndarray, order: str = "<") -> bytes:
    """Return the bytes of an uncompressed TIFF of any number type, by hand: (H, W) or (H, W, 3)."""
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    bits, sample_format = values.dtype.itemsize * 8, {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    bits_at = 8 + len(data)  # three numbers of 16 bits do not fit into an entry of 32
    bits_entry = (258, 3, 3, bits_at) if channels == 3 else (258, 3, 1, bits)
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), bits_entry, (259, 3, 1, 1),
        (262, 3, 1, 2 if channels == 3 else 1), (273, 4, 1, 8), (277, 3, 1, channels),
        (278, 4, 1, height), (279, 4, 1, len(data)), (339, 3, 1, sample_format),
    ]  # fmt: skip
    packed = b"".join(
        struct.pack(order + "HHI", *entry[:3])
        + (
            struct.pack(order + "HH", entry[3], 0)
            if entry[1] == 3 and entry[2] == 1
            else struct.pack(order + "I", entry[3])
        )
        for entry in entries
    )
    directory = struct.pack(order + "H", len(entries)) + packed + bytes(4)
    start = b"II*\0" if order == "<" else b"MM\0*"
    bits_block = struct.pack(order + "HHH", bits, bits, bits)
    at = struct.pack(order + "I", bits_at + len(bits_block))
    return start + at + data + bits_block + directory


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize(
        ("file_format", "options", "tolerance"),
        [
            ("JPEG", {"quality": 95}, 8),
            ("PNG", {}, 0),
            ("WEBP", {"lossless": True}, 0),
            ("WEBP", {"quality": 95}, 8),
            ("TIFF", {}, 0),
            ("TIFF", {"compression": "tiff_lzw"}, 0),
        ],
    )
    def test_upright(self, encode, file_format, options, tolerance, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = Image.fromarray(np.ascontiguousarray(as_stored(quadrants(), orientation)))
        photo = encode(stored, file_format, exif=exif, **options)
        decoded = decode(photo)
        assert (decoded.width, decoded.height) == (64, 32)
        assert decoded.image.size == (64, 32)
        close(to_pixels(decoded.image)[off_seams], quadrants()[off_seams], tolerance)
        grey = np.asarray(Image.fromarray(quadrants()).convert("L"))[:, :, None]
        close(pixels(photo, "grey")[off_seams], grey[off_seams], tolerance)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_upright_at_a_reduced_scale(self, encode, orientation):
        large = quadrants().repeat(8, 0).repeat(8, 1)
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = Image.fromarray(np.ascontiguousarray(as_stored(large, orientation)))
        decoded = decode(encode(stored, "JPEG", quality=95, exif=exif), enough=32)
        assert decoded.reduced
        assert (decoded.width, decoded.height) == (512, 256)
        assert decoded.image.size == (128, 64)
        small = to_pixels(decoded.image.resize((64, 32), Image.Resampling.BOX))
        close(small[off_seams], quadrants()[off_seams], 8)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
    def test_upright_in_every_mode(self, encode, mode):
        if mode == "I;16":
            upright = Image.fromarray(quadrants()[:, :, 0].astype(np.uint16) * 257)
        else:
            upright = Image.fromarray(quadrants()).convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6
        stored = upright.transpose(Image.Transpose.ROTATE_90)
        assert np.array_equal(pixels(encode(stored, "PNG", exif=exif)), pixels(upright))

    def test_exif_after_the_pixels(self, encode):
        exif = Image.Exif()
        exif[0x0112] = 3
        photo = encode(Image.fromarray(quadrants()[::-1, ::-1].copy()), "PNG", exif=exif)
        start = photo.index(b"eXIf") - 4
        length = 12 + int.from_bytes(photo[start : start + 4], "big")
        chunk, end = photo[start : start + length], photo.index(b"IEND") - 4
        moved = photo[:start] + photo[start + length : end] + chunk + photo[end:]
        assert moved.index(b"IDAT") < moved.index(b"eXIf")
        assert np.array_equal(pixels(moved), quadrants())

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_unknown_orientation_is_shown_as_stored(self, encode, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo = encode(Image.fromarray(quadrants()), "PNG", exif=exif)
        assert np.array_equal(pixels(photo), quadrants())

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
    def test_broken_exif_is_shown_as_stored(self, encode):
        for block in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0not TIFF at all"):
            photo = encode(Image.fromarray(quadrants()), "JPEG", quality=95, exif=block)
            close(pixels(photo)[off_seams], quadrants()[off_seams], 8)


class TestFormats:
    @pytest.mark.parametrize(
        ("file_format", "options"),
        [
            ("PNG", {}),
            ("PNG", {"compress_level": 0}),
            ("BMP", {}),
            ("DIB", {}),
            ("TIFF", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("TIFF", {"compression": "tiff_deflate"}),
            ("WEBP", {"lossless": True}),
        ],
    )
    def test_exact(self, draw, encode, file_format, options):
        picture = draw(1)
        decoded = decode(encode(picture, file_format, **options))
        assert np.array_equal(to_pixels(decoded.image), np.asarray(picture))
        assert (decoded.width, decoded.height) == (32, 24)
        assert (decoded.format, decoded.mode, decoded.reduced) == (file_format, "RGB", False)

    @pytest.mark.parametrize(
        ("file_format", "options"),
        [
            ("JPEG", {"quality": 95}),
            ("JPEG", {"quality": 95, "progressive": True}),
            ("WEBP", {"quality": 95}),
        ],
    )
    def test_lossy(self, draw, encode, file_format, options):
        decoded = decode(encode(draw(1), file_format, **options))
        assert decoded.format == file_format
        difference = to_pixels(decoded.image).astype(int) - np.asarray(draw(1)).astype(int)
        assert np.abs(difference).mean() < 4

    def test_a_photo_from_a_phone_with_two_pictures_is_its_first(self, draw, encode):
        photo = encode(draw(1), "MPO", save_all=True, append_images=[draw(2)], quality=95)
        assert decode(photo).format == "MPO"
        close(pixels(photo), pixels(encode(draw(1), "JPEG", quality=95)), 0)

    def test_gif(self, encode):
        picture = Image.fromarray(quadrants()).quantize(4)
        decoded = decode(encode(picture, "GIF"))
        assert decoded.format == "GIF"
        assert np.array_equal(to_pixels(decoded.image), quadrants())

    def test_animated_gif_is_its_first_frame(self, encode):
        first, second = (
            Image.fromarray(p).quantize(4) for p in (quadrants(), quadrants()[::-1].copy())
        )
        photo = encode(first, "GIF", save_all=True, append_images=[second], loop=0)
        assert np.array_equal(pixels(photo), quadrants())

    @pytest.mark.parametrize("file_format", ["TIFF", "WEBP"])
    def test_several_pages_are_the_first(self, draw, encode, file_format):
        options = {"lossless": True} if file_format == "WEBP" else {}
        photo = encode(draw(1), file_format, save_all=True, append_images=[draw(2)], **options)
        assert np.array_equal(pixels(photo), np.asarray(draw(1)))

    def test_every_ending_that_is_listed_has_a_reader(self):
        assert Image.registered_extensions().keys() >= SUFFIXES

    def test_every_format_has_a_reader(self):
        Image.init()
        assert set(room.FORMATS) <= Image.OPEN.keys()

    def test_a_wrong_ending_does_not_matter(self, tmp_path, draw):
        draw(1).save(tmp_path / "photo.png")
        renamed = (tmp_path / "photo.png").rename(tmp_path / "photo.jpg")
        assert np.array_equal(pixels(renamed.read_bytes()), np.asarray(draw(1)))


class TestModes:
    def test_palette(self, encode):
        picture = Image.fromarray(quadrants()).quantize(4)
        decoded = decode(encode(picture, "PNG"))
        assert decoded.mode == "P"
        assert np.array_equal(to_pixels(decoded.image), quadrants())

    @pytest.mark.parametrize("file_format", ["PNG", "GIF"])
    def test_a_transparent_palette_entry_is_white(self, encode, file_format):
        picture = Image.fromarray(quadrants()).quantize(4)
        hole = picture.getpixel((0, 0))
        expected = quadrants()
        expected[:16, :32] = 255
        photo = encode(picture, file_format, transparency=hole)
        assert np.array_equal(pixels(photo), expected)

    def test_half_transparent_palette_entries_are_half_white(self, encode):
        picture = Image.fromarray(quadrants()).quantize(4)
        alphas = bytes([255, 128, 128, 128][:4])
        photo = encode(picture, "PNG", transparency=alphas)
        opaque = np.asarray(picture) == 0
        expected = np.where(
            opaque[:, :, None], quadrants(), np.rint(quadrants() * (128 / 255) + 127)
        )
        close(pixels(photo), expected, 1)

    @pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("alpha", [0, 64, 200, 255])
    def test_rgba_lies_on_white(self, encode, file_format, alpha):
        layers = np.dstack([quadrants(), np.full((32, 64), alpha, np.uint8)])
        options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
        decoded = decode(encode(Image.fromarray(layers), file_format, **options))
        assert decoded.mode == ("RGB" if (file_format, alpha) == ("WEBP", 255) else "RGBA")
        expected = np.rint(quadrants() * (alpha / 255) + (255 - alpha))
        close(to_pixels(decoded.image), expected, 1)

    @pytest.mark.parametrize("color", ["rgb", "grey"])
    def test_la_lies_on_white(self, encode, color):
        grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
        picture = Image.merge("LA", [Image.fromarray(grey), Image.new("L", (16, 16), 128)])
        expected = np.rint(grey * (128 / 255) + 127)[:, :, None]
        close(pixels(encode(picture), color), expected.repeat(3 if color == "rgb" else 1, 2), 1)

    @pytest.mark.parametrize("mode", ["L", "RGB", "1"])
    def test_a_transparent_colour_is_white(self, encode, mode):
        black = Image.new(mode, (4, 4))
        key = (0, 0, 0) if mode == "RGB" else 0
        assert (pixels(encode(black, "PNG", transparency=key)) == 255).all()
        assert (pixels(encode(black, "PNG", transparency=key), "grey") == 255).all()
        assert (pixels(encode(black, "PNG")) == 0).all()

    def test_cmyk_jpeg(self, encode):
        ink = np.empty((32, 64, 4), np.uint8)
        ink[:16, :32], ink[:16, 32:] = (0, 255, 255, 0), (255, 0, 0, 0)
        ink[16:, :32], ink[16:, 32:] = (0, 0, 0, 255), (0, 0, 0, 0)
        decoded = decode(encode(Image.fromarray(ink, "CMYK"), "JPEG", quality=100, subsampling=0))
        assert decoded.mode == "CMYK"
        expected = np.empty((32, 64, 3), np.uint8)
        expected[:16, :32], expected[:16, 32:] = (255, 0, 0), (0, 255, 255)
        expected[16:, :32], expected[16:, 32:] = (0, 0, 0), (255, 255, 255)
        close(to_pixels(decoded.image), expected, 6)

    def test_one_bit(self, encode):
        dots = np.indices((8, 8)).sum(0) % 2 == 1
        expected = np.where(dots, 255, 0)[:, :, None]
        for file_format in ("PNG", "TIFF", "BMP", "GIF"):
            photo = encode(Image.fromarray(dots), file_format)
            assert np.array_equal(pixels(photo, "grey"), expected), file_format
            assert np.array_equal(pixels(photo), expected.repeat(3, 2)), file_format

    def test_grey_is_the_luma_of_the_colours(self, draw, encode):
        red, green, blue = np.moveaxis(np.asarray(draw(3), float), 2, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        close(pixels(encode(draw(3)), "grey")[:, :, 0], luma, 1)

    def test_colour_of_a_grey_photo_is_grey_three_times(self, draw, encode):
        grey = draw(3, mode="L")
        assert np.array_equal(pixels(encode(grey)), np.asarray(grey)[:, :, None].repeat(3, 2))
        assert np.array_equal(pixels(encode(grey), "grey")[:, :, 0], np.asarray(grey))

    @pytest.mark.parametrize("mode", ["YCbCr", "CMYK"])
    def test_colours_of_a_tiff_that_are_not_rgb(self, draw, encode, mode):
        decoded = decode(encode(draw(1).convert(mode), "TIFF"))
        assert decoded.mode == mode
        close(to_pixels(decoded.image), np.asarray(draw(1)), 3)


class TestDeepPixels:
    """Scaled over the full range of their type, to the nearest of 256 steps."""

    deep = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    steps = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)

    def test_16_bit_grey_png(self):
        photo = png_of(self.deep, color_type=0)
        assert decode(photo).mode == "I;16"
        assert np.array_equal(pixels(photo, "grey"), self.steps)
        assert np.array_equal(pixels(photo), self.steps.repeat(3, 2))

    def test_16_bit_grey_is_rounded_not_cut(self):
        photo = png_of(np.array([[0, 128, 129, 32767, 32768, 65406, 65407, 65535]]), color_type=0)
        assert pixels(photo, "grey")[0, :, 0].tolist() == [0, 0, 1, 127, 128, 254, 255, 255]

    def test_16_bit_rgb_png(self):
        colors = np.dstack([self.deep, self.deep[::-1], self.deep.T])
        expected = np.dstack([self.steps[:, :, 0], self.steps[::-1, :, 0], self.steps[:, :, 0].T])
        assert np.array_equal(pixels(png_of(colors, color_type=2)), expected)

    def test_16_bit_png_with_alpha(self):
        full, half = np.full((16, 16), 65535), np.full((16, 16), 128 * 257)
        white = np.rint(self.steps * (128 / 255) + 127)
        grey = np.dstack([self.deep, full])
        assert np.array_equal(pixels(png_of(grey, color_type=4), "grey"), self.steps)
        close(pixels(png_of(np.dstack([self.deep, half]), color_type=4), "grey"), white, 1)
        colors = np.dstack([self.deep, self.deep, self.deep, half])
        close(pixels(png_of(colors, color_type=6)), white.repeat(3, 2), 1)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_16_bit_grey_tiff(self, order):
        assert np.array_equal(pixels(tiff(self.deep, order), "grey"), self.steps)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_16_bit_rgb_tiff(self, order):
        photo = tiff(self.deep[:, :, None].repeat(3, 2), order)
        assert np.array_equal(pixels(photo), self.steps.repeat(3, 2))

    @pytest.mark.parametrize(
        ("kind", "order"),
        [(np.int16, "<"), (np.int16, ">"), (np.int32, "<"), (np.int32, ">"), (np.uint32, "<")],
    )
    def test_wide_integers_of_a_tiff(self, kind, order):
        top = np.iinfo(kind).max
        values = np.array([[0, top // 4, top // 2, top]], kind)
        assert pixels(tiff(values, order), "grey")[0, :, 0].tolist() == [0, 64, 127, 255]

    @pytest.mark.parametrize("kind", [np.int32, np.uint32])
    def test_16_bit_pixels_kept_in_32_bits(self, kind):
        assert np.array_equal(pixels(tiff(self.deep.astype(kind)), "grey"), self.steps)

    def test_float_tiff(self):
        fractions = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
        assert decode(tiff(fractions)).mode == "F"
        assert np.array_equal(pixels(tiff(fractions), "grey"), self.steps)
        assert np.array_equal(pixels(tiff(fractions * 255), "grey"), self.steps)

    @pytest.mark.parametrize("kind", [np.int16, np.int32])
    def test_negative_pixels(self, kind):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(tiff(np.array([[-5, 0, 100]], kind)))
        assert str(caught.value) == "has negative pixels (from -5)"

    @pytest.mark.parametrize(
        ("value", "said"), [(-1, "-1 to 1"), (300, "1 to 300"), (np.nan, "nan to nan")]
    )
    def test_floats_out_of_range(self, value, said):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(tiff(np.array([[1, value]], np.float32)))
        assert str(caught.value) == f"has pixels from {said}; expected 0 to 1 or 0 to 255"

    def test_a_pillow_image_of_integers(self):
        image = Image.fromarray(np.array([[0, 2**31 - 1]], np.int32))
        assert pixels(image, "grey")[0, :, 0].tolist() == [0, 255]


class TestArrays:
    def test_bytes_as_they_are(self, draw):
        array = np.asarray(draw(1))
        decoded = decode(array)
        assert np.array_equal(to_pixels(decoded.image), array)
        assert (decoded.width, decoded.height) == (32, 24)
        assert (decoded.mode, decoded.format, decoded.reduced) == ("RGB", "ARRAY", False)

    def test_every_shape(self, draw):
        grey = np.asarray(draw(1, mode="L"))
        assert np.array_equal(pixels(grey, "grey")[:, :, 0], grey)
        assert np.array_equal(pixels(grey[:, :, None], "grey")[:, :, 0], grey)
        layers = np.dstack([np.asarray(draw(1)), np.zeros((24, 32), np.uint8)])
        assert (pixels(layers) == 255).all()  # all of it transparent

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (np.array([[False, True]]), [0, 255]),
            (np.array([[0, 65535]], np.uint16), [0, 255]),
            (np.array([[0, 2**32 - 1]], np.uint32), [0, 255]),
            (np.array([[0, 2**64 - 1]], np.uint64), [0, 255]),
            (np.array([[0, 1, 255]], np.int64), [0, 1, 255]),  # never guessed to be 0..1
            (np.array([[0, 0.5, 1]]), [0, 128, 255]),
            (np.array([[0, 0.5, 254.6]], np.float32), [0, 0, 255]),
            (np.array([[0.0, 1.0]], np.float16), [0, 255]),
        ],
    )
    def test_every_number_type(self, values, expected):
        assert pixels(values, "grey")[0, :, 0].tolist() == expected

    @pytest.mark.parametrize(
        "shape", [(), (5,), (4, 4, 2), (4, 4, 5), (2, 4, 4, 3), (0, 4), (4, 0, 3)]
    )
    def test_wrong_shape(self, shape):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(np.zeros(shape, np.uint8))
        assert str(caught.value) == (
            f"is an array of shape {shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        )

    @pytest.mark.parametrize("kind", ["complex128", "<U3", "object"])
    def test_no_numbers(self, kind):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(np.zeros((4, 4), kind))
        assert str(caught.value) == f"is an array of {np.dtype(kind)}; expected numbers"

    def test_out_of_range(self):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(np.array([[0, 256]]))
        assert str(caught.value) == "has pixels from 0 to 256; expected 0 to 1 or 0 to 255"

    def test_pillow_images(self, draw, encode):
        assert np.array_equal(pixels(draw(1)), np.asarray(draw(1)))
        assert decode(draw(1)).format == "ARRAY"
        with Image.open(io.BytesIO(encode(draw(1), "BMP"))) as image:
            assert decode(image).format == "BMP"

    def test_a_pillow_image_is_turned_upright_too(self, encode):
        exif = Image.Exif()
        exif[0x0112] = 6
        stored = Image.fromarray(np.ascontiguousarray(as_stored(quadrants(), 6)))
        with Image.open(io.BytesIO(encode(stored, "PNG", exif=exif))) as image:
            assert np.array_equal(pixels(image), quadrants())


@pytest.fixture(scope="module")
def photo(encode):
    """A real photo, 512×512 pixels, as a JPEG."""
    data = pytest.importorskip("skimage.data")
    return encode(Image.fromarray(data.astronaut()), "JPEG", quality=92)


class TestReducedScale:
    @pytest.mark.parametrize(("size", "left"), [(32, 64), (64, 128), (65, 256), (128, 256)])
    def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(self, photo, size, left):
        decoded, whole = decode(photo, enough=size), decode(photo)
        assert decoded.reduced
        assert not whole.reduced
        assert decoded.image.size == (left, left)
        assert (decoded.width, decoded.height) == (whole.width, whole.height) == (512, 512)
        small, truth = (
            np.asarray(d.image.resize((size, size), Image.Resampling.BILINEAR), float)
            for d in (decoded, whole)
        )
        assert np.abs(small - truth).mean() < 3

    def test_grey_too(self, photo):
        decoded = decode(photo, "grey", enough=64)
        assert (decoded.image.mode, decoded.image.size) == ("L", (128, 128))

    @pytest.mark.parametrize(
        ("enough", "side"), [(16, 64), (32, 64), (33, 128), (128, 256), (129, 512), (1000, 512)]
    )
    def test_twice_what_is_needed_is_always_left(self, photo, enough, side):
        decoded = decode(photo, enough=enough)
        assert decoded.image.size == (side, side)
        assert decoded.reduced == (side < 512)

    def test_the_short_side_counts(self, draw, encode):
        panorama = encode(draw(1, (1600, 100)), "JPEG")
        assert decode(panorama, enough=26).image.size == (1600, 100)
        assert decode(panorama, enough=25).image.size == (800, 50)

    def test_other_formats_are_decoded_in_full(self, draw, encode):
        for file_format in ("PNG", "WEBP", "BMP", "GIF", "TIFF"):
            decoded = decode(encode(draw(1, (400, 400)), file_format), enough=4)
            assert decoded.image.size == (400, 400)
            assert not decoded.reduced


class TestUnreadable:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty (0 bytes)"),
            (b"<!DOCTYPE html><title>404</title>", "is an HTML page, not a photo"),
            (b"\n  <HTML><body>Not found", "is an HTML page, not a photo"),
            (b"<!-- saved -->\n<html lang=en>", "is an HTML page, not a photo"),
            (b'<?xml version="1.0"?><Error/>', "is XML or SVG, not a photo"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is XML or SVG, not a photo"),
            (b"%PDF-1.7\n", "is a PDF, not a photo"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
                "is a Git LFS pointer, not the photo itself",
            ),
            (
                b"just some text",
                "is not a photo in any known format (JPEG, PNG, WebP, BMP, GIF, TIFF), "
                "or its head is cut off",
            ),
        ],
    )
    def test_no_photo(self, content, reason):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(content)
        assert str(caught.value) == reason

    def test_formats_that_are_not_ours(self, draw, encode):
        for file_format in ("PPM", "ICO", "TGA", "EPS"):
            with pytest.raises(UnreadablePhotoError, match="is not a photo in any known format"):
                decode(encode(draw(1), file_format))

    def test_decompression_bomb(self):
        bomb = png(60_000, 60_000, 8, 2, b"")
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(bomb)
        assert str(caught.value) == (
            "is a decompression bomb: Image size (3600000000 pixels) exceeds limit of 178956970 "
            "pixels, could be decompression bomb DOS attack."
        )

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_larger_than_is_decoded(self):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(png(15_000, 11_000, 1, 0, b""))
        assert str(caught.value) == (
            "is a decompression bomb or too large: 15000×11000 pixels, "
            "at most 150 megapixels are decoded"
        )

    def test_a_jpeg_counts_by_what_is_decoded_of_it(self, monkeypatch, draw, encode):
        monkeypatch.setattr(room, "MAX_PIXELS", 10_000)
        photo = encode(draw(1, (160, 160)), "JPEG")
        assert decode(photo, enough=40).image.size == (80, 80)
        with pytest.raises(UnreadablePhotoError, match="160×160 pixels"):
            decode(photo)

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (MemoryError(), "needs more memory than there is"),
            (ValueError(""), "is broken: ValueError"),
            (OSError("first line\n  second line"), "is broken: first line second line"),
        ],
    )
    def test_whatever_pillow_raises_has_a_reason(self, monkeypatch, error, reason):
        def fail(*_args, **_options):
            raise error

        monkeypatch.setattr(Image, "open", fail)
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(b"a photo")
        assert str(caught.value) == reason

    def test_truncated_jpeg(self, draw, encode):
        photo = encode(draw(1, (200, 200)), "JPEG")
        with pytest.raises(UnreadablePhotoError) as caught:
            decode(photo[: len(photo) // 2])
        assert re.fullmatch(
            r"is broken: image file is truncated \(\d+ bytes not processed\)", str(caught.value)
        )
        with pytest.raises(UnreadablePhotoError, match="truncated"):
            decode(photo[: len(photo) // 2], enough=50)

    @pytest.mark.parametrize(
        ("file_format", "options"),
        [
            ("JPEG", {}),
            ("JPEG", {"progressive": True}),
            ("PNG", {}),
            ("GIF", {}),
            ("WEBP", {}),
            ("WEBP", {"lossless": True}),
            ("BMP", {}),
            ("TIFF", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
        ],
    )
    def test_wherever_it_is_cut_it_is_whole_or_unreadable(self, draw, encode, file_format, options):
        photo = encode(draw(1, (48, 40)), file_format, **options)
        whole = pixels(photo)
        unreadable = 0
        for cut in range(0, len(photo), max(1, len(photo) // 150)):
            try:
                assert np.array_equal(pixels(photo[:cut]), whole), f"{cut} of {len(photo)} bytes"
            except UnreadablePhotoError:
                unreadable += 1
        assert unreadable >= 140

    def test_a_damaged_png_is_broken(self, draw, encode):
        photo = bytearray(encode(draw(1)))
        photo[photo.index(b"IDAT") + 40] ^= 0xFF
        with pytest.raises(UnreadablePhotoError, match="is broken: "):
            decode(bytes(photo))


class TestPeek:
    @pytest.mark.parametrize(
        ("mode", "grey"),
        [("RGB", False), ("L", True), ("1", True), ("LA", True), ("RGBA", False), ("P", False)],
    )
    def test_side_and_color(self, draw, encode, mode, grey):
        assert peek(encode(draw(1, (40, 24), mode))) == (24, grey)

    def test_deep_grey(self):
        assert peek(png_of(TestDeepPixels.deep, color_type=0)) == (16, True)
        for kind in (np.int32, np.float32):
            assert peek(tiff(np.zeros((3, 5), kind))) == (3, True)

    def test_arrays(self):
        assert peek(np.zeros((5, 7))) == (5, True)
        assert peek(np.zeros((7, 5, 1))) == (5, True)
        assert peek(np.zeros((5, 7, 3))) == (5, False)

    def test_no_head(self):
        with pytest.raises(UnreadablePhotoError, match="is broken: cannot identify image file"):
            peek(b"text")


class TestStatedSize:
    def test_the_head_says_it(self, draw, encode):
        photo = encode(draw(1, (40, 24)), "JPEG")
        assert stated_size(photo) == (40, 24)
        assert stated_size(photo[:-20]) == (40, 24)

    def test_no_head(self):
        with pytest.raises(UnreadablePhotoError, match="is not a photo in any known format"):
            stated_size(b"text")
        with pytest.raises(UnreadablePhotoError, match="is a PDF, not a photo"):
            stated_size(b"%PDF-1.4")

    def test_a_bomb(self, monkeypatch, draw, encode):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        with pytest.raises(UnreadablePhotoError, match="is a decompression bomb: Image size"):
            stated_size(encode(draw(1, (40, 24))))

    def test_a_reader_that_raises_anything(self, monkeypatch, draw, encode):
        def fail(*_, **__):
            raise ZeroDivisionError("division by zero")

        monkeypatch.setattr(Image, "open", fail)
        with pytest.raises(UnreadablePhotoError, match="is broken: division by zero"):
            stated_size(b"any")


def test_upright_agrees_with_pillow_on_real_exif(encode, draw):
    """The whole decoder against Pillow's own upright RGB, on an odd-sized picture."""
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo = encode(draw(orientation, (37, 23)), "JPEG", exif=exif)
        with Image.open(io.BytesIO(photo)) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert np.array_equal(pixels(photo), expected)
