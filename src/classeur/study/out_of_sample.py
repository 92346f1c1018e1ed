"""What a network says of each photo that has not learned from it: k-fold cross-validation.

With pre-trained weights: a logistic regression for each fold, on the standardised features of a
frozen backbone, which are computed once. Without: a small network of ours for each fold.
"""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from classeur.config import AugmentationConfig, ModelConfig, RunConfig, TrainingConfig
from classeur.data.manifest import Manifest
from classeur.data.store import Store
from classeur.models.classifier import Classifier, logits_of
from classeur.models.device import choose_device, choose_number_format
from classeur.models.preprocessing import Preprocessing
from classeur.models.pretrained import load_backbone
from classeur.models.weights import Weights
from classeur.run_folder import RunFolder
from classeur.study.log import without_training_log
from classeur.training.features import backbone_of, compute_features
from classeur.training.inputs import TrainingData
from classeur.training.session import begin_run, train_run

SCRATCH_SIZES = (32, 64)
"""Smallest and largest side, in pixels, of the photos that the small network sees."""

_INVERSE_STRENGTH = 0.001
"""scikit-learn's C: features are many, photos few, and some labels wrong."""

_NETWORK = ModelConfig("conv3", normalization="batch")
_SHORT = TrainingConfig(
    epochs=10,
    patience=0,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=0.05,
    schedule="one-cycle",
)
"""So short that wrong labels are not learned by heart."""

_BATCH = 64


def probabilities_on_backbone(
    store: Store, labels: NDArray[np.int64], folds: NDArray[np.int64], weights: Weights, device: str
) -> NDArray[np.float64]:
    """Return probabilities (N, num_classes), each photo's by a head that has not seen it.

    Args:
        store: the photos, as the weights want them.
        labels: (N,)
        folds: the fold of each photo, (N,).
        weights: of the backbone.
        device: `cpu`, `cuda`, `mps` or `auto`.

    Raises:
        WeightsError: if the weights cannot be had or do not fit.
    """
    table = _features(store, labels, weights, device)
    found = np.zeros((len(labels), labels.max() + 1))
    for fold in tqdm(np.unique(folds), "folds", leave=False, disable=None):
        head = _head()
        held_out = folds == fold
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a head that stops early is good enough here
            head.fit(table[~held_out], labels[~held_out])
        found[np.ix_(held_out, head.classes_)] = head.predict_proba(table[held_out])
    return found


def _head() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=_INVERSE_STRENGTH, max_iter=300))


def _features(
    store: Store, labels: NDArray[np.int64], weights: Weights, device: str
) -> NDArray[np.float32]:
    """Return the features of all photos, (N, F)."""
    where = choose_device(device)
    classifier = Classifier.create(
        ModelConfig(weights.name, arguments=weights.arguments),
        ["a", "b"],  # the head is not used
        Preprocessing(store.geometry, weights.mean, weights.std),
    )
    network = backbone_of(classifier)
    file = load_backbone(network, weights)
    network.to(where)
    rows = np.arange(len(labels))
    features = compute_features(
        classifier,
        TrainingData(store.photos, labels, rows, rows[:0]),
        store_key=store.key,
        weights=file,
        views=0,
        augmentation=AugmentationConfig(),
        seed=0,
        device=where,
        number_format=choose_number_format("auto", where),
        batch_size=_BATCH,
    )
    return features.read(rows, 0)


def probabilities_from_scratch(
    store: Store, manifest: Manifest, folds: NDArray[np.int64], device: str
) -> NDArray[np.float64]:
    """Return probabilities (N, num_classes), each photo's by a network that has not seen it.

    Of the other folds, the next one validates.

    Args:
        store: the photos, in the order of the manifest.
        manifest: their labels; its splits do not count.
        folds: the fold of each photo, (N,), from 0.
        device: `cpu`, `cuda`, `mps` or `auto`.
    """
    number = int(folds.max()) + 1
    found = np.zeros((len(folds), len(manifest.class_names)))
    for fold in tqdm(range(number), "folds", leave=False, disable=None):
        splits = {fold: "test", (fold + 1) % number: "val"}
        rows = [
            dataclasses.replace(row, split=splits.get(int(own), "train"))
            for row, own in zip(manifest.rows, folds, strict=True)
        ]
        held_out = np.flatnonzero(folds == fold)
        classifier = _trained(store, Manifest(rows), device)
        logits = torch.cat(list(logits_of(classifier, store.photos, held_out, _BATCH)))
        found[held_out] = classifier.probabilities(logits)
    return found


def _trained(store: Store, manifest: Manifest, device: str) -> Classifier:
    training = dataclasses.replace(_SHORT, device=device)
    config = RunConfig(recipe="suspicious labels", model=_NETWORK, training=training)
    with tempfile.TemporaryDirectory(prefix="classeur-") as scratch, without_training_log():
        run = RunFolder(Path(scratch))
        begin_run(run, config, manifest)
        train_run(run, store)
        return Classifier.load(run)
