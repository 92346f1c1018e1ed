"""Can the label be told without looking at the photo: from its size, mode or mean colour alone?

Where it can, a network may learn that instead of what the photos show (Geirhos et al., 2020,
"Shortcut learning in deep neural networks").
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from classeur.data.facts import PhotoFacts
from classeur.data.folds import assign_folds
from classeur.data.split import kept_together

MARGIN = 1 / 3
"""Labels are told from a trivial feature if it gets so much of the way from the majority class's
accuracy to 1, …"""

SIGNIFICANT = 0.001
"""… and a one-sided exact test against the majority class has a p-value below this."""

FEWEST = 50
"""Photos below which nothing is said."""

_MOST = 5000
"""Photos that a tree learns from, at most."""

_FOLDS = 5
_LEAF = 5  # photos: a tree cannot learn single ones by heart

Folds = Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Rows to learn from, and rows to judge."""


@dataclass(frozen=True)
class Trivial:
    """How well trivial features tell the labels of photos that the tree has not seen."""

    photos: int
    accuracy: float
    """Of a decision tree on all of them, and its exact 95 % interval (Clopper and Pearson), over
    groups where photos belong together."""
    low: float
    high: float
    majority: float
    """Accuracy of always answering the most frequent class."""
    p_value: float
    """Of the tree being no better than that, McNemar's exact test, one-sided; over groups the sign
    test."""
    alone: dict[str, float] = field(default_factory=dict)
    """Accuracy of a tree on each feature alone, the best first; in a study on the validation
    photos, which choose."""

    @property
    def feature(self) -> str:
        """The feature that tells most by itself."""
        return next(iter(self.alone), "")

    @property
    def tells(self) -> bool:
        """Whether it predicts the labels clearly better than the majority class."""
        gain = self.accuracy - self.majority
        return self.p_value < SIGNIFICANT and gain >= MARGIN * (1 - self.majority)

    def sentence(self) -> str:
        """Say it as a warning."""
        return (
            f"The labels can be told without looking: {', '.join(FEATURES[:-1])} and "
            f"{FEATURES[-1]} alone get {100 * self.accuracy:.1f} % of {self.photos:,} "
            f"unseen photos right (95 % interval {100 * self.low:.1f}–{100 * self.high:.1f} %), "
            f"always answering the most frequent class {100 * self.majority:.1f} %. Most telling "
            f"by itself is {self.feature}: a network may learn that instead of what the photos "
            "show."
        )


def trivial_features(facts: Sequence[PhotoFacts]) -> dict[str, NDArray[np.float64]]:
    """Return name -> numbers (N, n): what is known of photos that nobody has looked at."""
    sides = np.array([(fact.width, fact.height) for fact in facts], float)
    pixels = sides.prod(axis=1)
    files = np.array([fact.look.file_bytes for fact in facts], float)
    looks = [fact.look for fact in facts]
    return {
        "image size": np.column_stack([sides, sides[:, 0] / sides[:, 1], pixels]),
        "mode and format": np.column_stack(
            [_codes([f.mode for f in facts]), _codes([f.format for f in facts])]
        ),
        "file size": np.column_stack([files, files / pixels]),
        "mean colour": np.array([(a.red, a.green, a.blue) for a in looks]),
        "border colour": np.array([(a.border_red, a.border_green, a.border_blue) for a in looks]),
    }


FEATURES = ("image size", "mode and format", "file size", "mean colour", "border colour")
"""The names of the trivial features."""


def find_trivial(facts: Sequence[PhotoFacts]) -> Trivial | None:
    """Judge the trivial features by cross-validation; None with too few photos or one class.

    Duplicates and groups stay in one fold. Of many photos 5,000 are drawn.
    """
    if len(facts) > _MOST:
        facts = random.Random(0).sample(facts, _MOST)
    labels = np.array([fact.label for fact in facts], object)
    if len(facts) < FEWEST or len(set(labels)) < 2:
        return None
    fold_of = assign_folds(facts, _FOLDS)
    rows = np.arange(len(facts))
    folds = [(rows[fold_of != fold], rows[fold_of == fold]) for fold in range(_FOLDS)]
    features = trivial_features(facts)
    alone = {name: correct(table, labels, folds).mean() for name, table in features.items()}
    return judge(all_of(features), labels, folds, alone, _belonging(facts))


def _belonging(facts: Sequence[PhotoFacts]) -> list[str]:
    """Return what each photo belongs to: photos of one group, or of one picture, share it."""
    clusters = enumerate(kept_together(facts))
    of = {fact.path: f"{number}" for number, cluster in clusters for fact in cluster}
    return [of[fact.path] for fact in facts]


def judge(
    table: NDArray[np.float64], labels: NDArray[np.object_], folds: Folds,
    alone: Mapping[str, float], groups: Sequence[str],
) -> Trivial:  # fmt: skip
    """Hold a tree on a table of features against the majority class on the same photos.

    Photos of one group are alike, so groups are counted where there are any: the interval is that
    of as many photos as groups, and a group counts for or against the tree once.

    Args:
        table: (N, n) features.
        labels: (N,) of the photos.
        folds: rows to learn from, and rows to judge.
        alone: feature -> accuracy by itself.
        groups: the group of each of the N photos, "" for none.
    """
    folds = list(folds)
    tree = correct(table, labels, folds)
    majority = np.concatenate(
        [labels[test] == most_frequent(labels[train]) for train, test in folds]
    )
    judged = np.concatenate([test for _, test in folds])
    gains, count = _gains(tree, majority, [groups[row] or row for row in judged])
    share = float(tree.mean())
    low, high = _exact(share, count)
    return Trivial(
        len(tree), share, low, high, float(majority.mean()), _one_sided(gains),
        {name: float(alone[name]) for name in sorted(alone, key=lambda name: -alone[name])},
    )  # fmt: skip


def _gains(
    tree: NDArray[np.bool_], majority: NDArray[np.bool_], groups: Sequence[object]
) -> tuple[NDArray[np.float64], int]:
    """Return how many photos more the tree gets right in each group, and the number of groups."""
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    of_photo = np.array([number[group] for group in groups])
    gains = np.bincount(of_photo, tree.astype(np.float64) - majority.astype(np.float64))
    return gains.astype(np.float64), len(number)


def _exact(share: float, count: int) -> tuple[float, float]:
    from scipy.special import betaincinv

    right = share * count
    low = betaincinv(right, count - right + 1, 0.025) if share > 0 else 0.0
    high = betaincinv(right + 1, count - right, 0.975) if share < 1 else 1.0
    return float(low), float(high)


def _one_sided(gains: NDArray[np.float64]) -> float:
    """Return the p-value of the exact sign test: McNemar's where each group is one photo."""
    from scipy.stats import binomtest

    won, lost = int((gains > 0).sum()), int((gains < 0).sum())
    return float(binomtest(won, won + lost, alternative="greater").pvalue) if won + lost else 1.0


def correct(
    table: NDArray[np.float64], labels: NDArray[np.object_], folds: Folds
) -> NDArray[np.bool_]:
    """Return whether a tree gets each judged row right, in the order of the folds."""
    right = []
    for train, test in folds:
        names, probabilities = tree_probabilities(table, labels, train, test)
        right.append(names[probabilities.argmax(axis=1)] == labels[test])
    return np.concatenate(right)


def tree_probabilities(
    table: NDArray[np.float64], labels: NDArray[np.object_],
    train: NDArray[np.int64], test: NDArray[np.int64],
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:  # fmt: skip
    """Return the labels sorted by name, and the probabilities (n, labels) of the judged rows.

    A leaf's share of each label is drawn towards that among all photos by the weight of one photo,
    so that nothing is impossible.
    """
    from sklearn.tree import DecisionTreeClassifier

    if len(train) > _MOST:
        train = np.random.default_rng(0).permutation(train)[:_MOST]
    names, codes = np.unique(labels, return_inverse=True)
    leaf = max(_LEAF, len(train) // 100)
    tree = DecisionTreeClassifier(min_samples_leaf=leaf, random_state=0)
    tree.fit(table[train], codes[train])
    found = np.zeros((len(test), len(names)))
    found[:, tree.classes_] = tree.predict_proba(table[test])
    weight = tree.tree_.n_node_samples[tree.apply(table[test])][:, None]
    prior = np.bincount(codes[train], minlength=len(names)) / len(train)
    return names, (found * weight + prior) / (weight + 1)


def all_of(features: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return all features side by side, (N, n)."""
    return np.column_stack(list(features.values()))


def most_frequent(labels: NDArray[np.object_]) -> object:
    """Return the most frequent of some labels; of equals, the first by name."""
    names, counts = np.unique(labels, return_counts=True)
    return names[counts.argmax()]


def _codes(words: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(words, return_inverse=True)[1]
