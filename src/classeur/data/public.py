"""The public data sets that `classeur fetch` brings, as data: where they are, and what they are.

A checksum says beside it who published it; none was made up here. None of them could be checked
against the sites themselves, which the machine that this was written on does not reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from classeur.data.arrays import FASHION_MNIST
from classeur.errors import FetchError, unknown


@dataclass(frozen=True)
class PublicFile:
    """One file of a data set as its home offers it."""

    name: str
    """What it is called there; .tar and .zip are unpacked."""
    url: str = ""
    """Empty: the site asks for an account, so the user downloads it."""
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    """Both are known of every file that has a URL."""
    inside: str = ""
    """The archive that may lie in this one, and is then meant."""

    @property
    def is_archive(self) -> bool:
        """Whether its content is wanted, and not the file itself."""
        return self.name.endswith((".tar", ".zip"))


@dataclass(frozen=True)
class DataSet:
    """A public data set."""

    name: str
    title: str
    home: str
    """The page that describes it."""
    licence: str
    """In a word or two."""
    terms: str
    """In a sentence or two, shown before anything is downloaded."""
    photos: int
    files: tuple[PublicFile, ...]
    unpacked: int
    """The most bytes that the content of its archives may have."""
    holds: Mapping[str, int]
    """Pattern -> number of files in the finished folder."""
    class_names: tuple[str, ...] = ()
    """Of the labels 0, 1, … where the files themselves have no names."""
    split_lists: Mapping[str, str] = field(default_factory=dict)
    """Split -> MATLAB file that lists its photos; they become official-split.csv."""
    study: str = ""
    """What of the folder `classeur study` is best given; empty: the folder."""

    @property
    def download(self) -> int:
        """Bytes to download, of the files whose size is known."""
        return sum(file.size or 0 for file in self.files)

    @property
    def needs_account(self) -> bool:
        """Whether its home hands it to registered users only."""
        return any(not file.url for file in self.files)


OFFICIAL_SPLIT = "official-split.csv"

_ZALANDO = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
_STANFORD = "http://vision.stanford.edu/aditya86/ImageNetDogs/"
_MICROSOFT = "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"

_DATA_SETS = (
    DataSet(
        "fashion-mnist",
        "Fashion-MNIST: ten kinds of clothing, 28×28, grey",
        "https://github.com/zalandoresearch/fashion-mnist",
        "MIT",
        "MIT licence, © 2017 Zalando SE. Cite Xiao, Rasul and Vollgraf, 2017 (arXiv:1708.07747).",
        70_000,
        # Sizes and SHA-256: tensorflow/datasets, url_checksums/fashion_mnist.txt, for Zalando's
        # bucket. The bucket has no HTTPS; the repository has the same files by the MD5 sums of
        # its README and of torchvision's mnist.py.
        (
            PublicFile(
                "train-images-idx3-ubyte.gz",
                _ZALANDO + "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            PublicFile(
                "train-labels-idx1-ubyte.gz",
                _ZALANDO + "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            PublicFile(
                "t10k-images-idx3-ubyte.gz",
                _ZALANDO + "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            PublicFile(
                "t10k-labels-idx1-ubyte.gz",
                _ZALANDO + "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        unpacked=32_000_000,
        holds={"*-ubyte.gz": 4},
        class_names=FASHION_MNIST,
    ),
    DataSet(
        "stanford-dogs",
        "Stanford Dogs: 120 breeds",
        "http://vision.stanford.edu/aditya86/ImageNetDogs/",
        "research only",
        "The photos are drawn from ImageNet, whose terms allow non-commercial research and "
        "teaching only; they belong to those who took them. Cite Khosla, Jayadevaprakash, Yao and "
        "Fei-Fei, 2011.",
        20_580,
        # Sizes and SHA-256: tensorflow/datasets, url_checksums/stanford_dogs.txt.
        (
            PublicFile(
                "images.tar",
                _STANFORD + "images.tar",
                793_579_520,
                "a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58",
            ),
            PublicFile(
                "lists.tar",
                _STANFORD + "lists.tar",
                481_280,
                "34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c",
            ),
        ),
        unpacked=795_000_000,
        holds={"Images/*/*.jpg": 20_580},
        split_lists={"train": "train_list.mat", "test": "test_list.mat"},
        study=OFFICIAL_SPLIT,
    ),
    DataSet(
        "cats-vs-dogs",
        "Cats and dogs of Microsoft's Asirra, in class folders",
        "https://www.microsoft.com/en-us/download/details.aspx?id=54765",
        "CDLA-Permissive-2.0",
        "Community Data License Agreement, Permissive, 2.0, whose text lies in the archive. Cite "
        "Elson, Douceur, Howell and Saul, 2007.",
        25_000,
        # Size: what wget reports in public notebooks (TensorFlow's course, lab "Cats vs. Dogs").
        # SHA-256: gomlx/gomlx, examples/dogsvscats/dogsvscats.go; tensorflow/datasets knows
        # the earlier file kagglecatsanddogs_3367a.zip only.
        (
            PublicFile(
                "kagglecatsanddogs_5340.zip",
                _MICROSOFT + "kagglecatsanddogs_5340.zip",
                824_887_076,
                "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
            ),
        ),
        unpacked=1_000_000_000,
        holds={"PetImages/Cat/*.jpg": 12_500, "PetImages/Dog/*.jpg": 12_500},
    ),
    DataSet(
        "dogs-vs-cats",
        "Kaggle's Dogs vs. Cats: the same animals, named cat.0.jpg",
        "https://www.kaggle.com/c/dogs-vs-cats/data",
        "research only",
        "By the rules of the competition, for non-commercial research only, and not to be "
        "published again without the express permission of Microsoft Research.",
        25_000,
        # Kaggle publishes no checksum, and packs its archives anew at times: train.zip had
        # 569,546,721 bytes in 2013. So the content is checked. "Download all" gives
        # dogs-vs-cats.zip, with train.zip in it.
        (PublicFile("train.zip", inside="train.zip"),),
        unpacked=1_000_000_000,
        holds={"train/cat.*.jpg": 12_500, "train/dog.*.jpg": 12_500},
    ),
)

DATA_SETS: Mapping[str, DataSet] = {data_set.name: data_set for data_set in _DATA_SETS}
"""Name -> data set, in the order they are listed in."""


def find_data_set(name: str) -> DataSet:
    """Return a data set by its name. Raises FetchError if there is none, with a suggestion."""
    if name not in DATA_SETS:
        raise FetchError(unknown("data set", name, DATA_SETS))
    return DATA_SETS[name]
