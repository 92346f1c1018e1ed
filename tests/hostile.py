"""Hostile input, drawn by Hypothesis: bytes that claim to be photos, and places full of them.

The tests draw a few hundred of each, always the same ones; `benchmarks/fuzz.py` draws for as long
as it is told.
"""

from __future__ import annotations

import functools
import gzip
import io
import os
import re
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from classeur.data.decode import decode, peek
from classeur.data.inspect import inspect_listing
from classeur.data.manifest import Manifest, ManifestRow, read_manifest
from classeur.data.scan import scan
from classeur.errors import DataError, UnreadablePhotoError

EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
"""Numbers at which counters turn over."""


# ------------------------------------------------------------------------------- what must hold


def check_photo(data: bytes) -> str:
    """Decode bytes in every way; return `photo`, or the first words of the finding."""
    outcome = "photo"
    for color, enough in (("rgb", None), ("grey", None), ("rgb", 16)):
        try:
            decoded = decode(data, color, enough)  # type: ignore[arg-type]
        except UnreadablePhotoError as error:
            outcome = " ".join(str(error).split()[:3])
        else:
            assert decoded.image.mode == ("RGB" if color == "rgb" else "L")
            assert min(decoded.width, decoded.height) > 0
    with suppress(UnreadablePhotoError):
        peek(data)
    return outcome


def check_place(place: Path, scratch: Path, layout: str = "auto") -> str:
    """Scan and inspect a folder or a file; return `photos`, or the first words of the finding.

    What was found must survive being written down and read again.
    """
    try:
        listing = scan(place, layout=layout)
        found = inspect_listing(listing)
    except DataError as error:
        return f"{type(error).__name__}: {' '.join(str(error).split()[1:4])}"
    assert found.total + len(found.unreadable) >= len(listing.records)
    rows = [
        ManifestRow(r.path, r.label, ("train", "val", "test")[i % 3], r.sha256, 1, 1, r.group)
        for i, r in enumerate(listing.records)
    ]
    with suppress(DataError):  # a path that the table gives above its own folder
        file = scratch / "manifest.csv"
        Manifest(rows).write(file)
        assert read_manifest(file).rows == rows
    return "photos"


# ----------------------------------------------------------------------------------- photos


def _encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Return a small file of every format and mode that we read."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 3), np.uint8)
    photo = Image.fromarray(noise)
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "a camera", 0x011A: 72.0})
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    grey, clear = photo.convert("L"), photo.convert("RGBA")
    clear.putalpha(grey)
    paletted = photo.quantize(16)
    deep = Image.fromarray(noise[:, :, 0].astype(np.uint16) * 257)
    frames = [photo.transpose(Image.Transpose.ROTATE_180)]
    made = [
        _encoded(photo, "JPEG", exif=exif, comment=b"a comment"),
        _encoded(photo, "JPEG", progressive=True),
        _encoded(grey, "JPEG"),
        _encoded(photo.convert("CMYK"), "JPEG"),
        _encoded(photo, "MPO", save_all=True, append_images=frames),
        _encoded(photo, "PNG", exif=exif),
        _encoded(clear, "PNG"),
        _encoded(paletted, "PNG", transparency=3),
        _encoded(grey.convert("1"), "PNG"),
        _encoded(grey.convert("LA"), "PNG"),
        _encoded(deep, "PNG"),
        _encoded(paletted, "GIF", transparency=1, save_all=True, append_images=[paletted]),
        *(_encoded(image, "BMP") for image in (photo, grey, grey.convert("1"))),
        run_length_bitmap(8, 4, bytes.fromhex("04010000000202010003010203000001")),
        *(
            _encoded(image, "TIFF", compression=packed)
            for image, packed in [
                (photo, None), (photo, "tiff_lzw"), (photo, "jpeg"), (clear, "tiff_adobe_deflate"),
                (grey.convert("1"), "group4"), (paletted, "packbits"), (deep, None),
                (grey.convert("I"), None), (grey.convert("F"), "tiff_lzw"),
                (photo.convert("CMYK"), None), (photo.convert("LAB"), None),
            ]
        ),
        _encoded(photo, "TIFF", exif=exif, big_tiff=True),
        _encoded(photo, "WEBP", exif=exif),
        _encoded(clear, "WEBP", lossless=True),
        _encoded(photo, "WEBP", save_all=True, append_images=frames),
        b"<html>404</html>", b"%PDF-1.4", b"version https://git-lfs.github.com/spec/v1",
    ]  # fmt: skip
    return tuple(made)


def run_length_bitmap(width: int, height: int, codes: bytes) -> bytes:
    """Return a BMP of 8 bits a pixel, its rows encoded by hand."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(codes), 0, 0, 256, 0)
    start = 14 + 40 + 1024
    return (
        b"BM" + struct.pack("<IHHI", start + len(codes), 0, 0, start) + head + bytes(1024) + codes
    )


def many_scans(width: int, height: int, scans: int) -> bytes:
    """Return a progressive JPEG of a few kilobytes that asks for so many passes."""
    quantization = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + bytes([1, 0x11, 0])
    codes = b"".join(
        b"\xff\xc4" + struct.pack(">HB", 20, kind) + bytes([1, *[0] * 15, symbol])
        for kind, symbol in ((0x00, 0), (0x10, 0xE0))
    )
    first = b"\xff\xda" + struct.pack(">HB", 8, 1) + bytes([1, 0, 0, 0, 0])
    again = b"\xff\xda" + struct.pack(">HB", 8, 1) + bytes([1, 0, 1, 63, 0])
    runs = bytes((width // 8 * (height // 8) // 16384 + 1) * 15 // 8 + 1)
    return b"\xff\xd8" + quantization + frame + codes + first + scans * (again + runs) + b"\xff\xd9"


def _set(data: bytes, at: int, new: bytes) -> bytes:
    at %= len(data) + 1
    return data[:at] + new + data[at + len(new) :]


def _cut(data: bytes, at: int) -> bytes:
    return data[: at % (len(data) + 1)]


def _without(data: bytes, at: int, length: int) -> bytes:
    at %= len(data) + 1
    return data[:at] + data[at + length :]


def _twice(data: bytes, at: int, length: int) -> bytes:
    at %= len(data) + 1
    return data[: at + length] + data[at:]


def _resized(data: bytes, width: int, height: int) -> bytes:
    """Write another size into the header: a bomb, or a photo that ends too early."""
    if data.startswith(b"\x89PNG"):
        return _set(data, 16, struct.pack(">II", width, height))
    if data.startswith(b"GIF"):
        return _set(data, 6, struct.pack("<HH", width & 0xFFFF, height & 0xFFFF))
    if data.startswith(b"BM"):
        return _set(data, 18, struct.pack("<II", width, height))
    if data.startswith(b"\xff\xd8"):
        frame = re.search(rb"\xff[\xc0-\xc2]\x00", data)
        sides = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
        return _set(data, frame.start() + 5, sides) if frame else data
    if data[:2] in (b"II", b"MM"):
        order = "<" if data[:2] == b"II" else ">"
        for tag, side in ((256, width), (257, height)):
            at = data.find(struct.pack(order + "H", tag), 8)
            if at >= 0:
                entry = struct.pack(order + "HHII", tag, 4, 1, side & 0xFFFFFFFF)
                data = _set(data, at, entry)
    return data


def _checksummed(data: bytes) -> bytes:
    """Put the checksums of a PNG's chunks right, so that what was changed in them is read."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    fixed, at = data[:8], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        fixed += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return fixed + data[at:]


_places = st.one_of(st.integers(0, 80), st.integers(0, 1200), st.integers(0, 100_000))
_numbers = st.builds(
    lambda value, form: struct.pack(form, value & (0xFF, 0xFFFF, 0xFFFFFFFF)["BHI".index(form[1])]),
    st.sampled_from(EDGES),
    st.sampled_from(["<B", "<H", ">H", "<I", ">I"]),
)
_sides = st.one_of(st.sampled_from(EDGES), st.integers(0, 70_000))


def _edits(others: Sequence[bytes]) -> st.SearchStrategy[Callable[[bytes], bytes]]:
    def edit(function: Callable[..., bytes], *arguments: Any) -> Any:
        return st.builds(lambda *given: lambda data: function(data, *given), *arguments)

    return st.one_of(
        edit(_set, _places, st.binary(min_size=1, max_size=4)),
        edit(_set, _places, _numbers),
        edit(_cut, _places),
        edit(_without, _places, st.integers(1, 64)),
        edit(_twice, _places, st.integers(1, 400)),
        edit(_resized, _sides, _sides),
        edit(
            lambda data, at, other, start: _cut(data, at) + other[start % len(other) :],
            _places, st.sampled_from(others), _places,
        ),
        edit(lambda data, new, at: data[:at] + new + data[at:], st.binary(max_size=64), _places),
    )  # fmt: skip


def _edited(data: bytes, edits: Sequence[Callable[[bytes], bytes]], checksums: bool) -> bytes:
    for edit in edits:
        data = edit(data)
    return _checksummed(data) if checksums else data


def photos(more: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Bytes that are, were or never will be a photo.

    Args:
        more: files to damage besides our own.
    """
    known = (*seeds(), *more)
    damaged = st.builds(
        _edited, st.sampled_from(known), st.lists(_edits(known), max_size=5), st.booleans()
    )
    headed = st.builds(
        lambda data, at, tail: data[:at] + tail,
        st.sampled_from(known), st.integers(2, 64), st.binary(max_size=400),
    )  # fmt: skip
    return st.one_of(*[damaged] * 8, headed, st.binary(max_size=300))


# ----------------------------------------------------------------------------------- folders

_odd_names = st.binary(min_size=1, max_size=40).map(
    lambda raw: os.fsdecode(raw.replace(b"/", b"_").replace(b"\0", b"0"))
)
_names = st.one_of(
    st.sampled_from([
        "cats", "dogs", "train", "test", "val", "cat.0.jpg", "dog.1.png", "1.jpg", "2.png", "n01-a",
        "\x1b[31mred.jpg", "a\nb.jpg", "a\rb.png", "é.jpg", "e\u0301.jpg", ".hidden.jpg", "x#1.jpg",
        "photos.npz#x/0.jpg".replace("/", "_"), "9" * 200 + ".jpg", "x" * 251 + ".jpg", "=1+1.png",
        "'\";.jpg", "%s.jpg", " .jpg", "-rf.jpg", "labels.csv", "x.npy", "README", "Thumbs.db",
    ]),
    _odd_names,
    _odd_names.map(lambda name: name + ".jpg"),
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) <= 255)  # fmt: skip
_kinds = ("file", "file", "file", "file", "folder", "link", "pipe", "socket", "hard link")


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[str, list[str], Any]]:
    """What to put into a folder: (kind, path, content or target), in this order."""
    entries = draw(
        st.lists(st.tuples(st.sampled_from(_kinds), st.lists(_names, min_size=1, max_size=4)),
                 max_size=12)
    )  # fmt: skip
    contents = st.one_of(st.sampled_from(seeds()), photos())
    targets = st.one_of(
        st.sampled_from([".", "..", "../..", "/", "/dev/zero", "/dev/full", "/proc/self/fd/0"]),
        st.sampled_from(["/".join(path) for _, path in entries] or ["."]),
        st.sampled_from(["../" + path[0] for _, path in entries] or ["."]),
    )
    # What lies outside may be a whole machine: links that leave the folder are tested by hand.
    inside = targets.filter(lambda target: target not in ("/", "..", "../.."))
    return [(kind, path, draw(inside if "link" in kind else contents)) for kind, path in entries]


def plant(root: Path, tree: Sequence[tuple[str, list[str], Any]]) -> None:
    """Make a drawn tree below `root`; what the disk refuses is left out."""
    for kind, names, content in tree:
        path = root.joinpath(*names)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(path):  # writing into a pipe would wait for ever
                _make(kind, path, content, root)


def _make(kind: str, path: Path, content: Any, root: Path) -> None:
    if kind == "file":
        path.write_bytes(content)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(content)
    elif kind == "hard link":
        path.hardlink_to(root / content)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(str(path))


# ------------------------------------------------------------------------------------ tables

_cells = st.one_of(
    st.sampled_from([
        "a.png", "b.jpg", "sub/c.png", "../a.png", "/etc/passwd", "/dev/zero.jpg", "cat", "dog", "",
        "train", "val", "=1+1", "a\0.png", "9" * 5000 + ".jpg", "x" * 300 + ".jpg", "a.png#3",
        "\ud800.jpg".encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"), "~/a.png",
        "photos.npz#x/1", "a.png/", ".", "..",
    ]),
    st.text(max_size=12),
)  # fmt: skip
_headers = st.sampled_from(["path", "label", "split", "group", "file", "class", "é", "", "Path "])


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """(file name, bytes) of what should be a CSV or TSV."""
    name = draw(st.sampled_from(["labels.csv", "labels.tsv"]))
    if draw(st.integers(0, 5)) == 0:
        return name, draw(st.binary(max_size=200))
    sign = draw(st.sampled_from([",", ";", "\t"]))
    good = st.just(["path", "label", "split", "group"])
    header = draw(st.one_of(good, good, st.lists(_headers, max_size=5)))
    rows = draw(st.lists(st.lists(_cells, max_size=5), max_size=6))
    quote = draw(st.sampled_from(["", '"']))
    lines = [sign.join(f"{quote}{cell}{quote}" for cell in row) for row in [header, *rows]]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    coding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-le"]))
    data = end.join(lines).encode(coding, "replace")
    return name, draw(st.one_of(st.just(data), st.just(data[:-3]), st.just(data + b'\xff\x00"')))


# ------------------------------------------------------------------------------------ arrays

_types = ["|u1", "<u2", "<f4", "<f8", "|b1", "|O", "<U3", "|S2", "<c8", "<M8[s]", "|V4", "<i8", "x"]
_shapes = st.one_of(
    st.lists(st.integers(0, 5), max_size=4),
    st.lists(st.sampled_from([0, 1, 2, -1, 3, 2**31, 2**62, 2**63, 2**64]), max_size=5),
)


def _npy(header: str, data: bytes, version: int) -> bytes:
    encoded = header.encode("latin-1", "replace")
    size = struct.pack("<H", len(encoded)) if version == 1 else struct.pack("<I", len(encoded))
    return b"\x93NUMPY" + bytes([version, 0]) + size + encoded + data


@st.composite
def npys(draw: st.DrawFn) -> bytes:
    """What should be an NPY file, made by hand."""
    if draw(st.booleans()):  # a good one, so that what stands beside it is read, too
        shape = draw(st.sampled_from([(3, 4, 4), (3, 4, 4, 3), (3,), (3, 1), (2,)]))
        file = io.BytesIO()
        kind = draw(st.sampled_from(["u1", "f4", "f8", "i8", "U2", "S2", "u8"]))
        np.save(file, np.arange(int(np.prod(shape))).reshape(shape).astype(kind))
        return draw(st.one_of(st.just(file.getvalue()), _damaged(file.getvalue())))
    facts = {
        "descr": draw(st.sampled_from(_types)),
        "fortran_order": draw(st.booleans()),
        "shape": tuple(draw(_shapes)),
    }
    header = draw(
        st.one_of(st.just(repr(facts) + "\n"), st.text(max_size=40),
                  st.sampled_from(["(" * 300, "{'descr':", "{" + "[" * 5000, "1\n  2\n 3"]))
    )  # fmt: skip
    return _npy(header, draw(st.binary(max_size=100)), draw(st.sampled_from([1, 1, 2, 3, 9])))


def _damaged(data: bytes) -> st.SearchStrategy[bytes]:
    return st.builds(_edited, st.just(data), st.lists(_edits((data,)), max_size=3), st.just(False))


@st.composite
def npzs(draw: st.DrawFn) -> bytes:
    """What should be an NPZ file."""
    keys = st.sampled_from([
        "x.npy", "y.npy", "x_train.npy", "y_train.npy", "class_names.npy", "README.txt", "x",
        "../x.npy", "/x.npy",
    ])  # fmt: skip
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(st.sampled_from([0, 8, 12]))) as archive:
        for key in draw(st.lists(keys, max_size=5, unique=True)):
            archive.writestr(key, draw(st.one_of(npys(), npys(), st.binary(max_size=30))))
    return draw(st.one_of(st.just(file.getvalue()), _damaged(file.getvalue())))


@st.composite
def idxs(draw: st.DrawFn) -> bytes:
    """What should be an IDX file, packed or not."""
    shape = draw(
        st.one_of(st.sampled_from([(3, 4, 4), (3,), (3, 4, 4)]),
                  st.lists(st.sampled_from(EDGES), max_size=5))
    )  # fmt: skip
    head = bytes([0, 0, draw(st.sampled_from([8, 8, 8, 9])), len(shape)])
    sides = b"".join(struct.pack(">I", side) for side in shape)
    data = head + sides + draw(st.sampled_from([bytes(48), bytes([0, 1, 0]), b"", bytes(1000)]))
    packed = gzip.compress(data, mtime=0)
    return draw(st.one_of(st.just(data), st.just(packed), _damaged(packed), _damaged(data)))


@st.composite
def arrays(draw: st.DrawFn) -> dict[str, bytes]:
    """File name -> bytes of a folder of arrays."""
    choice = draw(st.sampled_from(["npz", "npy", "idx"]))
    if choice == "npz":
        files = {"data.npz": draw(npzs())}
    elif choice == "npy":
        files = {"x.npy": draw(npys()), "y.npy": draw(npys())}
    else:
        end = draw(st.sampled_from(["", ".gz"]))
        files = {
            f"train-images-idx3-ubyte{end}": draw(idxs()),
            f"train-labels-idx1-ubyte{end}": draw(idxs()),
        }
    names = st.sampled_from(
        [b'["a", "b", "c"]', b'["\\ud800", "b"]', b"{", b"3", b"[[[", b'{"a": 1}']
    )
    if draw(st.integers(0, 3)) == 0:
        files["class_names.json"] = draw(names)
    if draw(st.integers(0, 5)) == 0:
        files["class_names.txt"] = draw(st.binary(max_size=20))
    return files
