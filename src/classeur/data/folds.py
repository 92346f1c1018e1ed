"""Facts -> the split of one fold: every photo is in the test split of exactly one of K folds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classeur.data.facts import PhotoFacts
from classeur.data.manifest import Manifest
from classeur.data.records import Record
from classeur.data.split import Lack, kept_together, split
from classeur.errors import SplitError


def split_fold(
    facts: Sequence[PhotoFacts], *, folds: int, fold: int, val: float = 0.2, seed: int = 0
) -> Manifest:
    """Give every photo a split: one part of K is the test, of the others a validation is cut.

    The parts are stratified, and photos of one group, or with the same picture in them, are in one
    part. They depend on the photos, `folds` and `seed` alone, so that all K calls agree.

    Args:
        facts: the photos, in any order; a split that they came with may be `train`, no other.
        folds: parts to cut, at least 2.
        fold: the part that is the test split, from 1.
        val: fraction of all photos for validation.
        seed: of the draw.

    Returns:
        A manifest in the order of `facts`.

    Raises:
        SplitError: if the data brought a test or validation split, or naming each class with too
            few photos for the folds.
    """
    refuse_given(facts)
    part = parts_of(facts, folds, seed)
    _check(facts, part, folds)
    marked = [replace(f, split="test" if part[f.path] == fold else "") for f in facts]
    return split(marked, val=val, test=1 / folds, seed=seed)


def parts_of(facts: Sequence[PhotoFacts], folds: int, seed: int = 0) -> dict[str, int]:
    """Return path -> the part it is in, from 1: stratified, what belongs together in one."""
    counts = Counter(fact.label for fact in facts)
    clusters = kept_together(facts)
    random.Random(seed).shuffle(clusters)
    # The big ones first, then class by class, so that folds are of one size; else in random order.
    clusters.sort(key=lambda cluster: (-len(cluster), cluster[0].label))
    held: dict[int, Counter[str]] = {part: Counter() for part in range(1, folds + 1)}
    sizes = dict.fromkeys(held, 0)
    lack = Lack(clusters, held)
    result: dict[str, int] = {}
    for cluster in clusters:
        labels = Counter(fact.label for fact in cluster)
        # To the part that holds the least of these labels, each as a share of its photos, unless
        # another would never get one of them.
        weights = {label: number / counts[label] ** 2 for label, number in labels.items()}
        fullness = {
            p: (-lack.urgent(labels, p), sum(held[p][x] * w for x, w in weights.items()), sizes[p])
            for p in held
        }
        emptiest = min(fullness, key=fullness.__getitem__)
        lack.give(labels, emptiest)
        held[emptiest].update(labels)
        sizes[emptiest] += len(cluster)
        result.update((fact.path, emptiest) for fact in cluster)
    return result


def assign_folds(facts: Sequence[PhotoFacts], folds: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each photo, (N,) from 0, as `parts_of` draws them."""
    parts = parts_of(facts, folds, seed)
    return np.array([parts[fact.path] - 1 for fact in facts], np.int64)


def refuse_given(photos: Sequence[PhotoFacts] | Sequence[Record]) -> None:
    """Raise SplitError if the data brought a test or validation split."""
    given = Counter(photo.split for photo in photos if photo.split in ("val", "test"))
    if given:
        named = ", ".join(f"{number:,} photos in {name}" for name, number in sorted(given.items()))
        raise SplitError(
            f"the data brought a split of its own ({named}), and folds would mix it. Leave out "
            "--folds, or give only the photos to cut into folds: the folder of the training "
            "photos, or a table without a column of splits."
        )


def _check(facts: Sequence[PhotoFacts], part: dict[str, int], folds: int) -> None:
    having: dict[str, set[int]] = {}
    for fact in facts:
        having.setdefault(fact.label, set()).add(part[fact.path])
    counts = Counter(fact.label for fact in facts)
    lacking = [name for name, parts in sorted(having.items()) if len(parts) < folds]
    if lacking:
        named = "; ".join(
            f"{name} ({counts[name]} photos, in {len(having[name])} of {folds} folds)"
            for name in lacking
        )
        raise SplitError(
            f"too few photos for {folds} folds, with duplicates and groups kept together: {named}. "
            "Add photos of these classes, leave them out with --classes, or ask for fewer --folds."
        )
