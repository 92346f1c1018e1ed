"""What a study asks of each pair of rungs, and what the test photos answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from classeur.config import SECTIONS, RunConfig
from classeur.evaluation.comparison import Pair
from classeur.evaluation.metrics import Figure
from classeur.report.certainty import missing_photos


@dataclass(frozen=True)
class Question:
    """What one rung brings over another."""

    ask: str
    """A sentence: "What does augmentation bring?"."""
    before: str
    """The rung without it."""
    after: str
    """The rung with it."""


@dataclass(frozen=True)
class Answer:
    """A question, and the paired difference on the test photos that answers it."""

    question: Question
    difference: Figure | None
    """Test accuracy of `after` minus that of `before`, with its paired interval. None: a rung is
    missing."""
    verdict: str
    changed: tuple[str, ...] = ()
    """The options in which the two rungs differ."""


def answer_all(
    questions: Iterable[Question],
    pairs: Sequence[Pair],
    finished: Mapping[str, RunConfig],
    missing: Collection[str],
) -> list[Answer]:
    """Answer what can be answered; say of the others which rung is missing.

    Args:
        questions: of the study.
        pairs: all pairs of finished rungs.
        finished: those rungs, and what was asked of them.
        missing: rungs that were asked for and did not finish. Questions about rungs that nobody
            asked for are left out.
    """
    seen = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    answers = []
    for question in questions:
        rungs = (question.before, question.after)
        absent = [name for name in rungs if name in missing and name not in finished]
        pair = seen.get(frozenset(rungs))
        if pair is not None:
            changed = differing(*(finished[name] for name in rungs))
            answers.append(_answer(question, pair, changed))
        elif absent and all(name in missing or name in finished for name in rungs):
            said = f"Not answered: {' and '.join(absent)} did not finish."
            answers.append(Answer(question, None, said))
    return answers


def differing(before: RunConfig, after: RunConfig) -> tuple[str, ...]:
    """Return the options in which two runs differ, by their names; `network` for its name."""
    return tuple(
        "network" if name == "name" else name
        for section in SECTIONS
        for name, value in vars(getattr(before, section)).items()
        if value != getattr(getattr(after, section), name)
    )


def _answer(question: Question, pair: Pair, changed: tuple[str, ...]) -> Answer:
    if not changed:
        verdict = "Not answered: with the options given, the two rungs are the same."
        return Answer(question, None, verdict)
    difference = pair.seen_from(question.after)
    if not pair.differs:
        verdict = f"The test photos cannot tell the two apart; {missing_photos(pair)}."
    elif difference.value > 0:
        verdict = f"{question.after} is better."
    else:
        verdict = f"{question.after} is worse."
    return Answer(question, difference, verdict, changed)


def written(answer: Answer) -> Mapping[str, object]:
    """Return what comparison.json holds of an answer."""
    return {
        "ask": answer.question.ask,
        "before": answer.question.before,
        "after": answer.question.after,
        "difference": vars(answer.difference) if answer.difference else None,
        "verdict": answer.verdict,
        "changed": list(answer.changed),
    }
