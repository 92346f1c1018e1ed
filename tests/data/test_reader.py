"""Reading photos by path, and hashing them."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

from classeur.data import reader as room
from classeur.data.reader import PhotoReader, sha256
from classeur.errors import DataError, UnreadablePhotoError


class TestPhotoReader:
    def test_bytes_of_a_file(self, tmp_path):
        (tmp_path / "cats").mkdir()
        (tmp_path / "cats" / "1.jpg").write_bytes(b"photo")
        assert PhotoReader(tmp_path).read("cats/1.jpg") == b"photo"

    def test_a_row_of_an_array(self, tmp_path):
        np.save(tmp_path / "x.npy", np.arange(12).reshape(3, 2, 2))
        assert np.array_equal(PhotoReader(tmp_path).read("x.npy#1"), [[4, 5], [6, 7]])

    def test_a_file_that_is_called_like_a_row(self, tmp_path):
        (tmp_path / "x.npy#1").write_bytes(b"photo")
        assert PhotoReader(tmp_path).read("x.npy#1") == b"photo"

    def test_a_row_of_no_array(self, tmp_path):
        with pytest.raises(DataError, match="cannot be read as an array"):
            PhotoReader(tmp_path).read("x.npy#1")

    def test_reasons(self, tmp_path, monkeypatch):
        (tmp_path / "gone.jpg").symlink_to("nowhere")
        (tmp_path / "circle.jpg").symlink_to("circle.jpg")
        (tmp_path / "folder.jpg").mkdir()
        os.mkfifo(tmp_path / "pipe.jpg")
        (tmp_path / "large.jpg").write_bytes(bytes(11))
        monkeypatch.setattr(room, "MAX_BYTES", 10)
        reader = PhotoReader(tmp_path)
        for path, reason in (
            ("missing.jpg", "cannot be read: No such file or directory"),
            ("gone.jpg", "cannot be read: No such file or directory"),
            ("circle.jpg", "cannot be read: Too many levels of symbolic links"),
            ("folder.jpg", "is no regular file"),
            ("pipe.jpg", "is no regular file"),
            ("large.jpg", "is larger than 0 GiB"),
        ):
            with pytest.raises(UnreadablePhotoError) as caught:
                reader.read(path)
            assert str(caught.value) == reason, path

    def test_the_largest_file(self, tmp_path):
        with (tmp_path / "sparse.jpg").open("wb") as file:
            file.truncate((1 << 30) + 1)
        with pytest.raises(UnreadablePhotoError) as caught:
            PhotoReader(tmp_path).read("sparse.jpg")
        assert str(caught.value) == "is larger than 1 GiB"


class TestHash:
    def test_of_bytes(self):
        assert sha256(b"photo") == hashlib.sha256(b"photo").hexdigest()

    def test_of_arrays_by_values_type_and_shape(self):
        arrays = [
            np.zeros((2, 8), np.uint8),
            np.zeros((4, 4), np.uint8),
            np.zeros((2, 2), np.uint32),
            np.ones((2, 8), np.uint8),
            np.zeros((2, 8), np.int8),
        ]
        assert len({sha256(array) for array in arrays}) == len(arrays)
        assert sha256(arrays[0]) == sha256(arrays[0].copy(order="F"))
