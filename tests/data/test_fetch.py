"""Public data sets: what the catalogue says, and the whole way from a site to a study's folder."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import os
import re
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from tests.data.test_unpack import as_tar, as_zip
from tests.loopback import Site, cut, status

import classeur
from classeur.data import download as transport
from classeur.data import fetch as room
from classeur.data.arrays import FASHION_MNIST
from classeur.data.fetch import fetch, is_complete
from classeur.data.public import DATA_SETS, DataSet, find_data_set
from classeur.data.sources import list_photos
from classeur.errors import FetchError, RunFolderError
from classeur.run_folder import locked


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0,))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


DOGS = {
    f"Images/{breed}/{breed[:9]}_{number}.jpg": photo(number)
    for breed in ("n02085620-Chihuahua", "n02110958-pug")
    for number in range(6)
}


def lists(tmp_path: Path) -> dict[str, bytes]:
    """The split as Stanford gives it: cells of text, in MATLAB's own files."""
    found = {}
    for split, wanted in (("train", range(4)), ("test", range(4, 6))):
        names = [n.removeprefix("Images/") for n in DOGS if int(re.split(r"[_.]", n)[-2]) in wanted]
        cells = np.empty((len(names), 1), object)
        cells[:, 0] = names
        savemat(tmp_path / "list.mat", {"file_list": cells, "labels": np.ones((len(names), 1))})
        found[f"{split}_list.mat"] = (tmp_path / "list.mat").read_bytes()
    return found


@pytest.fixture
def dogs(site: Site, tmp_path: Path) -> DataSet:
    """Stanford Dogs in small: two breeds of six photos, on a site of our own."""
    images = as_tar(DOGS, tmp_path / "i.tar").read_bytes()
    table = as_tar(lists(tmp_path), tmp_path / "l.tar").read_bytes()
    for left in ("i.tar", "l.tar", "list.mat"):
        (tmp_path / left).unlink()
    return dataclasses.replace(
        DATA_SETS["stanford-dogs"],
        files=(site.file("images.tar", images), site.file("lists.tar", table)),
        holds={"Images/*/*.jpg": 12},
        unpacked=100_000,
    )


def small(data_set: str, site: Site, files: dict[str, bytes], holds: dict[str, int]) -> DataSet:
    whole = DATA_SETS[data_set]
    given = tuple(
        site.file(name, content) if whole.files[0].url else whole.files[0]
        for name, content in files.items()
    )
    return dataclasses.replace(whole, files=given, holds=holds, unpacked=1_000_000)


def fashion(site: Site) -> DataSet:
    files = {}
    for split, count in (("train", 20), ("t10k", 10)):
        pixels = np.random.default_rng(count).bytes(count * 784)
        files[f"{split}-images-idx3-ubyte.gz"] = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
        files[f"{split}-images-idx3-ubyte.gz"] += pixels
        files[f"{split}-labels-idx1-ubyte.gz"] = struct.pack(">4BI", 0, 0, 8, 1, count)
        files[f"{split}-labels-idx1-ubyte.gz"] += bytes(n % 10 for n in range(count))
    packed = {name: gzip.compress(content) for name, content in files.items()}
    return small("fashion-mnist", site, packed, {"*-ubyte.gz": 4})


def cats(site: Site, tmp_path: Path) -> DataSet:
    names = [f"PetImages/{animal}/{n}.jpg" for animal in ("Cat", "Dog") for n in range(3)]
    files = {name: photo(n) for n, name in enumerate(names)}
    files |= {"readme[1].txt": b"", "PetImages/Cat/Thumbs.db": b"x"}
    content = as_zip(files, tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").unlink()
    holds = {"PetImages/Cat/*.jpg": 3, "PetImages/Dog/*.jpg": 3}
    return small("cats-vs-dogs", site, {"kagglecatsanddogs_5340.zip": content}, holds)


KAGGLE = {f"train/{animal}.{n}.jpg": photo(n) for animal in ("cat", "dog") for n in range(4)}


@pytest.fixture
def kaggle() -> DataSet:
    """Kaggle's set in small: four cats and four dogs, which no site gives away."""
    holds = {"train/cat.*.jpg": 4, "train/dog.*.jpg": 4}
    return dataclasses.replace(DATA_SETS["dogs-vs-cats"], holds=holds, unpacked=100_000)


def said(function: Callable[[], object]) -> str:
    with pytest.raises(FetchError) as caught:
        function()
    return str(caught.value)


def labels(folder: Path) -> dict[str, int]:
    return dict(Counter(record.label for record in list_photos(folder).records))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data_set", DATA_SETS.values(), ids=lambda data_set: data_set.name)
def test_the_catalogue(data_set: DataSet) -> None:
    """What has a URL has a size and a checksum; one that has none is checked by content."""
    assert DATA_SETS[data_set.name] is data_set
    assert data_set.terms.endswith(".")
    assert data_set.holds
    for file in data_set.files:
        assert bool(file.url) == (file.size is not None) == (file.sha256 is not None)
        if file.url:
            assert re.fullmatch(r"https?://[^?]+/" + re.escape(file.name), file.url)
            assert re.fullmatch("[0-9a-f]{64}", file.sha256)
            assert file.size <= data_set.unpacked


def test_checksums_differ() -> None:
    sums = [file.sha256 for item in DATA_SETS.values() for file in item.files if file.sha256]
    assert len(set(sums)) == len(sums) == 7


def test_a_name_that_is_unknown() -> None:
    assert said(lambda: find_data_set("stanford-dog")) == (
        'unknown data set "stanford-dog". Did you mean "stanford-dogs"? Expected one of: '
        "fashion-mnist, stanford-dogs, cats-vs-dogs, dogs-vs-cats."
    )
    assert classeur.fetch is fetch


def test_stanford_dogs(dogs: DataSet, tmp_path: Path) -> None:
    folder = fetch(dogs)
    assert folder == tmp_path / "stanford-dogs"
    assert labels(folder) == {"Chihuahua": 6, "pug": 6}
    official = list_photos(folder / "official-split.csv").records
    assert Counter((r.label, r.split) for r in official) == {
        ("Chihuahua", "train"): 4, ("Chihuahua", "test"): 2,
        ("pug", "train"): 4, ("pug", "test"): 2,
    }  # fmt: skip
    for record in official:
        assert (folder / record.path).read_bytes() == DOGS[record.path]
    assert names(tmp_path) == ["stanford-dogs"]
    assert not list(folder.rglob("*.tar*"))


def test_fashion_mnist(site: Site, tmp_path: Path) -> None:
    """In a folder of any name, with accents and spaces too, the classes have theirs."""
    folder = fetch(fashion(site), tmp_path / "mes données" / "été")
    assert names(folder) == [
        "class_names.json",
        "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
    ]  # fmt: skip
    assert labels(folder) == dict.fromkeys(FASHION_MNIST, 3)
    assert {record.split for record in list_photos(folder).records} == {"train", "test"}
    assert names(folder.parent) == ["été"]


def test_cats_vs_dogs(site: Site, tmp_path: Path) -> None:
    assert labels(fetch(cats(site, tmp_path), str(tmp_path / "pets"))) == {"Cat": 3, "Dog": 3}


@pytest.mark.parametrize("nested", [False, True], ids=["train.zip", "dogs-vs-cats.zip"])
def test_what_kaggle_gives(kaggle: DataSet, tmp_path: Path, nested: bool) -> None:
    file = as_zip(KAGGLE, tmp_path / "train (1).zip")
    if nested:
        inside = {"test1.zip": b"PK", "train.zip": file.read_bytes()}
        file = as_zip(inside, tmp_path / "dogs-vs-cats.zip")
    folder = fetch(kaggle, downloaded=[file])
    assert labels(folder) == {"cat": 4, "dog": 4}
    assert names(folder) == ["train"]
    assert file.is_file()
    assert not (tmp_path / "dogs-vs-cats.download").exists()


def test_what_needs_an_account(kaggle: DataSet, tmp_path: Path) -> None:
    assert said(lambda: fetch(kaggle)) == (
        "dogs-vs-cats is for registered users of its site only. Log in at "
        "https://www.kaggle.com/c/dogs-vs-cats/data, download train.zip, and give it: "
        "classeur fetch dogs-vs-cats --from train.zip"
    )
    assert said(lambda: fetch(kaggle, tmp_path / "mes photos")).endswith(
        f"classeur fetch dogs-vs-cats --to '{tmp_path}/mes photos' --from train.zip"
    )
    assert names(tmp_path) == []


def test_the_wrong_photos(kaggle: DataSet, tmp_path: Path) -> None:
    file = as_zip(dict(list(KAGGLE.items())[:6]), tmp_path / "train.zip")
    assert said(lambda: fetch(kaggle, downloaded=[file])) == (
        f"{file} is not {kaggle.title}: expected 4 files train/dog.*.jpg, found 2. Download it "
        "again from https://www.kaggle.com/c/dogs-vs-cats/data"
    )
    assert names(tmp_path) == ["train.zip"]


def test_terms_come_before_the_download(dogs: DataSet, site: Site, messages: list[str]) -> None:
    asked: list[int] = []
    site.faults = [lambda _: asked.append(len(messages)) or False]
    fetch(dogs)
    assert asked == [1]
    assert messages == [f"{dogs.title}\n{dogs.home}\nterms: {dogs.terms}"]


def test_what_is_there_is_not_brought_again(dogs: DataSet, site: Site, messages: list[str]) -> None:
    folder = fetch(dogs)
    site.asked.clear()
    messages.clear()
    assert fetch(dogs) == folder
    assert site.asked == []
    assert messages == [f"stanford-dogs is there already: {folder}"]


def test_an_empty_folder_is_filled(dogs: DataSet, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert is_complete(dogs, fetch(dogs, "here"))


def test_a_folder_of_something_else(dogs: DataSet, tmp_path: Path, site: Site) -> None:
    (tmp_path / "stanford-dogs").mkdir()
    (tmp_path / "stanford-dogs" / "thesis.txt").write_text("mine")
    assert said(lambda: fetch(dogs)) == (
        f"{tmp_path}/stanford-dogs is there, but it is not the whole of stanford-dogs: expected 12 "
        "files Images/*/*.jpg, found 0. Move it away, or choose another folder by --to."
    )
    assert said(lambda: fetch(dogs, "stanford-dogs/thesis.txt")) == (
        f"{tmp_path}/stanford-dogs/thesis.txt is a file; expected a folder to make. Choose another "
        "by --to."
    )
    assert (tmp_path / "stanford-dogs" / "thesis.txt").read_text() == "mine"
    assert site.asked == []


def test_after_an_interruption_the_same_call_goes_on(
    dogs: DataSet, site: Site, tmp_path: Path
) -> None:
    """A file that is here is not asked for again, one that was begun is gone on with."""
    site.faults = [cut(site, 2000), status(404)]
    message = said(lambda: fetch(dogs))
    assert message.startswith(f"{dogs.files[0].url} cannot be downloaded: the server answered 404")
    assert message.endswith(
        f"Or download it by hand from {dogs.home} and give it: classeur fetch stanford-dogs "
        "--from images.tar"
    )
    assert (tmp_path / "stanford-dogs.download" / "images.tar.part").stat().st_size == 2000
    assert not (tmp_path / "stanford-dogs").exists()
    site.asked.clear()
    site.faults = [lambda _: False, status(404)]
    said(lambda: fetch(dogs))
    assert site.asked[0][1]["Range"] == "bytes=2000-"
    site.asked.clear()
    assert is_complete(dogs, fetch(dogs))
    assert [path for path, _ in site.asked] == ["/lists.tar"]


def test_what_was_downloaded_is_checked_before_it_is_unpacked(
    dogs: DataSet, site: Site, tmp_path: Path
) -> None:
    site.faults = [lambda _: False, status(404)]
    said(lambda: fetch(dogs))
    kept = tmp_path / "stanford-dogs.download" / "images.tar"
    kept.write_bytes(bytes(kept.stat().st_size))
    assert said(lambda: fetch(dogs)).startswith(f"{kept} is not images.tar of stanford-dogs: ")


def test_files_by_hand(dogs: DataSet, site: Site, tmp_path: Path) -> None:
    """The one that was given is not downloaded, and stays where it is."""
    given = tmp_path / "images.tar"
    given.write_bytes(site.files["images.tar"])
    assert is_complete(dogs, fetch(dogs, downloaded=["images.tar"]))
    assert [path for path, _ in site.asked] == ["/lists.tar"]
    assert given.is_file()


def test_files_by_hand_that_are_not_it(dogs: DataSet, site: Site, tmp_path: Path) -> None:
    home, file = dogs.home, dogs.files[0]
    given = tmp_path / "images.tar"
    given.write_bytes(b"half")
    assert said(lambda: fetch(dogs, downloaded=[given])) == (
        f"{given} is not the whole images.tar: expected {file.size:,} bytes, received 4. "
        f"Download it again from {home}"
    )
    given.write_bytes(bytes(file.size))
    assert said(lambda: fetch(dogs, downloaded=[given])) == (
        f"{given} is not images.tar of stanford-dogs: expected the SHA-256 {file.sha256}, received "
        f"{room.sha256(given)}. Download it again from {home}"
    )
    given.rename(tmp_path / "photos.tar")
    assert said(lambda: fetch(dogs, downloaded=["photos.tar"])) == (
        "photos.tar is none of the files of stanford-dogs: expected images.tar, lists.tar."
    )
    assert said(lambda: fetch(dogs, downloaded=["gone.tar"])) == (
        "gone.tar does not exist. Expected images.tar or lists.tar."
    )
    assert said(lambda: fetch(dogs, downloaded=[tmp_path])) == (
        f"{tmp_path} is a folder; expected images.tar or lists.tar as it was downloaded. What was "
        f'unpacked already can be used as it is: classeur study "{tmp_path}"'
    )
    assert names(tmp_path) == ["photos.tar"]


@pytest.mark.parametrize("name", ["../../../out.jpg", "{outside}/out.jpg"])
def test_a_hostile_archive_leaves_nothing(kaggle: DataSet, tmp_path: Path, name: str) -> None:
    name = name.format(outside=tmp_path)
    file = as_zip({**KAGGLE, name: b"x"}, tmp_path / "train.zip")
    assert f'{file} holds "{name}", which leads out' in said(
        lambda: fetch(kaggle, downloaded=[file])
    )
    assert names(tmp_path) == ["train.zip"]


def test_a_full_disk(dogs: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known before: nothing is begun. Met on the way: said in one line, and gone on with later."""
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000)
    with monkeypatch.context() as patch:
        patch.setattr(room.shutil, "disk_usage", lambda _: usage)
        assert re.fullmatch(
            re.escape(f"{tmp_path} has too little space: expected ") + r"0\.00 GB, free are 0\.00 "
            r"GB\. Free some, or choose a folder on another disk by --to\.",
            said(lambda: fetch(dogs)),
        )
    assert names(tmp_path) == []

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(room, "unpack", full)
        assert said(lambda: fetch(dogs)) == (
            f"{tmp_path}/stanford-dogs cannot be made: No space left on device. Free some space; "
            "the same command then goes on from what is there."
        )
    assert names(tmp_path) == ["stanford-dogs.download"]
    assert names(tmp_path / "stanford-dogs.download") == [".lock", "images.tar", "lists.tar"]
    assert is_complete(dogs, fetch(dogs))


def test_one_process_at_a_time(dogs: DataSet, tmp_path: Path) -> None:
    (tmp_path / "stanford-dogs.download").mkdir()
    with (
        locked(tmp_path / "stanford-dogs.download"),
        pytest.raises(RunFolderError, match=r"another process \(\d+\) is at work on"),
    ):
        fetch(dogs)


def test_the_table_of_the_split_is_read_back(dogs: DataSet) -> None:
    with (fetch(dogs) / "official-split.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [
        ["path", "label", "split"],
        ["Images/n02085620-Chihuahua/n02085620_0.jpg", "Chihuahua", "train"],
    ]


def test_a_progress_bar_in_bytes(dogs: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[dict[str, Any]] = []

    class Bar(transport.tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            bars.append(options | {"disable": False})
            super().__init__(*arguments, **bars[-1])

        def close(self) -> None:
            bars[-1]["at the end"] = self.n
            super().close()

    monkeypatch.setattr(transport, "tqdm", Bar)
    fetch(dogs)
    assert [(bar["desc"], bar["total"], bar["unit"]) for bar in bars] == [
        (file.name, file.size, "B") for file in dogs.files
    ]
    assert [bar["at the end"] for bar in bars] == [file.size for file in dogs.files]
