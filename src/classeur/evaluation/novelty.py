"""What a run remembers of its training photos, to tell strange ones from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.data.manifest import Manifest
from classeur.evaluation.predictions import Predictions
from classeur.models.classifier import Classifier, logits_of
from classeur.models.novelty import LEAST, Known, Novelty, last_dense, measuring, watching

LOOKED_AT = 1000
"""Training photos that are looked at, at most; more where that is not `OF_EACH` of each class."""

OF_EACH = 20
"""Photos that the mean of a class is taken of."""

TESTED = 200
"""Validation photos that are cut up to test what the network can tell, at most."""

PARTS = 4
"""Parts along each side into which they are cut."""


def remember(
    classifier: Classifier, photos: NDArray[np.uint8], manifest: Manifest, batch_size: int
) -> Known | None:
    """Return where training photos, evenly spread over the split, lie among the features.

    None where nothing can be said of novelty: the network has no dense layer, or there are fewer
    than `LEAST` validation photos to say what is strange.
    """
    train = manifest.indices("train")
    if last_dense(classifier.network) is None or len(manifest.indices("val")) < LEAST:
        return None
    wanted = min(len(train), max(LOOKED_AT, OF_EACH * len(classifier.class_names)))
    some = train[np.linspace(0, len(train) - 1, wanted).round().astype(np.int64)]
    found: list[torch.Tensor] = []
    with watching(classifier.network, found.append):
        for _ in logits_of(classifier, photos, some, batch_size):
            pass
    index = {name: i for i, name in enumerate(classifier.class_names)}
    labels = torch.tensor([index[manifest.rows[i].label] for i in some])
    return Known.fit(torch.cat(found), labels)


def novelty_of(
    known: Known,
    scored: Predictions,
    distances: NDArray[np.float32],
    shuffled: NDArray[np.float32],
) -> tuple[Novelty, Predictions]:
    """Return the measure of novelty, and the predictions with the strangeness of each photo.

    They stay without it where the network cannot tell.

    Args:
        known: as from `remember`.
        scored: predictions for the validation split and others.
        distances: of the same photos, (N,).
        shuffled: distances of validation photos cut up, (M,).
    """
    of_val = np.sort(distances[np.array(scored.splits) == "val"])
    novelty = Novelty(known, torch.from_numpy(of_val), area_under_curve(of_val, shuffled))
    if novelty.tells:
        scored = dataclasses.replace(scored, strangeness=distances / novelty.threshold())
    return novelty, scored


def distances_of_shuffled(
    classifier: Classifier,
    known: Known,
    photos: NDArray[np.uint8],
    manifest: Manifest,
    batch_size: int,
) -> NDArray[np.float32]:
    """Return how far the validation photos are when cut up and shuffled, (M,), `TESTED` at most."""
    val = manifest.indices("val")
    some = val[np.linspace(0, len(val) - 1, min(len(val), TESTED)).round().astype(np.int64)]
    random = np.random.default_rng(0)
    with measuring(classifier.network, known) as distances:
        for start in range(0, len(some), batch_size):
            classifier.logits(shuffled_parts(photos[some[start : start + batch_size]], random))
    return np.concatenate(distances)


def shuffled_parts(photos: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Return photos (N, H, W, C) with their 16 parts in random order: their kind, and nothing."""
    count, height, width, channels = photos.shape
    parts = min(PARTS, height, width)
    h, w = height // parts, width // parts  # what is left over at the edge stays where it is
    inner = (slice(None), slice(parts * h), slice(parts * w))
    tiles = np.array(photos[inner]).reshape(count, parts, h, parts, w, channels)
    tiles = tiles.swapaxes(2, 3).reshape(count, parts**2, h, w, channels)
    order = random.permuted(np.tile(np.arange(parts**2), (count, 1)), axis=1)
    tiles = tiles[np.arange(count)[:, None], order]
    tiles = tiles.reshape(count, parts, parts, h, w, channels).swapaxes(2, 3)
    result = np.array(photos)
    result[inner] = tiles.reshape(count, parts * h, parts * w, channels)
    return result


def area_under_curve(own: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return how often another photo is farther than an own one, ties half; `own` ascends."""
    below = np.searchsorted(own, other, "left") + np.searchsorted(own, other, "right")
    return float(below.mean() / (2 * len(own)))
