"""The content of a photo by its record's path: the bytes of a file, or the row of an array."""

from __future__ import annotations

import hashlib
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.data.arrays import ArrayReader, is_member
from classeur.data.records import Record
from classeur.errors import UnreadablePhotoError

Content = bytes | NDArray[Any]

MAX_BYTES = 1 << 30
"""Largest file that is read as a photo, in bytes."""


class PhotoReader:
    """Reads photos below a root. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._arrays = ArrayReader(root)
        self._lock = threading.Lock()
        self._array_files: dict[str, bool] = {}

    def read(self, path: str) -> Content:
        """Return the content of one photo. Raises UnreadablePhotoError with the reason."""
        file = self._root / path
        if "#" in path and self._is_row(path):
            with self._lock:
                return self._arrays.read(path)
        try:
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
                raise UnreadablePhotoError("is no regular file")
            if status.st_size > MAX_BYTES:
                raise UnreadablePhotoError(f"is larger than {MAX_BYTES >> 30} GiB")
            return file.read_bytes()
        except OSError as error:
            raise UnreadablePhotoError(f"cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # a table may hold names that no disk can
            raise UnreadablePhotoError("has a name that no file can have") from error

    def read_same(self, record: Record) -> Content:
        """Return the content of a photo that was scanned before, if it is still the same.

        Raises:
            UnreadablePhotoError: with the reason; also if it is another photo by now.
        """
        content = self.read(record.path)
        if sha256(content) != record.sha256:
            raise UnreadablePhotoError("has changed since it was scanned")
        return content

    def _is_row(self, path: str) -> bool:
        """Whether a path names a row of an array; asked of the disk once for each array file."""
        name = path.rpartition("#")[0]
        if name not in self._array_files:
            self._array_files[name] = is_member(path) and not (self._root / path).exists()
        return self._array_files[name]


def sha256(content: Content) -> str:
    """Return the SHA-256 of a file's bytes, or of an array's type, shape and values."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    head = f"{content.dtype.str}{content.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(content).tobytes()).hexdigest()


def file_size(content: Content) -> int:
    """Return the size of a photo's file in bytes; 0 for the row of an array, which has none."""
    return len(content) if isinstance(content, bytes) else 0
