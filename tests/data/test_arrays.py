"""Photos in arrays: IDX, NPZ and NPY."""

from __future__ import annotations

import gzip
import json
import struct

import numpy as np
import pytest

from classeur.data.arrays import FASHION_MNIST, ArrayReader, is_member
from classeur.data.decode import decode
from classeur.data.records import count_by
from classeur.data.sources import list_photos
from classeur.errors import DataError, UnreadablePhotoError


def idx(values):
    values = np.asarray(values, np.uint8)
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def photos(count, seed=0, shape=(4, 5)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def found(listing):
    return {split: dict(labels) for split, labels in count_by(listing.records).items()}


def pictures(listing):
    """Return the photos of a listing, in its order."""
    reader = ArrayReader(listing.root)
    return np.stack([reader.read(record.path) for record in listing.records])


@pytest.fixture
def mnist(tmp_path):
    def write(folder="mnist", packed=True):
        root = tmp_path / folder
        root.mkdir()
        for name, number in (("train", 20), ("t10k", 10)):
            for kind, values in (
                ("images-idx3", photos(number, number)),
                ("labels-idx1", np.arange(number) % 10),
            ):
                content = idx(values)
                file = root / f"{name}-{kind}-ubyte{'.gz' if packed else ''}"
                file.write_bytes(gzip.compress(content) if packed else content)
        return root

    return write


class TestIdx:
    @pytest.mark.parametrize("packed", [True, False])
    def test_mnist(self, mnist, packed):
        listing = list_photos(mnist(packed=packed))
        assert listing.layout == "idx"
        digits = [str(digit) for digit in range(10)]
        assert found(listing) == {
            "train": dict.fromkeys(digits, 2),
            "test": dict.fromkeys(digits, 1),
        }
        test = [record for record in listing.records if record.split == "test"]
        assert [record.label for record in test] == digits
        assert np.array_equal(pictures(listing)[:10], photos(10, 10))  # t10k sorts before train
        assert np.array_equal(pictures(listing)[10:], photos(20, 20))

    def test_one_file_stands_for_its_folder(self, mnist):
        root = mnist()
        listing = list_photos(root / "train-images-idx3-ubyte.gz")
        assert len(listing.records) == 30
        assert listing.records[0].path == "t10k-images-idx3-ubyte.gz#0"

    def test_class_names_of_fashion_mnist(self, mnist):
        listing = list_photos(mnist("Fashion-MNIST"))
        assert listing.labels() == sorted(FASHION_MNIST)
        assert listing.records[1].label == "Trouser"

    def test_class_names_beside_it(self, mnist):
        root = mnist()
        names = [f"digit {n}" for n in range(10)]
        (root / "class_names.txt").write_text("\r\n".join(names) + "\r\n", encoding="utf-8")
        assert list_photos(root).labels() == names

    def test_kaggles_spelling(self, tmp_path):
        (tmp_path / "train-images.idx3-ubyte").write_bytes(idx(photos(3)))
        (tmp_path / "train-labels.idx1-ubyte").write_bytes(idx([0, 1, 1]))
        assert found(list_photos(tmp_path)) == {"train": {"0": 1, "1": 2}}

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"\x00\x00\x0d\x03" + bytes(20), "no IDX file of bytes (it starts with 00000d03)"),
            (b"\x00", "no IDX file of bytes (it starts with 00)"),
            (idx(photos(3))[:-1], "the header promises 60 bytes of data, found 59"),
            (b"\x00\x00\x08\x03", "buffer is smaller than requested size"),
        ],
    )
    def test_broken(self, tmp_path, content, reason):
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx([0, 1, 1]))
        file = tmp_path / "train-images-idx3-ubyte"
        file.write_bytes(content)
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path)
        assert str(caught.value) == f"{file} cannot be read as an array: {reason}."

    @pytest.mark.parametrize("cut", [5, 30, -4])
    def test_broken_gzip(self, mnist, cut):
        root = mnist()
        file = root / "train-images-idx3-ubyte.gz"
        file.write_bytes(file.read_bytes()[:cut])
        with pytest.raises(DataError, match="cannot be read as an array: Compressed file ended"):
            list_photos(root)

    def test_not_gzipped_at_all(self, mnist):
        root = mnist()
        (root / "train-images-idx3-ubyte.gz").write_bytes(idx(photos(20)))
        with pytest.raises(DataError, match="cannot be read as an array: Not a gzipped file"):
            list_photos(root)


class TestNamesOfArrays:
    @pytest.mark.parametrize(
        ("x", "y", "split"),
        [
            ("x", "y", ""),
            ("X", "Y", ""),
            ("photos", "labels", ""),
            ("images", "targets", ""),
            ("data", "label", ""),
            ("x_train", "y_train", "train"),
            ("X_test", "y_test", "test"),
            ("train_images", "train_labels", "train"),
            ("test-images", "test-labels", "test"),
            ("valid_x", "valid_y", "val"),
            ("cifar_x_val", "cifar_y_val", "val"),
        ],
    )
    @pytest.mark.parametrize("kind", ["npz", "npy"])
    def test_every_pair(self, tmp_path, x, y, split, kind):
        values = {x: photos(4), y: np.array([1, 0, 1, 1])}
        if kind == "npz":
            np.savez(tmp_path / "all.npz", **values)
        else:
            for name, array in values.items():
                np.save(tmp_path / f"{name}.npy", array)
        listing = list_photos(tmp_path)
        assert listing.layout == "arrays"
        assert found(listing) == {split: {"0": 1, "1": 3}}
        assert [record.label for record in listing.records] == ["1", "0", "1", "1"]
        assert np.array_equal(pictures(listing), photos(4))

    def test_several_splits_in_one_archive(self, tmp_path):
        """As in MedMNIST: labels (N, 1), three splits."""
        arrays = {}
        for number, split in enumerate(("train", "val", "test"), 2):
            arrays[f"{split}_images"] = photos(number, number, (3, 3, 3))
            arrays[f"{split}_labels"] = np.arange(number, dtype=np.uint8)[:, None] % 2
        np.savez_compressed(tmp_path / "pathmnist.npz", **arrays)
        for source in (tmp_path, tmp_path / "pathmnist.npz"):
            assert found(list_photos(source)) == {
                "train": {"0": 1, "1": 1},
                "val": {"0": 2, "1": 1},
                "test": {"0": 2, "1": 2},
            }

    def test_several_archives_side_by_side(self, tmp_path):
        np.savez(tmp_path / "train.npz", x=photos(4, 1), y=np.array([0, 1, 0, 1]))
        np.savez(tmp_path / "test.npz", x=photos(2, 2), y=np.array([0, 1]))
        listing = list_photos(tmp_path)
        assert found(listing) == {"train": {"0": 2, "1": 2}, "test": {"0": 1, "1": 1}}
        assert np.array_equal(pictures(listing), np.concatenate([photos(2, 2), photos(4, 1)]))

    def test_parts_side_by_side(self, tmp_path):
        for part in range(3):
            np.savez(tmp_path / f"part{part}.npz", x=photos(2, part), y=np.array([0, 1]))
        listing = list_photos(tmp_path)
        assert found(listing) == {"": {"0": 3, "1": 3}}
        assert np.array_equal(pictures(listing), np.concatenate([photos(2, n) for n in range(3)]))

    def test_one_npy_file_stands_for_its_folder(self, tmp_path):
        np.save(tmp_path / "x.npy", photos(2))
        np.save(tmp_path / "y.npy", np.array([0, 1]))
        assert len(list_photos(tmp_path / "x.npy").records) == 2

    def test_channels_first(self, tmp_path):
        rgb = photos(2, shape=(6, 5, 3))
        np.savez(tmp_path / "a.npz", x=np.moveaxis(rgb, 3, 1), y=np.array([0, 1]))
        assert np.array_equal(pictures(list_photos(tmp_path)), rgb)

    def test_natural_order_of_rows(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=photos(12), y=np.arange(12))
        listing = list_photos(tmp_path)
        assert [record.label for record in listing.records] == [f"{n:02d}" for n in range(12)]
        assert listing.records[2].path == "a.npz#x/2"


class TestLabels:
    def save(self, folder, labels, **more):
        np.savez(folder / "a.npz", x=photos(len(labels)), y=np.array(labels), **more)
        return folder

    @pytest.mark.parametrize("name", ["class_names", "names", "classes"])
    def test_names_in_the_archive(self, tmp_path, name):
        root = self.save(tmp_path, [0, 1, 1], **{name: np.array(["cat", "dog"])})
        assert [record.label for record in list_photos(root).records] == ["cat", "dog", "dog"]

    def test_labels_may_be_called_classes(self, tmp_path):
        np.savez(tmp_path / "a.npz", images=photos(2), classes=np.array([0, 1]))
        assert list_photos(tmp_path).labels() == ["0", "1"]

    def test_names_beside_it(self, tmp_path):
        root = self.save(tmp_path, [0, 1, 1])
        (root / "class_names.json").write_text(json.dumps(["Katze", "Hündin"]), encoding="utf-8")
        assert list_photos(root).labels() == ["Hündin", "Katze"]

    @pytest.mark.parametrize("content", ["{", "5"])
    def test_names_that_cannot_be_read(self, tmp_path, content):
        root = self.save(tmp_path, [0, 1])
        (root / "class_names.json").write_text(content)
        with pytest.raises(DataError, match="has class names that cannot be read: "):
            list_photos(root)

    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            (["cat", "dog"], ["cat", "dog"]),
            ([b"cat", "é".encode()], ["cat", "é"]),
            ([b"cat", b"t\xe9"], ["cat", r"t\xe9"]),
            ([0.0, 3.0], ["0", "3"]),
            ([True, False], ["1", "0"]),
            ([7, 10], ["07", "10"]),  # sorted by name is then sorted by number
            ([-1, 1], ["-1", "1"]),
        ],
    )
    def test_every_type(self, tmp_path, labels, expected):
        listing = list_photos(self.save(tmp_path, labels))
        assert [record.label for record in listing.records] == expected

    @pytest.mark.parametrize("wrong", [2, -1])
    def test_a_label_without_a_name(self, tmp_path, wrong):
        root = self.save(tmp_path, [0, 1, wrong])
        (root / "class_names.txt").write_text("cat\ndog\n")
        with pytest.raises(DataError) as caught:
            list_photos(root)
        assert str(caught.value) == (
            f"a.npz#y has the label {wrong}, but there are 2 class names, for the labels 0 to 1."
        )

    @pytest.mark.parametrize("labels", [[0.5, 1.0], [np.nan, 1.0], [1j, 0]])
    def test_no_labels(self, tmp_path, labels):
        with pytest.raises(DataError) as caught:
            list_photos(self.save(tmp_path, labels))
        kind = np.array(labels).dtype
        assert str(caught.value) == (
            f"a.npz#y holds {kind} labels; expected whole numbers or texts."
        )

    def test_another_number_of_labels(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=photos(3), y=np.arange(2))
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path)
        assert str(caught.value) == (
            "a.npz#x holds 3 photos but a.npz#y 2 labels. Expected one label a photo."
        )

    @pytest.mark.parametrize(
        ("arrays", "shapes"),
        [
            ({"x": (3, 4, 4)}, "a.npz#x (3, 4, 4)"),
            ({"x_train": (3, 4, 4), "y_test": (3,)}, "a.npz#x_train (3, 4, 4), a.npz#y_test (3,)"),
            ({"x": (3, 16), "y": (3,)}, "a.npz#x (3, 16), a.npz#y (3,)"),
            ({}, "no arrays"),
        ],
    )
    def test_no_pair(self, tmp_path, arrays, shapes):
        np.savez(tmp_path / "a.npz", **{name: np.zeros(shape) for name, shape in arrays.items()})
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path} holds no pair of photos (N, H, W[, C]) and labels (N,). Expected names "
            f"such as x_train and y_train, or photos and labels; found: {shapes}."
        )

    def test_pickles_are_not_opened(self, tmp_path):
        pickled = np.array([{}, []], object)
        np.save(tmp_path / "x.npy", pickled, allow_pickle=True)
        with pytest.raises(DataError, match="cannot be read as an array: Array can't be memory-"):
            list_photos(tmp_path)
        np.savez(tmp_path / "x.npz", x=pickled)
        with pytest.raises(DataError, match="Object arrays cannot be loaded when allow_pickle="):
            list_photos(tmp_path / "x.npz")

    def test_no_archive(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut off")
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path}/a.npz cannot be read as an array: File is not a zip file."
        )


class TestReader:
    def test_rows_that_are_not_there(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=photos(3))
        reader = ArrayReader(tmp_path)
        for path, inside in (("a.npz#x/3", "x/3"), ("a.npz#z/0", "z/0")):
            with pytest.raises(DataError) as caught:
                reader.read(path)
            assert str(caught.value) == f"{tmp_path}/a.npz has no photo {inside}."

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_the_whole_array_tells_what_is_white(self, tmp_path, dtype):
        """A photo without a bright pixel is a dark one, of either kind."""
        unit = np.zeros((4, 2, 2), dtype)
        unit[0], unit[1] = 1, 0.5
        unit[2, 0, 0] = np.nan
        unit[3, 0, 0] = np.inf
        np.savez(tmp_path / "a.npz", unit=unit, wide=np.array([unit[0], 255 * unit[0]]))
        np.save(tmp_path / "x.npy", unit[:2])
        reader = ArrayReader(tmp_path)

        def value(path):
            photo = reader.read(path)
            assert photo.dtype == np.uint8
            return photo.max()

        assert [value(f"a.npz#unit/{n}") for n in range(2)] == [255, 128]
        assert [value(f"x.npy#{n}") for n in range(2)] == [255, 128]
        assert [value(f"a.npz#wide/{n}") for n in range(2)] == [1, 255]
        for row in (2, 3):
            with pytest.raises(UnreadablePhotoError, match="expected 0 to 1 or 0 to 255"):
                decode(reader.read(f"a.npz#unit/{row}"))

    def test_empty_photos_stay_empty(self, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros((3, 0, 4)))
        assert ArrayReader(tmp_path).read("x.npy#1").shape == (0, 4)

    def test_npy_files_are_not_read_into_memory(self, tmp_path):
        np.save(tmp_path / "x.npy", photos(3))
        assert isinstance(ArrayReader(tmp_path).read("x.npy#1").base, np.memmap)

    @pytest.mark.parametrize(
        ("path", "is_row"),
        [
            ("a.npz#x/3", True),
            ("x.npy#3", True),
            ("train-images-idx3-ubyte.gz#3", True),
            ("cats/photo#3.jpg", False),
            ("cats/photo.jpg#3", False),
            ("a.npz#x/last", False),
            ("a.npz", False),
        ],
    )
    def test_paths_of_rows(self, path, is_row):
        assert is_member(path) == is_row
