"""What a run remembers of its training photos, to tell strange ones from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.data.manifest import Manifest
from classeur.evaluation.predictions import Predictions
from classeur.models.classifier import Classifier, logits_of
from classeur.models.novelty import LEAST, Novelty, last_dense, unit, watching

REMEMBERED = 1000
"""Training photos whose features are kept, at most; with 1,280 features 2.6 MB."""


def remember(
    classifier: Classifier, photos: NDArray[np.uint8], manifest: Manifest, batch_size: int
) -> torch.Tensor | None:
    """Return features (M, F) of length one of training photos, evenly spread over the split.

    None where nothing can be said of novelty: the network has no dense layer, or there are fewer
    than `LEAST` validation photos to say what is strange.
    """
    train = manifest.indices("train")
    if last_dense(classifier.network) is None or len(manifest.indices("val")) < LEAST:
        return None
    some = train[np.linspace(0, len(train) - 1, min(len(train), REMEMBERED)).round().astype(int)]
    found: list[torch.Tensor] = []
    with watching(classifier.network, found.append):
        for _ in logits_of(classifier, photos, some, batch_size):
            pass
    return unit(torch.cat(found))


def novelty_of(
    known: torch.Tensor, scored: Predictions, distances: NDArray[np.float32]
) -> tuple[Novelty, Predictions]:
    """Return the measure of novelty, and the predictions with the strangeness of each photo.

    Args:
        known: features of training photos, as from `remember`.
        scored: predictions for the validation split and others.
        distances: of the same photos to the known ones, (N,).
    """
    of_val = distances[np.array(scored.splits) == "val"]
    novelty = Novelty(known, torch.from_numpy(np.sort(of_val)))
    return novelty, dataclasses.replace(scored, strangeness=distances / novelty.threshold())
