"""What size, mode and mean colour alone tell: a rung beside `majority`, without a network.

It learns from the training photos, its most telling feature is named by the validation photos, and
it is scored on the same test photos as the others. It is never chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classeur.data.facts import PhotoFacts
from classeur.data.manifest import Manifest
from classeur.data.trivial import (
    Trivial,
    all_of,
    correct,
    judge,
    tree_probabilities,
    trivial_features,
)
from classeur.evaluation.evaluate import measure_predictions
from classeur.evaluation.metrics import Metrics
from classeur.evaluation.predictions import Predictions


@dataclass(frozen=True)
class TrivialRung:
    """A decision tree on the trivial features, scored like any other rung."""

    predictions: Predictions
    """Of the validation and test photos."""
    splits: dict[str, Metrics]
    """`val` and `test`."""
    found: Trivial
    """The same against the majority class, on the test photos."""


def trivial_rung(facts: Sequence[PhotoFacts], manifest: Manifest) -> TrivialRung:
    """Train and score the tree.

    Args:
        facts: the photos, in the order of the manifest.
        manifest: their split.
    """
    features = trivial_features(facts)
    labels = np.array([row.label for row in manifest.rows], object)
    train, val, test = (manifest.indices(name) for name in ("train", "val", "test"))
    alone = {name: correct(part, labels, [(train, val)]).mean() for name, part in features.items()}
    table = all_of(features)
    predictions = _predict(table, labels, manifest, train, np.concatenate([val, test]))
    return TrivialRung(
        predictions,
        {name: measure_predictions(predictions.of_split(name)) for name in ("val", "test")},
        judge(table, labels, [(train, test)], alone),
    )


def _predict(
    table: NDArray[np.float64], labels: NDArray[np.object_], manifest: Manifest,
    train: NDArray[np.int64], rows: NDArray[np.int64],
) -> Predictions:  # fmt: skip
    names, probabilities = tree_probabilities(table, labels, train, rows)
    index = {name: i for i, name in enumerate(names)}
    return Predictions(
        [manifest.rows[i].path for i in rows],
        [manifest.rows[i].split for i in rows],
        np.array([index[labels[i]] for i in rows], np.int64),
        probabilities.astype(np.float32),
        list(names),
        [manifest.rows[i].unit for i in rows],
    )
