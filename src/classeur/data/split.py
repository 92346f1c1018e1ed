"""Facts -> manifest: stratified, seeded, with duplicates and groups kept on one side."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from classeur.data.facts import PhotoFacts
from classeur.data.manifest import Manifest, ManifestRow
from classeur.data.records import SPLITS
from classeur.errors import SplitError

Shares = dict[str, float]


def split(
    facts: Sequence[PhotoFacts], *, val: float = 0.2, test: float = 0.2, seed: int = 0
) -> Manifest:
    """Give every photo a split.

    A split that the data came with is kept as it is; what is missing is cut from the rest in the
    proportions asked for. Photos of one group, or with the same or nearly the same picture in them,
    stay together;
    where the data itself put them on two sides, they stay so (`inspect` reports it), and photos
    without a split join those of the given test split, or else of the given val split.

    Args:
        facts: the photos, in any order.
        val: fraction of the photos for validation, where the data has none; beside a given test
            split, `val / (1 - test)` of the other photos.
        test: fraction of the photos for the test, where the data has none; beside a given
            validation split, `test / (1 - val)` of the other photos.
        seed: seed of the draw.

    Returns:
        A manifest in the order of `facts`.

    Raises:
        SplitError: naming each class with too few photos for the splits.
    """
    given = {fact.split for fact in facts} & {"val", "test"}
    shares = {
        "train": 1 - val - test,
        **({} if "val" in given else {"val": val}),
        **({} if "test" in given else {"test": test}),
    }
    pulled = _pulled(facts)
    pool = [f for f in facts if f.split in ("", "train") and f.path not in pulled]
    drawn = _draw(pool, shares, seed) if len(shares) > 1 else {f.path: "train" for f in pool}
    chosen = {f.path: f.split for f in facts} | drawn | pulled
    _check(facts, chosen)
    manifest = Manifest([ManifestRow.of(fact, chosen[fact.path]) for fact in facts])
    return with_units(manifest, facts)


def with_units(manifest: Manifest, facts: Sequence[PhotoFacts]) -> Manifest:
    """Return the manifest with the photos named that each one is kept together with.

    By their group, if they have one in common; else by the path of the first of them.
    """
    names: dict[str, str] = {}
    for cluster in kept_together(facts):
        if len(cluster) > 1:
            groups = {fact.group for fact in cluster} - {""}
            name = groups.pop() if len(groups) == 1 else cluster[0].path
            names.update((fact.path, name) for fact in cluster if fact.group != name)
    return Manifest([replace(row, kept_with=names.get(row.path, "")) for row in manifest.rows])


def _pulled(facts: Sequence[PhotoFacts]) -> dict[str, str]:
    """Return path -> split for photos without one that belong with a given val or test photo.

    Given training photos tie nothing together here: a copy of one is best off beside it.
    """
    pulled: dict[str, str] = {}
    for cluster in kept_together([fact for fact in facts if fact.split != "train"]):
        given = {fact.split for fact in cluster} - {""}
        if given:
            to = "test" if "test" in given else "val"
            pulled.update((fact.path, to) for fact in cluster if not fact.split)
    return pulled


def _draw(pool: Sequence[PhotoFacts], shares: Shares, seed: int) -> dict[str, str]:
    """Assign the photos of the pool; return path -> split."""
    counts = Counter(fact.label for fact in pool)
    wanted = _targets(counts, shares)
    clusters = kept_together(pool)
    lack = Lack(clusters, shares)
    random.Random(seed).shuffle(clusters)
    # Stable: those with the largest shares of their labels first, equal ones in random order.
    clusters.sort(key=lambda cluster: -sum(1 / counts[fact.label] for fact in cluster))
    result: dict[str, str] = {}
    for cluster in clusters:
        labels = Counter(fact.label for fact in cluster)
        # In shares of a label, so that the rare count like the frequent. To give where the sum of
        # what is wanted times what is given is the largest leaves the least squares wanting.
        weights = {label: number / counts[label] ** 2 for label, number in labels.items()}
        worth = {
            name: (lack.urgent(labels, name), sum(wanted[name, x] * w for x, w in weights.items()))
            for name in shares
        }
        best = max(worth, key=worth.__getitem__)
        lack.give(labels, best)
        for label, number in labels.items():
            wanted[best, label] -= number
        result.update((fact.path, best) for fact in cluster)
    return result


class Lack:
    """Which sides still have nothing of a label that can no longer be given anywhere else."""

    def __init__(self, clusters: Sequence[Sequence[PhotoFacts]], sides: Iterable[Hashable]) -> None:
        """Start with clusters that are all still to be given, and sides that have nothing."""
        self._left = _units(clusters)
        self._without = {label: set(sides) for label in self._left}

    def urgent(self, labels: Iterable[str], side: Hashable) -> int:
        """Count the labels of a cluster that this side lacks, with no cluster of them to spare."""
        return sum(
            side in self._without[label] and self._left[label] <= len(self._without[label])
            for label in labels
        )

    def give(self, labels: Iterable[str], side: Hashable) -> None:
        """Note that a cluster with these labels went to this side."""
        for label in labels:
            self._left[label] -= 1
            self._without[label].discard(side)


def _targets(counts: Counter[str], shares: Shares) -> dict[tuple[str, str], float]:
    """Return (split, label) -> photos; at least one each, the rest by largest remainder."""
    total = sum(shares.values())
    targets: dict[tuple[str, str], float] = {}
    for label, count in counts.items():
        exact = {name: count * share / total for name, share in shares.items()}
        whole = {name: max(1, int(value)) for name, value in exact.items()}
        by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
        for index in range(count - sum(whole.values())):
            whole[by_remainder[index % len(by_remainder)]] += 1
        if sum(whole.values()) > count:  # the forced ones come out of train
            whole["train"] = max(1, whole["train"] - (sum(whole.values()) - count))
        targets.update({(name, label): float(number) for name, number in whole.items()})
    return targets


def kept_together(pool: Sequence[PhotoFacts]) -> list[list[PhotoFacts]]:
    """Join photos that share a group or a picture, or nearly one, directly or through others."""
    parent = list(range(len(pool)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, fact in enumerate(pool):
        for kind in ("content", "sha256", "near", "group"):
            if name := getattr(fact, kind):
                parent[root(index)] = root(first.setdefault((kind, name), index))
    clusters: dict[int, list[PhotoFacts]] = defaultdict(list)
    for index, fact in enumerate(pool):
        clusters[root(index)].append(fact)
    return list(clusters.values())


def _check(facts: Sequence[PhotoFacts], chosen: dict[str, str]) -> None:
    counts: dict[str, Counter[str]] = {label: Counter() for label in {f.label for f in facts}}
    for fact in facts:
        counts[fact.label][chosen[fact.path]] += 1
    if len(counts) < 2:
        raise SplitError(
            f"all photos are of one class, {next(iter(counts), 'none')}; expected at least two. "
            "Check that each class has its own folder, or give --label-from."
        )
    lacking = {
        label: [name for name in SPLITS if not numbers[name]]
        for label, numbers in sorted(counts.items())
        if not all(numbers[name] for name in SPLITS)
    }
    if lacking:
        together = _units(kept_together(facts))
        named = "; ".join(
            f"{label} ({_amount(sum(counts[label].values()), together[label])}, none left for "
            f"{', '.join(splits)})"
            for label, splits in lacking.items()
        )
        raise SplitError(
            "too few photos for a split into train, val and test, with duplicates and groups kept "
            f"together: {named}. Add photos of these classes or leave them out with --classes."
        )


def _units(clusters: Sequence[Sequence[PhotoFacts]]) -> Counter[str]:
    """Return label -> how many of the clusters have photos of it."""
    return Counter(label for cluster in clusters for label in {fact.label for fact in cluster})


def _amount(photos: int, units: int) -> str:
    if units == photos:
        return f"{photos} photos"
    return f"{photos} photos in {units} {'group' if units == 1 else 'groups'}"
