"""Photos -> folds: stratified, seeded, with duplicates and groups in one fold."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classeur.data.facts import PhotoFacts
from classeur.data.split import clusters_of


def assign_folds(facts: Sequence[PhotoFacts], number: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each photo, (N,) from 0 to `number` - 1.

    Photos of one group, or with the same picture in them, share a fold; labels are spread evenly.
    """
    place = {fact.path: i for i, fact in enumerate(facts)}
    held: list[Counter[str]] = [Counter() for _ in range(number)]
    folds = np.zeros(len(facts), np.int64)
    clusters = clusters_of(facts)
    random.Random(seed).shuffle(clusters)
    clusters.sort(key=len, reverse=True)  # stable: the big ones first, each size in random order
    for cluster in clusters:
        labels = Counter(fact.label for fact in cluster)

        def crowd(fold: int, labels: Counter[str] = labels) -> tuple[int, int]:
            return sum(held[fold][label] * n for label, n in labels.items()), held[fold].total()

        fold = min(range(number), key=crowd)
        held[fold].update(labels)
        folds[[place[fact.path] for fact in cluster]] = fold
    return folds
