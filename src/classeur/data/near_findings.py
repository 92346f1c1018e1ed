"""Findings about near-duplicates: groups of them, and pairs that lie in different splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from classeur.data.facts import PhotoFacts
from classeur.data.near_duplicates import NearPair


@dataclass(frozen=True)
class NearDuplicates:
    """Photos that show nearly the same picture, exact copies of any of them included."""

    paths: list[str]
    labels: list[str]
    """The different labels they carry; more than one is a contradiction."""
    splits: list[str]
    """The different splits they came in; '' for none."""
    likeness: float
    """Of the two least alike that were compared: correlation of their fine detail, at most 1."""


@dataclass(frozen=True)
class NearLeak:
    """Two near-duplicates that came in different splits."""

    paths: list[str]
    labels: list[str]
    splits: list[str]
    likeness: float
    """Correlation of their fine detail, at most 1."""


@dataclass(frozen=True)
class Copies:
    """Photos of a split that have a copy in another split, by path."""

    exact: list[str]
    """Equal pixel for pixel, or byte for byte."""
    near: list[str]
    """Nearly the same picture, and no exact copy."""

    @property
    def paths(self) -> set[str]:
        """All of them."""
        return {*self.exact, *self.near}


@dataclass(frozen=True)
class CopiesAcross:
    """Photos that have a copy on another side of the split that a run was made on."""

    test: Copies
    """Test photos with a copy among the training photos."""
    val: Copies
    """Validation photos with a copy among the training photos."""
    test_in_val: Copies
    """Test photos with a copy among the validation photos."""

    @classmethod
    def of(cls, facts: Sequence[PhotoFacts], pairs: Sequence[NearPair]) -> CopiesAcross:
        """Find them.

        Args:
            facts: with the split that each photo is used in.
            pairs: the near-duplicates among them.
        """
        return cls(
            copies_among(facts, pairs),
            copies_among(facts, pairs, "val"),
            copies_among(facts, pairs, "test", "val"),
        )


def near_duplicates(facts: Sequence[PhotoFacts], pairs: Sequence[NearPair]) -> list[NearDuplicates]:
    """Return the groups, in the order of their first photos."""
    groups: dict[str, list[PhotoFacts]] = defaultdict(list)
    for fact in facts:
        if fact.near:
            groups[fact.near].append(fact)
    group_of = {fact.path: fact.near for fact in facts}
    lowest: dict[str, float] = {}
    for pair in pairs:
        name = group_of[pair.first]
        if name == group_of[pair.second]:
            lowest[name] = min(pair.likeness, lowest.get(name, 1.0))
    return [
        NearDuplicates(
            [fact.path for fact in group],
            sorted({fact.label for fact in group}),
            sorted({fact.split for fact in group}),
            lowest.get(name, 1.0),
        )
        for name, group in groups.items()
    ]


def near_leaks(facts: Sequence[PhotoFacts], pairs: Sequence[NearPair]) -> list[NearLeak]:
    """Return the pairs that came in different splits, the most alike first."""
    copies: dict[str, list[PhotoFacts]] = defaultdict(list)
    for fact in facts:
        copies[fact.content].append(fact)
    content = {fact.path: fact.content for fact in facts}
    leaks = []
    for pair in pairs:
        firsts, seconds = copies[content[pair.first]], copies[content[pair.second]]
        for one, other in _apart(firsts, seconds):
            both = (one, other)
            leaks.append(
                NearLeak(
                    [fact.path for fact in both],
                    [fact.label for fact in both],
                    [fact.split for fact in both],
                    pair.likeness,
                )
            )
    return sorted(leaks, key=lambda leak: -leak.likeness)


def _apart(
    firsts: Sequence[PhotoFacts], seconds: Sequence[PhotoFacts]
) -> Iterator[tuple[PhotoFacts, PhotoFacts]]:
    """Yield one pair of photos for every two different splits that these came in."""
    of_first = {fact.split: fact for fact in reversed(firsts) if fact.split}
    of_second = {fact.split: fact for fact in reversed(seconds) if fact.split}
    for split, one in of_first.items():
        for another, other in of_second.items():
            if split != another:
                yield one, other


def cut_pairs(facts: Sequence[PhotoFacts], pairs: Sequence[NearPair]) -> int:
    """Return how many pairs a split that is still to be made may put on two sides.

    Their groups were not joined, because a chain between unlike photos would have been the group.
    """
    of = {fact.path: fact for fact in facts}
    both = ((of[pair.first], of[pair.second]) for pair in pairs)
    return sum(
        one.near != other.near
        and (not one.group or one.group != other.group)
        and not (one.split and other.split)
        for one, other in both
    )


def near_sentences(
    groups: Sequence[NearDuplicates], leaks: Sequence[NearLeak], cut: int = 0
) -> Iterator[str]:
    """Yield what calls for a decision, in plain sentences."""
    contradictions = sum(len(group.labels) > 1 for group in groups)
    if contradictions:
        yield (
            f"{contradictions} {'group' if contradictions == 1 else 'groups'} of near-duplicates "
            f"{'carries' if contradictions == 1 else 'carry'} more than one label: look at them."
        )
    if leaks:
        yield (
            f"{len(leaks)} {'pair' if len(leaks) == 1 else 'pairs'} of near-duplicates "
            f"{'lies' if len(leaks) == 1 else 'lie'} in different splits: scores on such photos "
            "are too good."
        )
    if cut:
        yield (
            f"{cut} {'pair' if cut == 1 else 'pairs'} of near-duplicates "
            f"{'belongs' if cut == 1 else 'belong'} to a series whose ends are different, which "
            "was cut: a split may separate them. Name the series with --group-from."
        )
    more = sum(len(group.paths) - 1 for group in groups)
    if more:
        yield (
            f"{more} {'photo nearly repeats' if more == 1 else 'photos nearly repeat'} another: "
            "resized, saved again, cropped a little, or taken a moment later."
        )


def copies_among(
    facts: Sequence[PhotoFacts],
    pairs: Sequence[NearPair],
    split: str = "test",
    other: str = "train",
) -> Copies:
    """Return the photos of a split that have a copy in another: by default, test in training.

    Args:
        facts: with the split that each photo is used in.
        pairs: the near-duplicates among them: a group may have been cut between the two.
        split: whose photos are returned.
        other: where their copies are.
    """
    there = [fact for fact in facts if fact.split == other]
    content, files = {fact.content for fact in there}, {fact.sha256 for fact in there}
    groups = {fact.near for fact in there if fact.near}
    of = {fact.path: fact.content for fact in facts}
    both = [(of[pair.first], of[pair.second]) for pair in pairs]
    beside = {one for pair in both for one, two in (pair, pair[::-1]) if two in content}
    exact_paths, near_paths = [], []
    for fact in facts:
        if fact.split != split:
            continue
        if fact.content in content or fact.sha256 in files:
            exact_paths.append(fact.path)
        elif fact.near in groups or fact.content in beside:
            near_paths.append(fact.path)
    return Copies(exact_paths, near_paths)
