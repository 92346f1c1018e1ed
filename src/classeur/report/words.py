"""Plain sentences about figures: each says what the data support, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from classeur.evaluation.comparison import Pair
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import FEW_MISTAKES, Figure, Metrics, exact_share
from classeur.evaluation.openings import Opening, is_changed
from classeur.evaluation.slices import Slice, worst_slice
from classeur.report.certainty import describe_missing
from classeur.training.history import EpochRow, best_row

GAP = 0.05
"""Training accuracy this far above validation, with intervals apart, is called overfitting."""

RARE = 0.5
"""A class is called rare with fewer training photos than this share of the largest class's."""

_SPLITS = {"train": "training", "val": "validation", "test": "test"}

MOST_DIFFERENCES = 4
"""Runs that a conclusion names with the difference from each."""


def percent(value: float, digits: int = 1) -> str:
    """Return 0.873 as `87.3 %`."""
    return f"{100 * value:.{digits}f} %"


def interval(figure: Figure) -> str:
    """Return the 95 % interval as `85.2–89.1 %`."""
    return f"{100 * figure.low:.1f}–{100 * figure.high:.1f} %"


def points(figure: Figure) -> str:
    """Return a difference as `+3.1 points (95 % interval +1.0 to +5.2)`."""
    return (
        f"{signed(figure.value)} points "
        f"(95 % interval {signed(figure.low)} to {signed(figure.high)})"
    )


def signed(value: float) -> str:
    """Return 0.031 as `+3.1`, in points, with a true minus sign."""
    tenths = round(1000 * value)
    return f"{'−' if tenths < 0 else '+'}{abs(tenths) / 10:.1f}"


def overfits(metrics: RunMetrics) -> bool:
    """Whether training accuracy is clearly above validation accuracy."""
    train, val = metrics.splits["train"].accuracy, metrics.splits["val"].accuracy
    return train.value - val.value >= GAP and train.low > val.high


def describe_fit(history: Sequence[EpochRow], metrics: RunMetrics) -> list[str]:
    """Say whether a run overfits, has learned nothing, or was still improving."""
    train, val = metrics.splits["train"].accuracy, metrics.splits["val"].accuracy
    sentences = []
    if overfits(metrics):
        sentences.append(
            f"It overfits: {percent(train.value)} of the training photos are right, but only "
            f"{percent(val.value)} of the validation photos. More photos, augmentation or dropout "
            "may help."
        )
    elif history:
        verdict = "No clear overfitting"
        if train.value - val.value >= GAP:
            verdict = "It may overfit; the photos are too few to tell"
        sentences.append(
            f"{verdict}: {percent(train.value)} right on training photos, "
            f"{percent(val.value)} on validation photos."
        )
    if history:
        sentences += _describe_curve(history)
    if history and _learned_nothing(metrics.splits["val"]):
        sentences.append(
            "It has learned nothing that shows: its validation accuracy cannot be told from that "
            "of always answering the most frequent class."
        )
    return sentences


def describe_tuning(head: Sequence[EpochRow], history: Sequence[EpochRow]) -> list[str]:
    """Say what the backbone's learning added to that of the head; nothing if there was no such."""
    if not head or not history:
        return []
    before, after = best_row(head).val_accuracy, best_row(history).val_accuracy
    return [
        f"The head alone, on the frozen backbone, got {percent(before)} of the validation photos "
        f"right; with the backbone learning too it is {percent(after)}."
    ]


def describe_split(metrics: Metrics, class_names: Sequence[str]) -> list[str]:
    """Say which classes are confused most often."""
    confused = most_confused(metrics, class_names)
    if not confused:
        return ["No photo was given a wrong class."]
    label, prediction, count = confused[0]
    support = next(row.support for row in metrics.per_class if row.label == label)
    return [
        f"The most frequent mistake: {label} taken for {prediction}, {count} of {support} photos."
    ]


def describe_imbalance(metrics: Metrics, sizes: Mapping[str, int]) -> list[str]:
    """Say that rare classes are recognised less often, if the test photos tell.

    Args:
        metrics: on the test photos.
        sizes: label -> training photos.
    """
    limit = RARE * max(sizes.values(), default=0)
    rare = [row for row in metrics.per_class if row.support and sizes.get(row.label, 0) < limit]
    others = [row for row in metrics.per_class if row.support and sizes.get(row.label, 0) >= limit]
    if not rare or not others:
        return []
    of_rare, of_others = (
        exact_share(
            sum(row.recall * row.support for row in rows) / sum(row.support for row in rows),
            sum(row.independent for row in rows),
        )
        for rows in (rare, others)
    )
    if of_rare.high >= of_others.low:
        return []
    return [
        f"Rare classes fare worse: of the test photos whose class has less than half the training "
        f"photos of the largest, {percent(of_rare.value)} are right (95 % interval "
        f"{interval(of_rare)}); of the others {percent(of_others.value)} ({interval(of_others)})."
    ]


def describe_few_mistakes(splits: Mapping[str, Metrics]) -> str:
    """Say on which splits the interval of the log-loss is too short; '' where it is on none."""
    few = [_SPLITS[name] for name, found in splits.items() if found.mistakes < FEW_MISTAKES]
    if not few:
        return ""
    return (
        f"The interval of the log-loss is too short on {_join(few)}: there are fewer than five "
        "mistakes."
    )


def describe_rungs_with_few_mistakes(test: Mapping[str, Metrics]) -> str:
    """The same of rungs; '' where it is too short for none.

    Args:
        test: rung -> metrics on the test photos.
    """
    few = [name for name, found in test.items() if found.mistakes < FEW_MISTAKES]
    if not few:
        return ""
    makes = "makes" if len(few) == 1 else "make"
    return (
        f"{_join(few)} {makes} fewer than five mistakes on test: the interval of such a log-loss "
        "is too short."
    )


def describe_slices(slices: Sequence[Slice]) -> str:
    """Name the slice on which a run is worst, if the photos show that it is worse there."""
    worst = worst_slice(slices)
    if worst is None:
        which = (
            "The one slice is not" if len(slices) == 1 else f"None of the {len(slices)} slices is"
        )
        return f"{which} worse than the other photos, as far as these photos tell."
    return (
        f"It is worst where {worst.feature} is “{worst.value}”: {percent(worst.accuracy.value)} of "
        f"{worst.photos:,} photos are right (95 % interval {interval(worst.accuracy)}), of the "
        f"others {percent(worst.others)}."
    )


def describe_openings(openings: Sequence[Opening]) -> list[str]:
    """Say how often the test split was opened in a study, and whether that did harm."""
    runs, again = len({opening.run for opening in openings}), opened_again(openings)
    times = f"{len(openings)} time{'s' if len(openings) > 1 else ''}"
    each = f"once for {'each of ' if runs > 1 else ''}{runs} run{'s' if runs > 1 else ''}"
    if not again:
        return [f"The test split was opened {times}, {each}."] if openings else []
    said = [f"The test split was opened {times}, more than once for {_join(again)}."]
    changed = [run for run, some in again.items() if is_changed(some)]
    unknown = [r for r in again if r not in changed and any(not o.network for o in again[r])]
    same = [run for run in again if run not in (*changed, *unknown)]
    said += warn_of_openings(openings)
    if unknown:
        said.append(f"Whether the network of {_join(unknown)} was the same is not on record.")
    if same:
        said.append(f"The network of {_join(same)} was the same each time: that does no harm.")
    return said


def warn_of_openings(openings: Sequence[Opening]) -> list[str]:
    """Return a warning where a network was changed after its test score had been seen."""
    again = opened_again(openings)
    changed = [run for run, some in again.items() if is_changed(some)]
    if not changed:
        return []
    its = "its score is" if len(changed) == 1 else "their scores are"
    return [
        f"The test photos had been opened for {_join(changed)} before, with another network: what "
        f"is chosen after a look at them fits them too well, so {its} optimistic."
    ]


def opened_again(openings: Iterable[Opening]) -> dict[str, list[Opening]]:
    """Return run -> its openings, for the runs that have several."""
    by_run: dict[str, list[Opening]] = {}
    for opening in openings:
        by_run.setdefault(opening.run, []).append(opening)
    return {run: some for run, some in by_run.items() if len(some) > 1}


def most_confused(
    metrics: Metrics, class_names: Sequence[str], at_most: int = 5
) -> list[tuple[str, str, int]]:
    """Return (label, prediction, photos) of the most frequent mistakes."""
    cells = [
        (class_names[i], class_names[j], count)
        for i, row in enumerate(metrics.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(cells, key=lambda cell: -cell[2])[:at_most]


def conclude(
    chosen: str, pairs: Sequence[Pair], metrics: Metrics, openings: Sequence[Opening] = ()
) -> list[str]:
    """Return the conclusion of a study: what was chosen, and over what it is really better.

    Args:
        chosen: the rung with the best validation accuracy.
        pairs: all pairs of rungs on the test photos.
        metrics: of the chosen rung on the test photos.
        openings: of the chosen run's test split.
    """
    test = metrics.accuracy
    why = "had the best validation accuracy and is chosen" if pairs else "is the only approach"
    sentences = [
        f"{chosen} {why}. Of the {metrics.photos:,} test photos, which had no part in that, it "
        f"gets {percent(test.value)} right (95 % interval {interval(test)})."
    ]
    if _learned_nothing(metrics):
        sentences.append(
            "That cannot be told from always answering the most frequent class: nothing was "
            "learned that these photos show."
        )
    mine = [
        (pair.second if pair.first == chosen else pair.first, pair)
        for pair in pairs
        if chosen in (pair.first, pair.second)
    ]
    seen = [(other, pair.seen_from(chosen)) for other, pair in mine if pair.differs]
    better = [(other, difference) for other, difference in seen if difference.value > 0]
    worse = [(other, difference) for other, difference in seen if difference.value < 0]
    same = [(other, pair) for other, pair in mine if not pair.differs]
    if better:
        sentences.append(f"It is better than {_name(better, 'and')}.")
    if same:
        named = _name([(other, pair.seen_from(chosen)) for other, pair in same], "or")
        sentences.append(
            f"These test photos cannot tell it from {named}: indistinguishable on this test set; "
            f"{describe_missing(same)}."
        )
    if worse:
        sentences.append(
            f"On the test photos it is worse than {_name(worse, 'and')}: validation chose badly."
        )
    if len(openings) > 1:
        first = openings[0].accuracy
        score = "" if first is None else f", {percent(first)},"
        sentences.append(
            f"Its test split has been read {len(openings)} times; the first score{score} counts."
        )
    return sentences


def _name(others: Sequence[tuple[str, Figure]], word: str) -> str:
    """Name runs with the differences from them; of many, the names alone."""
    if len(others) > MOST_DIFFERENCES:
        return _join([other for other, _ in others], word)
    named = [f"{other} ({_briefly(d, units=not i)})" for i, (other, d) in enumerate(others)]
    return _join(named, word)


_OF_IMAGENET = re.compile(
    r"(?<![a-z\d])n\d{8}(?!\d)|stanford.?dogs|imagenette|imagewoof", re.IGNORECASE
)
"""ImageNet's ids of classes, and data sets that were drawn from it, in names of folders."""


def seen_before(pretrained_on: Mapping[str, str], paths: Iterable[str]) -> list[str]:
    """Return a warning where the photos are likely among those that a backbone learned from.

    Args:
        pretrained_on: rung -> the photos its backbone learned from; empty: none.
        paths: of the photos and the folder that holds them.
    """
    names = [name for name, photos in pretrained_on.items() if photos.startswith("ImageNet")]
    trace = next((found[0] for path in paths if (found := _OF_IMAGENET.search(path))), None)
    if not names or trace is None:
        return []
    its = "its score here is" if len(names) == 1 else "their scores here are"
    return [
        f"{_join(names, 'and')} began with weights from ImageNet, and these photos are probably of "
        f"ImageNet too (“{trace}” in their paths): {its} optimistic, for photos that a network has "
        "learned from are easier than new ones."
    ]


def _briefly(figure: Figure, *, units: bool) -> str:
    """Return a difference and its interval; the first of a list says what the numbers are."""
    points_word, interval_word = (" points", "95 % interval ") if units else ("", "")
    return (
        f"{signed(figure.value)}{points_word}, "
        f"{interval_word}{signed(figure.low)} to {signed(figure.high)}"
    )


def _join(named: Iterable[str], last: str = "and") -> str:
    words = list(named)
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]


def _describe_curve(history: Sequence[EpochRow]) -> list[str]:
    lowest, kept, last = min(history, key=lambda row: row.val_loss), best_row(history), history[-1]
    if lowest is last and len(history) > 1:
        return [
            "The validation loss was still falling in the last epoch: more epochs may bring more."
        ]
    words = []
    if last.val_loss > 1.1 * lowest.val_loss and last.train_loss < lowest.train_loss:
        words = [
            f"After epoch {lowest.epoch} the training loss went on falling "
            f"({lowest.train_loss:.2f} to {last.train_loss:.2f}) while the validation loss rose "
            f"({lowest.val_loss:.2f} to {last.val_loss:.2f})."
        ]
    best = f"The weights of epoch {kept.epoch} are kept: its validation accuracy was the highest."
    return [*words, best]


def _learned_nothing(metrics: Metrics) -> bool:
    largest = max(row.support for row in metrics.per_class) / metrics.photos
    return metrics.accuracy.low <= largest
