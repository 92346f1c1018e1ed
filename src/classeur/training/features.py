"""What a frozen backbone says of each photo, computed once and kept on disk.

What it says of photos themselves is known by the prepared photos, the weights and the
preprocessing: another head, another seed and another split or fold find what is there, and add
the photos that are not. Augmented views are drawn for a split, and known by it too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from classeur.config import AugmentationConfig
from classeur.data.augment import augment
from classeur.errors import TrainingError
from classeur.models.classifier import Classifier, to_device
from classeur.models.device import autocast
from classeur.models.preprocessing import to_unit
from classeur.models.pretrained import Pretrained
from classeur.training.feature_parts import (
    Batches,
    Parts,
    read_parts,
    read_table,
    write_part,
    write_table,
)
from classeur.training.inputs import TrainingData
from classeur.training.sampling import views_of_each
from classeur.training.seeding import derived, seed_all

FEATURES_VERSION = 3


@dataclass
class Features:
    """Features of the training and validation photos, as a head takes them."""

    data: TrainingData
    table: Parts | NDArray[np.float32]
    """Without views: by the photos' places in the store. With them (train + all their views + val,
    F): each training photo and its views, then validation."""
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
        if isinstance(self.table, Parts):
            self._places = np.arange(len(self.data.labels))
            return
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
        "weights": _file_hash(weights),
        "model": [classifier.config.name, classifier.config.arguments, classifier.config.head],
        "preprocessing": classifier.preprocessing.to_dict(),
        "number_format": number_format,
    }

    def batches(plan: Plan) -> Batches:
        drawn = augmentation if views else AugmentationConfig()
        return _batches(classifier, data, plan, drawn, seed, device, number_format, batch_size)

    if not views:
        parts, seconds = _of_photos(about, data, batches)
        return Features(data, parts, each, seed, seconds)
    # a batch draws its views together, so that its size is part of what is drawn
    about["views"] = [_hash(each.tobytes()), asdict(augmentation), seed, batch_size]
    about["rows"] = _hash(np.concatenate([data.train, [-1], data.val]).tobytes())
    name, rows = _key(about), len(data.train) + int(each.sum()) + len(data.val)
    plan = [(data.train, each), (data.val, np.zeros(len(data.val), np.int64))]
    table, seconds = read_table(name) or write_table(name, batches(plan), rows, about)
    return Features(data, table, each, seed, seconds)


Plan = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Rows, and how many views of each besides itself, one list after the other."""


def _of_photos(
    about: dict[str, Any], data: TrainingData, batches: Callable[[Plan], Batches]
) -> tuple[Parts, float]:
    """Return features of the photos of both splits, and the seconds; compute what is lacking."""
    key, photos = _key(about), len(data.labels)
    rows = np.union1d(data.train, data.val)
    parts = read_parts(key, rows, photos)
    lacking = parts.lacking(rows)
    if len(lacking):
        found = batches([(lacking, np.zeros(len(lacking), np.int64))])
        parts.held.append(write_part(key, lacking, photos, found, about))
    return parts, parts.seconds(rows)


def _batches(
    classifier: Classifier, data: TrainingData, plan: Plan, augmentation: AugmentationConfig,
    seed: int, device: torch.device, number_format: str, batch_size: int,
) -> Batches:  # fmt: skip
    """Yield features of the photos planned, each followed by its views."""
    network = backbone_of(classifier)
    network.eval()
    generator = seed_all(seed, "views")

    def features_of(unit: torch.Tensor) -> NDArray[np.float32]:
        with torch.inference_mode(), autocast(device, number_format):
            found = network.features(classifier.preprocessing.standardize(unit))
        return np.asarray(found.float().cpu().numpy())

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


def _key(about: dict[str, Any]) -> str:
    return _hash(json.dumps(about, sort_keys=True).encode())


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
