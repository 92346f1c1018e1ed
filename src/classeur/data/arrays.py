"""Photos in arrays: IDX files (MNIST and its kin), NPZ archives, and NPY pairs."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.data.records import Listing, Record, split_of
from classeur.errors import DataError

_IDX = re.compile(
    r"(?P<split>.*?)[-_.]?(?P<kind>images|labels)[-_.]idx(?P<ndim>[13])-ubyte(\.gz)?$"
)
_PHOTOS = {"x", "images", "image", "imgs", "photos", "photo", "pixels", "data"}
_LABELS = {"y", "labels", "label", "targets", "target", "classes"}

FASHION_MNIST = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""Class names in the order of the labels 0 to 9 (Xiao, Rasul and Vollgraf, 2017)."""


def recognise(files: list[Path]) -> str | None:
    """Return `idx` or `arrays` if the files are such, else None."""
    if any(_IDX.match(file.name) for file in files):
        return "idx"
    if any(file.suffix.lower() in (".npz", ".npy") for file in files):
        return "arrays"
    return None


def list_arrays(path: Path, layout: str) -> Listing:
    """List the rows of the image arrays at a path.

    A photos array (N, H, W[, C]) belongs to the labels array (N,) whose name differs only in the
    word for what it holds: x_train/y_train, train_images/train_labels, photos/labels, ….

    Raises:
        DataError: if there is no such pair, or their lengths differ.
    """
    root = path if path.is_dir() else path.parent
    files = sorted(root.iterdir()) if path.is_dir() or layout == "idx" else [path]
    if path.suffix.lower() == ".npy" and path.is_file():
        files = sorted(root.glob("*.npy"))
    files = [file for file in files if file.is_file()]  # opening a pipe would wait for ever
    listing = Listing(root, layout)
    found = dict(_arrays(files, layout))
    names = _class_names(root, found)
    for split, photos, labels in _pairs(found, root):
        if len(found[photos]) != len(found[labels]):
            raise DataError(
                f"{photos} holds {len(found[photos])} photos but {labels} {len(found[labels])} "
                "labels. Expected one label a photo."
            )
        named = _named(found[labels], names, labels)
        listing.records += [
            Record(f"{photos}{'/' if '#' in photos else '#'}{row}", label, split)
            for row, label in enumerate(named)
        ]
    return listing


def is_member(path: str) -> bool:
    """Whether a record's path names a row of an array rather than a file."""
    file, mark, row = path.rpartition("#")
    return bool(mark) and row.rpartition("/")[2].isdigit() and recognise([Path(file)]) is not None


class ArrayReader:
    """Rows of arrays by record path. Each array is opened once; NPY files are memory-mapped."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, NDArray[Any]] = {}
        self._highest: dict[str, float] = {}

    def read(self, path: str) -> NDArray[Any]:
        """Return one photo, from 0 to 255 where the array holds fractions.

        Raises:
            DataError: if the array or the row is not there.
        """
        file, _, inside = path.rpartition("#")
        key, _, row = inside.rpartition("/")
        name = f"{file}#{key}" if key else file
        if name not in self._open:
            layout = recognise([Path(file)]) or "arrays"
            if not (self._root / file).is_file():
                raise DataError(f"{self._root / file} cannot be read as an array: it is no file.")
            self._open.update(_arrays([self._root / file], layout))
        try:
            photo = np.asarray(self._open[name][int(row)])
        except (KeyError, IndexError) as error:
            raise DataError(f"{self._root / file} has no photo {inside}.") from error
        if photo.dtype.kind == "f" and photo.size:
            photo = self._eight_bit(name, photo)
        channels_first = photo.ndim == 3 and photo.shape[0] in (1, 3) and photo.shape[2] > 4
        return np.moveaxis(photo, 0, 2) if channels_first else photo

    def _eight_bit(self, name: str, photo: NDArray[Any]) -> NDArray[Any]:
        """Return a photo of floats as uint8; as it is if it has other pixels than its array may.

        The whole array tells whether white is 1 or 255: a dark photo alone could be either.
        """
        if name not in self._highest:
            tops = (np.max(some, initial=0, where=np.isfinite(some)) for some in self._open[name])
            self._highest[name] = float(max(tops))
        top = 1 if self._highest[name] <= 1 else 255
        if not (photo.min() >= 0 and photo.max() <= top):  # also true for NaN
            return photo  # which the decoder refuses, with the reason
        return np.rint(photo.astype(np.float64) * (255 / top)).astype(np.uint8)


def _arrays(files: list[Path], layout: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield (name, array): `file.npy`, `file.npz#key` or the IDX file's name."""
    for file in files:
        try:
            if layout == "idx" and _IDX.match(file.name):
                yield file.name, _read_idx(file)
            elif layout == "arrays" and file.suffix.lower() == ".npy":
                yield file.name, _read_npy(file)
            elif layout == "arrays" and file.suffix.lower() == ".npz":
                yield from _read_npz(file)
        except DataError:
            raise
        except Exception as error:  # a broken file can make numpy's readers raise anything at all
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{file} cannot be read as an array: {reason}.") from error


def _read_npy(file: Path) -> NDArray[Any]:
    """Map an NPY file into memory. Object arrays, which are pickles, are refused."""
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("it is an archive")
    return array


def _read_npz(file: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays of an archive; object arrays, which are pickles, are refused."""
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        _check_room(file, sum(member.file_size for member in archive.zip.infolist()))
        for key in archive.files:
            array = archive[key]
            if isinstance(array, np.ndarray):  # an archive may hold other files, too
                yield f"{file.name}#{key}", array


def _read_idx(file: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes: two zeros, type 8, the number of axes, their lengths, the data."""
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rb") as stream:
        start: bytes = stream.read(4)
        if len(start) < 4 or start[:3] != b"\x00\x00\x08":
            raise ValueError(f"no IDX file of bytes (it starts with {start.hex()})")
        shape = tuple(np.frombuffer(stream.read(4 * start[3]), ">u4", start[3]).tolist())
        size = math.prod(shape)
        _check_room(file, size)
        data: bytes = stream.read(size + 1)
    if len(data) != size:
        found = len(data) if len(data) < size else "more"
        raise ValueError(f"the header promises {size} bytes of data, found {found}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _check_room(file: Path, size: int) -> None:
    """Raise DataError for arrays that must be held in memory but would not leave enough of it."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    if size > most:
        raise DataError(
            f"{file} needs {size / 1e9:.1f} GB of memory, and at most {most / 1e9:.1f} GB, half of "
            "what this machine has, is given to arrays. Save them as NPY files, which are not "
            "loaded as a whole."
        )


def _pairs(found: Mapping[str, NDArray[Any]], root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (split, photos, labels) for every pair that matches."""
    sides: dict[str, dict[tuple[str, str], str]] = {"photos": {}, "labels": {}}
    for name, array in found.items():
        if _holds_class_names(name, array):
            continue
        words = _words(_bare(name))
        # Of archives side by side, the file's name tells the splits apart: train.npz and test.npz.
        archive = name.rpartition("#")[0]
        split = next((s for s in map(split_of, [*words, *_words(archive)]) if s), "")
        kinds = {"photos": _PHOTOS & set(words), "labels": _LABELS & set(words)}
        rest = " ".join(
            [w for w in words if w not in _PHOTOS | _LABELS and split_of(w) is None and w != "ubyte"
            and not w.startswith("idx")] + [archive]
        )  # fmt: skip
        if (kinds["labels"] and array.ndim == 1) or (
            kinds["labels"] and array.ndim == 2 and array.shape[1] == 1
        ):
            sides["labels"][(split, rest)] = name
        elif kinds["photos"] and array.ndim in (3, 4):
            sides["photos"][(split, rest)] = name
    pairs = [
        (key[0], photos, sides["labels"][key])
        for key, photos in sides["photos"].items()
        if key in sides["labels"]
    ]
    if not pairs:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in found.items())
        raise DataError(
            f"{root} holds no pair of photos (N, H, W[, C]) and labels (N,). Expected names such "
            f"as x_train and y_train, or photos and labels; found: {shapes or 'no arrays'}."
        )
    yield from pairs


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", name.lower())


def _holds_class_names(name: str, array: NDArray[Any]) -> bool:
    """Whether an array holds a name for each label, rather than a label for each photo."""
    if _bare(name).lower() not in ("class_names", "names", "classes"):
        return False
    return array.dtype.kind == "U" and array.ndim == 1


def _bare(name: str) -> str:
    """Return the words of an array's name, without the file's ending."""
    if "#" in name:
        return name.rpartition("#")[2]
    return re.sub(r"\.(npy|gz)$", "", name)


def _class_names(root: Path, found: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return the names of the labels 0, 1, …: from the data, a file beside it, or its folder."""
    for name, array in found.items():
        if _holds_class_names(name, array):
            return [str(item) for item in array]
    as_json, as_text = root / "class_names.json", root / "class_names.txt"
    try:
        if as_json.is_file():
            return [str(item) for item in json.loads(as_json.read_text(encoding="utf-8"))]
        if as_text.is_file():
            return as_text.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{root} has class names that cannot be read: {error}.") from error
    idx = any(_IDX.match(name) for name in found)
    if idx and any("fashion" in part.lower() for part in root.resolve().parts[-2:]):
        return list(FASHION_MNIST)
    return []


def _named(labels: NDArray[Any], names: list[str], source: str) -> list[str]:
    flat = labels.reshape(-1)
    if flat.dtype.kind == "S":
        flat = np.char.decode(flat, "utf-8", "backslashreplace")
    if flat.dtype.kind == "U":
        return [str(label) for label in flat]
    if flat.dtype.kind == "f" and np.all(flat == np.floor(flat)):
        flat = flat.astype(np.int64)
    if flat.dtype.kind not in "iub":
        raise DataError(f"{source} holds {flat.dtype} labels; expected whole numbers or texts.")
    numbers = flat.astype(np.int64)
    low, top = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    if names and (low < 0 or top >= len(names)):
        raise DataError(
            f"{source} has the label {low if low < 0 else top}, but there are {len(names)} class "
            f"names, for the labels 0 to {len(names) - 1}."
        )
    digits = len(str(top))
    return [names[n] if names else str(n).zfill(digits) for n in numbers.tolist()]
