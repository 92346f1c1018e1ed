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

MARGIN = 1 / 3
"""Labels are told from a trivial feature if it gets so much of the way from the majority class's
accuracy to 1, …"""

SIGNIFICANT = 0.001
"""… and a one-sided exact McNemar test against the majority class has a p-value below this."""

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
    """Of a decision tree on all of them, and its exact 95 % interval (Clopper and Pearson)."""
    low: float
    high: float
    majority: float
    """Accuracy of always answering the most frequent class."""
    p_value: float
    """Of the tree being no better than that, McNemar's exact test, one-sided."""
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
    return judge(all_of(features), labels, folds, alone)


def judge(
    table: NDArray[np.float64], labels: NDArray[np.object_], folds: Folds,
    alone: Mapping[str, float],
) -> Trivial:  # fmt: skip
    """Hold a tree on a table of features against the majority class on the same photos."""
    from scipy.stats import binomtest

    folds = list(folds)
    tree = correct(table, labels, folds)
    majority = np.concatenate(
        [labels[test] == most_frequent(labels[train]) for train, test in folds]
    )
    gained, lost = int((tree & ~majority).sum()), int((majority & ~tree).sum())
    share = binomtest(int(tree.sum()), len(tree)).proportion_ci(method="exact")
    against = binomtest(gained, gained + lost, alternative="greater") if gained + lost else None
    return Trivial(
        len(tree), float(tree.mean()), float(share.low), float(share.high), float(majority.mean()),
        float(against.pvalue) if against else 1.0,
        {name: float(alone[name]) for name in sorted(alone, key=lambda name: -alone[name])},
    )  # fmt: skip


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
