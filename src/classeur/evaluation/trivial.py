"""What size, mode and mean colour alone tell: a rung beside `majority`, without a network.

It learns from the training photos, its most telling feature is named by the validation photos, and
it is scored on the same test photos as the others: on folds, out of fold. It is never chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from classeur.evaluation.pooling import joined, pool_test, pool_val
from classeur.evaluation.predictions import Predictions


@dataclass(frozen=True)
class TrivialRung:
    """A decision tree on the trivial features, scored like any other rung."""

    predictions: Predictions
    """Of the validation and test photos; of folds, each at most once in either."""
    splits: dict[str, Metrics]
    """`val` and `test`."""
    found: Trivial
    """The same against the majority class, on the test photos."""


def trivial_rung(facts: Sequence[PhotoFacts], manifests: Sequence[Manifest]) -> TrivialRung:
    """Train and score the tree, on folds one tree for each.

    Args:
        facts: the photos, in the order of the manifests.
        manifests: their split, or that of each fold.
    """
    features = trivial_features(facts)
    labels = np.array([row.label for row in manifests[0].rows], object)
    choosing, judging = (
        [(fold.indices("train"), fold.indices(name)) for fold in manifests]
        for name in ("val", "test")
    )
    alone = {name: correct(part, labels, choosing).mean() for name, part in features.items()}
    table = all_of(features)
    parts = [_predict(table, labels, fold) for fold in manifests]
    pooled = {"val": pool_val(parts), "test": pool_test(parts)}
    splits = {name: measure_predictions(some) for name, some in pooled.items()}
    found = judge(table, labels, judging, alone, [row.unit for row in manifests[0].rows])
    test = splits["test"].accuracy
    return TrivialRung(
        joined(list(pooled.values())), splits, replace(found, low=test.low, high=test.high)
    )


def _predict(
    table: NDArray[np.float64], labels: NDArray[np.object_], manifest: Manifest
) -> Predictions:
    train, val, test = (manifest.indices(name) for name in ("train", "val", "test"))
    rows = np.concatenate([val, test])
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
