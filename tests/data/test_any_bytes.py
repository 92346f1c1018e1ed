"""Any bytes give a photo or a finding; any place gives a listing or a finding. Nothing else.

The same examples every time. `benchmarks/fuzz.py` tries as many as there is time for.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import hostile

from classeur.config import LAYOUTS
from classeur.data import arrays
from classeur.data import decode as room
from classeur.data.decode import decode
from classeur.data.folders import natural
from classeur.data.reader import PhotoReader
from classeur.data.sources import list_photos
from classeur.errors import DataError, UnreadablePhotoError

modest = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def small():
    """Lower the limit, so that a header that asks for 149 megapixels does not get them here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "MAX_PIXELS", 1_000_000)
        yield


@settings(modest, max_examples=400)
@given(data=hostile.photos())
def test_any_bytes_are_a_photo_or_a_finding(small, data):
    hostile.check_photo(data)


@settings(modest, max_examples=60)
@given(tree=hostile.trees(), layout=st.sampled_from(LAYOUTS))
def test_any_folder_is_a_listing_or_a_finding(small, tree, layout):
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "photos"
        root.mkdir()
        hostile.plant(root, tree)
        hostile.check_place(root, Path(scratch), layout)


@settings(modest, max_examples=150)
@given(table=hostile.tables())
def test_any_table_is_a_listing_or_a_finding(small, table):
    with tempfile.TemporaryDirectory() as scratch:
        name, data = table
        (Path(scratch) / name).write_bytes(data)
        (Path(scratch) / "a.png").write_bytes(hostile.seeds()[5])
        hostile.check_place(Path(scratch) / name, Path(scratch))


@settings(modest, max_examples=200)
@given(files=hostile.arrays())
def test_any_arrays_are_a_listing_or_a_finding(small, files):
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "arrays"
        root.mkdir()
        for name, data in files.items():
            (root / name).write_bytes(data)
        hostile.check_place(root, Path(scratch))


# What was found so, each as a test of its own.


def reason_of(photo) -> str:
    with pytest.raises(UnreadablePhotoError) as caught:
        decode(photo)
    return str(caught.value)


@pytest.fixture
def deep():
    """1,500 folders within one another, and a photo in the last; pathlib cannot make them."""
    root = tempfile.mkdtemp(prefix="classeur-test-")
    here = root
    for name in ("cats", *"x" * 1500):
        here += f"/{name}"
        os.mkdir(here)  # noqa: PTH102
    (Path(here) / "1.jpg").touch()
    yield Path(root)
    subprocess.run(["rm", "-r", root], check=True)  # nor can shutil remove them


class TestWork:
    """A few kilobytes must not ask for hours."""

    def test_a_jpeg_of_many_scans(self):
        assert decode(hostile.many_scans(64, 64, room.MAX_SCANS - 1)).width == 64
        assert reason_of(hostile.many_scans(64, 64, room.MAX_SCANS)) == (
            "is a JPEG of more than 100 scans, each of them a pass over the whole picture"
        )

    def test_marks_in_what_follows_a_photo_are_no_scans(self, draw, encode):
        photo = encode(draw(), "JPEG", progressive=True)
        assert decode(photo + b"\xff\xda\x00\x02" * 500).width == 32

    def test_marks_in_a_comment_are_no_scans(self, draw, encode):
        assert decode(encode(draw(), "JPEG", comment=b"\xff\xda" * 500)).width == 32

    def test_a_run_length_encoded_bitmap(self):
        """Pillow writes a line's end byte by byte, in Python: this one had 149 million."""
        lines = b"".join(b"\4\1\0\0" for _ in range(4)) + b"\0\1"
        assert decode(hostile.run_length_bitmap(4, 4, lines)).width == 4
        assert reason_of(hostile.run_length_bitmap(80_000_000, 1, b"\1\0\0\0")) == (
            "is a run-length encoded bitmap of 80000000×1 pixels; at most 4 megapixels are decoded"
        )

    def test_links_among_folders(self, tree):
        """Twelve folders, each with links to all of them: 479 million paths."""
        root = tree(*(f"a/{name}/1.jpg" for name in range(12)), "b/1.jpg")
        for one in range(12):
            for other in range(12):
                (root / "a" / str(one) / f"to {other}").symlink_to(root / "a" / str(other))
        listing = list_photos(root)
        assert len(listing.records) == 13
        assert listing.passed_over == {
            "links to a folder they lie in, or that was read before": 144
        }

    @pytest.mark.parametrize("beside", [(), ("cats/1.jpg", "dogs/1.jpg")])
    def test_folders_within_folders(self, tree, deep, beside):
        """Python's own limit of calls within calls is 1,000."""
        tree(*beside, root=deep)
        assert len(list_photos(deep).records) == 1 + len(beside)

    def test_names_of_many_digits(self):
        names = ["9" * 5000, "9" * 4999 + "8", "1"]
        assert sorted(names, key=natural) == ["1", "9" * 4999 + "8", "9" * 5000]


class TestMemory:
    def test_one_large_photo_at_a_time(self, draw, encode, monkeypatch):
        monkeypatch.setattr(room, "LARGE_PIXELS", 100)
        done = threading.Event()

        def work() -> None:
            decode(encode(draw()))
            done.set()

        thread = threading.Thread(target=work)
        with room._large:
            thread.start()
            assert not done.wait(0.3)
        assert done.wait(30)
        thread.join()

    def test_an_array_that_is_no_photo(self):
        huge = np.broadcast_to(np.zeros(1, np.uint16), (20_000, 20_000))
        assert reason_of(huge).startswith("is a decompression bomb or too large: 20000×20000 pix")

    @pytest.mark.slow
    @pytest.mark.parametrize(("bits", "color_type"), [(16, 0), (8, 6)])
    def test_of_a_photo_in_a_rare_mode(self, tmp_path, bits, color_type):
        """36 megapixels: 4 bytes a pixel for what Pillow reads, and 4 for what is made of it."""
        from tests.data.test_decode import png

        row = bytes(1 + 6000 * bits // 8 * {0: 1, 6: 4}[color_type])
        (tmp_path / "a.png").write_bytes(png(6000, 6000, bits, color_type, row * 6000))
        code = (
            "import resource, sys; from classeur.data.decode import decode\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "decode(open(sys.argv[1], 'rb').read())\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "a.png")]
        needed = 1024 * int(subprocess.run(command, capture_output=True, check=True).stdout)
        assert needed < 9 * 36_000_000

    @pytest.mark.parametrize("name", ["x.npz", "train-images-idx3-ubyte.gz"])
    def test_arrays_that_unpack_to_more_than_there_is(self, tmp_path, monkeypatch, name):
        monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 2_000_000}.get)
        if name.endswith("npz"):
            np.savez_compressed(tmp_path / name, x=np.zeros((2, 1000, 1000), np.uint8))
        else:
            head = struct.pack(">HBB3I", 0, 8, 3, 2, 1000, 1000)
            (tmp_path / name).write_bytes(gzip.compress(head + bytes(2_000_000)))
        message = r" needs 0\.0 GB of memory, and at most 0\.0 GB, half of what this machine has,"
        with pytest.raises(DataError, match=message):
            list_photos(tmp_path)

    def test_a_packed_file_that_goes_on_after_its_end(self, tmp_path, monkeypatch):
        head = struct.pack(">HBB3I", 0, 8, 3, 2, 2, 2)
        file = tmp_path / "train-images-idx3-ubyte.gz"
        file.write_bytes(gzip.compress(head + bytes(1_000_000)))
        message = "the header promises 8 bytes of data, found more"
        with pytest.raises(DataError, match=message):
            list_photos(tmp_path)


class TestArrays:
    def test_an_archive_may_hold_other_files(self, tmp_path):
        file = tmp_path / "data.npz"
        np.savez(file, x=np.zeros((2, 4, 4), np.uint8), y=np.array([0, 1]))
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("README.txt", "of whom, and when")
        assert len(list_photos(file).records) == 2

    def test_an_archive_that_is_called_an_array(self, tmp_path):
        whole = io.BytesIO()
        np.savez(whole, x=np.zeros((2, 4, 4)))
        (tmp_path / "x.npy").write_bytes(whole.getvalue())
        with pytest.raises(DataError, match="cannot be read as an array: it is an archive"):
            list_photos(tmp_path)

    @pytest.mark.parametrize("header", ["(" * 300, "{" + "[" * 5000, "1\n  2\n 3", "{'descr':"])
    def test_headers_that_are_none(self, tmp_path, header):
        (tmp_path / "x.npy").write_bytes(hostile._npy(header, b"", 1))
        with pytest.raises(DataError, match="cannot be read as an array: "):
            list_photos(tmp_path)

    def test_a_label_that_is_no_text(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.array([0, 1]))
        (tmp_path / "class_names.json").write_text(json.dumps(["\ud800", "b"]))
        message = re.escape("has the label '\\ud800', which is no text. Rename that class.")
        with pytest.raises(DataError, match=message):
            list_photos(tmp_path / "a.npz")

    def test_the_highest_pixel_is_found_in_little_memory(self, tmp_path):
        np.save(tmp_path / "x.npy", np.array([[[0.5, np.nan]], [[0.25, 1.0]], [[np.inf, 0]]]))
        reader = arrays.ArrayReader(tmp_path)
        assert reader.read("x.npy#1").tolist() == [[64, 255]]


@pytest.mark.parametrize("layout", ["arrays", "idx", "auto", "table"])
def test_pipes_are_not_opened(tmp_path, layout):
    """Nobody writes into them: opening one waits for ever."""
    for name in ("x.npy", "x.npz", "train-images-idx3-ubyte", "labels.csv", "class_names.json"):
        os.mkfifo(tmp_path / name)
    for place in (tmp_path, *tmp_path.iterdir()):
        with pytest.raises(DataError):
            list_photos(place, layout)
    with pytest.raises(DataError, match="cannot be read as an array: it is no file"):
        PhotoReader(tmp_path).read("x.npy#1")


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(UnreadablePhotoError, match="has a name that no file can have"):
        PhotoReader(tmp_path).read("a\0.png")
