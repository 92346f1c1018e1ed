"""What a frozen backbone says of each photo, computed once and kept on disk.

    <cache>/features/<key>.npy      (n, F) float32, memory-mapped
    <cache>/features/<key>.json     the seconds it took

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
from classeur.errors import TrainingError
from classeur.models.classifier import Classifier, to_device
from classeur.models.device import autocast
from classeur.models.preprocessing import to_unit
from classeur.models.pretrained import Pretrained
from classeur.run_folder import read_json, replacing, write_json
from classeur.training.inputs import TrainingData
from classeur.training.seeding import derived, seed_all

FEATURES_VERSION = 1


@dataclass
class Features:
    """Features of the training and validation photos, as a head takes them."""

    data: TrainingData
    table: NDArray[np.float32]
    """(train · (1 + views) + val, F): each training photo and its views, then validation."""
    views: int
    seed: int
    seconds: float
    """What computing them took, whenever that was."""
    _places: NDArray[np.int64] = field(init=False)
    _drawn: tuple[int, NDArray[np.int64]] = field(init=False, default=(0, np.zeros(0, np.int64)))

    def __post_init__(self) -> None:
        self._places = np.full(len(self.data.labels), -1, np.int64)
        self._places[self.data.train] = np.arange(len(self.data.train)) * (1 + self.views)
        offset = len(self.data.train) * (1 + self.views)
        self._places[self.data.val] = offset + np.arange(len(self.data.val))

    def read(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.float32]:
        """Return features (n, F): in training those of one view of each photo, drawn anew."""
        places = self._places[rows]
        if epoch and self.views:
            places = places + self._views_of(epoch)[rows]
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
            drawn[self.data.train] = random.integers(0, 1 + self.views, len(self.data.train))
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
        augmentation: how the views are made.
        seed: of the views, and of their draw in each epoch.
        device: where to compute.
        number_format: `bfloat16` or `float32`; features are stored as float32.
        batch_size: photos for each pass through the backbone.
    """
    about = {
        "version": FEATURES_VERSION,
        "store": store_key,
        "rows": _hash(np.concatenate([data.train, [-1], data.val]).tobytes()),
        "weights": _file_hash(weights),
        "model": [classifier.config.name, classifier.config.arguments, classifier.config.head],
        "preprocessing": classifier.preprocessing.to_dict(),
        "number_format": number_format,
        # a batch draws its views together, so that its size is part of what is drawn
        "views": [views, asdict(augmentation), seed, batch_size] if views else [],
    }
    key = _hash(json.dumps(about, sort_keys=True).encode())
    path = cache_root() / "features" / f"{key}.npy"
    if not (path.is_file() and path.with_suffix(".json").is_file()):
        started = time.monotonic()
        drawn = augmentation if views else AugmentationConfig()
        batches = _batches(classifier, data, views, drawn, seed, device, number_format, batch_size)
        rows = len(data.train) * (1 + views) + len(data.val)
        _write(path, batches, rows)
        write_json(path.with_suffix(".json"), {**about, "seconds": time.monotonic() - started})
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    return Features(data, table, views, seed, read_json(path.with_suffix(".json"))["seconds"])


def _batches(
    classifier: Classifier, data: TrainingData, views: int, augmentation: AugmentationConfig,
    seed: int, device: torch.device, number_format: str, batch_size: int,
) -> Iterator[NDArray[np.float32]]:  # fmt: skip
    """Yield features (n · (1 + views), F) of the training photos, then (n, F) of validation."""
    network = backbone_of(classifier)
    network.eval()
    generator = seed_all(seed, "views")
    plan = [(data.train, views), (data.val, 0)]
    total = sum(len(rows) for rows, _ in plan)
    with tqdm(desc="features", total=total, unit=" photos", leave=False, disable=None) as bar:
        for rows, number in plan:
            for start in range(0, len(rows), batch_size):
                some = rows[start : start + batch_size]
                unit = to_unit(to_device(data.photos[some], device))
                seen = [unit, *(augment(unit, augmentation, generator) for _ in range(number))]
                with torch.inference_mode(), autocast(device, number_format):
                    found = [
                        network.features(classifier.preprocessing.standardize(view)).float().cpu()
                        for view in seen
                    ]
                yield torch.stack(found, dim=1).flatten(0, 1).numpy()
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


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
