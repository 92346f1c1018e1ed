"""What a run remembers of its training photos, to tell strange ones from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.data.manifest import Manifest
from classeur.evaluation.predictions import Predictions
from classeur.models.classifier import Classifier, logits_of
from classeur.models.novelty import LEAST, Known, Novelty, last_dense, watching

LOOKED_AT = 1000
"""Training photos that are looked at, at most; more where that is not `OF_EACH` of each class."""

OF_EACH = 20
"""Photos that the mean of a class is taken of."""


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
    known: Known, scored: Predictions, distances: NDArray[np.float32]
) -> tuple[Novelty, Predictions]:
    """Return the measure of novelty, and the predictions with the strangeness of each photo.

    Args:
        known: as from `remember`.
        scored: predictions for the validation split and others.
        distances: of the same photos, (N,).
    """
    of_val = distances[np.array(scored.splits) == "val"]
    novelty = Novelty(known, torch.from_numpy(np.sort(of_val)))
    return novelty, dataclasses.replace(scored, strangeness=distances / novelty.threshold())
