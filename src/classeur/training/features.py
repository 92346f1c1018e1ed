"""What a frozen backbone says of each photo, computed once and kept on disk.

    <cache>/features/<key>.npy      (n, F) float32, memory-mapped
    <cache>/features/<key>.json     the seconds it took, and the hash of the file

The key is of the prepared photos, the rows, the weights, the preprocessing and the views: another
head, another learning rate or another seed of the head finds the same file.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from classeur.config import AugmentationConfig
from classeur.data.augment import augment
from classeur.data.store import cache_root
from classeur.errors import RunFolderError, TrainingError
from classeur.models.classifier import Classifier, to_device
from classeur.models.device import autocast
from classeur.models.preprocessing import to_unit
from classeur.models.pretrained import Pretrained
from classeur.run_folder import read_json, replacing, write_json
from classeur.training.inputs import TrainingData
from classeur.training.sampling import views_of_each
from classeur.training.seeding import derived, seed_all

FEATURES_VERSION = 2


@dataclass
class Features:
    """Features of the training and validation photos, as a head takes them."""

    data: TrainingData
    table: NDArray[np.float32]
    """(train + all their views + val, F): each training photo and its views, then validation."""
    views: NDArray[np.int64]
    """Views of each training photo besides itself, (train,)."""
    seed: int
    seconds: float
    """What computing them took, whenever that was."""
    _places: NDArray[np.int64] = field(init=False)
    """Where in the table each photo stands, (N,)."""
    _seen: NDArray[np.int64] = field(init=False)
    """How many views of it stand there, itself included, (N,)."""
    _drawn: tuple[int, NDArray[np.int64]] = field(init=False, default=(0, np.zeros(0, np.int64)))

    def __post_init__(self) -> None:
        ends = np.cumsum(1 + self.views)
        self._places = np.full(len(self.data.labels), -1, np.int64)
        self._places[self.data.train] = ends - (1 + self.views)
        self._places[self.data.val] = ends[-1] + np.arange(len(self.data.val))
        self._seen = np.ones(len(self.data.labels), np.int64)
        self._seen[self.data.train] += self.views

    def read(
        self, rows: NDArray[np.int64], epoch: int, turns: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Return features (n, F): in training those of one view of each photo, drawn anew.

        A photo that comes again in an epoch shows its next view.
        """
        places = self._places[rows]
        if epoch and self.views.any():
            number = self._views_of(epoch)[rows] + (0 if turns is None else turns)
            places = places + number % self._seen[rows]
        return self.table[places]

    def to_train(
        self,
        batch: torch.Tensor,
        targets: torch.Tensor,
        generator: torch.Generator,  # noqa: ARG002
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features and targets as they are: what is random lies in the views."""
        return batch, targets

    def to_score(self, batch: torch.Tensor) -> torch.Tensor:
        """Return features as they are."""
        return batch

    def _views_of(self, epoch: int) -> NDArray[np.int64]:
        if self._drawn[0] != epoch:
            random = np.random.default_rng(derived(self.seed, "views", epoch))
            drawn = np.zeros(len(self.data.labels), np.int64)
            drawn[self.data.train] = random.integers(0, 1 + self.views)
            self._drawn = epoch, drawn
        return self._drawn[1]


def compute_features(
    classifier: Classifier,
    data: TrainingData,
    *,
    store_key: str,
    weights: Path,
    views: int,
    augmentation: AugmentationConfig,
    seed: int,
    device: torch.device,
    number_format: str,
    batch_size: int,
) -> Features:
    """Return the features of a frozen backbone for the training and validation photos.

    They are computed unless an earlier run has left them in the cache. Memory stays bounded.

    Args:
        classifier: its network is a `Pretrained`, on the device.
        data: prepared photos and the two splits.
        store_key: what the photos are known by.
        weights: the file that the backbone was loaded from.
        views: augmented views of each training photo, besides the photo itself.
        augmentation: how the views are made, and whether rare classes have more of them.
        seed: of the views, and of their draw in each epoch.
        device: where to compute.
        number_format: `bfloat16` or `float32`; features are stored as float32.
        batch_size: photos for each pass through the backbone.
    """
    each = views_of_each(data, views, extra=augmentation.extra_augment_rare)
    about = {
        "version": FEATURES_VERSION,
        "store": store_key,
        "rows": _hash(np.concatenate([data.train, [-1], data.val]).tobytes()),
        "weights": _file_hash(weights),
        "model": [classifier.config.name, classifier.config.arguments, classifier.config.head],
        "preprocessing": classifier.preprocessing.to_dict(),
        "number_format": number_format,
        # a batch draws its views together, so that its size is part of what is drawn
        "views": [_hash(each.tobytes()), asdict(augmentation), seed, batch_size] if views else [],
    }
    key = _hash(json.dumps(about, sort_keys=True).encode())
    path = cache_root() / "features" / f"{key}.npy"
    if not _is_intact(path):
        started = time.monotonic()
        drawn = augmentation if views else AugmentationConfig()
        batches = _batches(classifier, data, each, drawn, seed, device, number_format, batch_size)
        rows = len(data.train) + int(each.sum()) + len(data.val)
        _write(path, batches, rows)
        seconds = time.monotonic() - started
        write_json(
            path.with_suffix(".json"), {**about, "seconds": seconds, "file": _file_hash(path)}
        )
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    return Features(data, table, each, seed, read_json(path.with_suffix(".json"))["seconds"])


def _batches(
    classifier: Classifier, data: TrainingData, views: NDArray[np.int64],
    augmentation: AugmentationConfig, seed: int, device: torch.device, number_format: str,
    batch_size: int,
) -> Iterator[NDArray[np.float32]]:  # fmt: skip
    """Yield features of the training photos, each followed by its views, then of validation."""
    network = backbone_of(classifier)
    network.eval()
    generator = seed_all(seed, "views")

    def features_of(unit: torch.Tensor) -> NDArray[np.float32]:
        with torch.inference_mode(), autocast(device, number_format):
            found = network.features(classifier.preprocessing.standardize(unit))
        return np.asarray(found.float().cpu().numpy())

    plan = [(data.train, views), (data.val, np.zeros(len(data.val), np.int64))]
    total = sum(len(rows) for rows, _ in plan)
    with tqdm(desc="features", total=total, unit=" photos", leave=False, disable=None) as bar:
        for rows, numbers in plan:
            for start in range(0, len(rows), batch_size):
                some, wanted = (part[start : start + batch_size] for part in (rows, numbers))
                unit = to_unit(to_device(data.photos[some], device))
                found = [features_of(unit)]
                places = [np.cumsum(1 + wanted) - (1 + wanted)]
                for number in range(1, 1 + int(wanted.max())):
                    having = np.flatnonzero(wanted >= number)
                    view = augment(unit[to_device(having, device)], augmentation, generator)
                    found.append(features_of(view))
                    places.append(places[0][having] + number)
                yield np.concatenate(found)[np.argsort(np.concatenate(places))]
                bar.update(len(some))


def backbone_of(classifier: Classifier) -> Pretrained:
    """Return the network of a classifier, which must have a backbone.

    Raises:
        TrainingError: if it is one of our own networks.
    """
    if not isinstance(classifier.network, Pretrained):
        raise TrainingError(f"{classifier.config.name} has no backbone that could be frozen.")
    return classifier.network


def _write(path: Path, batches: Iterator[NDArray[np.float32]], rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        for number, batch in enumerate(batches):
            if number == 0:
                header = {"descr": "<f4", "fortran_order": False, "shape": (rows, batch.shape[1])}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(batch, "<f4").data)


def _is_intact(path: Path) -> bool:
    """Whether the file is there and holds what was written: reads all of it, once."""
    try:
        written = read_json(path.with_suffix(".json")).get("file")
        return path.is_file() and written == _file_hash(path)
    except (RunFolderError, AttributeError, OSError):
        return False


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
