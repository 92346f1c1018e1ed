"""What `classeur predict` does with each answer: explain, write, sort, count."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from classeur.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from classeur.inference.predictor import Prediction, Predictor
    from classeur.inference.remote import Remote
    from classeur.inference.sorting import How, Sorter
    from classeur.inference.sources import Sources
    from classeur.inference.unfinished import Unfinished

_SHOWN = 24
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of `classeur predict`, as they were given."""

    run: Path
    output: Path | None
    resume: bool
    figure: Path | None
    explain: Path | None
    sort_into: Path | None
    link: bool
    move: bool
    strange_share: float | None
    top_k: int
    batch_size: int
    abstain_below: float | None
    max_error: float | None
    device: str

    @property
    def abstains(self) -> bool:
        """Whether photos may be unsure."""
        return self.abstain_below is not None or self.max_error is not None

    def check(self) -> None:
        """Raise UsageError or InferenceError for what cannot be, before any work."""
        from classeur.inference.output import check_output

        for text, is_wrong in self._contradictions().items():
            if is_wrong:
                raise click.UsageError(text)
        if self.output is not None:
            check_output(self.output)
        if self.figure is not None:
            check_output(self.figure, (".png",))

    def _contradictions(self) -> dict[str, bool]:
        figure, ending = self.figure is not None, self.output.suffix.lower() if self.output else ""
        explains, kinds = self.explain is not None, self.link or self.move
        return {
            "give either --abstain-below or --max-error.": (
                self.abstain_below is not None and self.max_error is not None
            ),
            "give either --link or --move.": self.link and self.move,
            "--link and --move need --sort-into.": kinds and self.sort_into is None,
            "--figure is drawn at the end, when --move has taken the photos away: leave one out.": (
                self.move and figure
            ),
            "--resume needs --output: a file to go on with.": self.resume and self.output is None,
            "--resume cannot go on with .parquet, which is of no use until it is closed: write "
            ".csv or .jsonl.": self.resume and ending == ".parquet",
            "--resume goes on with a file of rows only: leave out --explain and --figure.": (
                self.resume and (explains or figure)
            ),
        }


@dataclass
class Tally:
    """How many photos are what, in how much time; and the first ones, for a figure."""

    counts: Counter[str] = field(default_factory=Counter)
    shown: list[Prediction] = field(default_factory=list)
    unread: list[Prediction] = field(default_factory=list)
    """The first that could not be read."""
    passed_over: int = 0
    """Photos that had a row already."""
    started: float = field(default_factory=time.perf_counter)

    def count(self, answers: Iterable[Prediction]) -> None:
        """Go through all answers."""
        for answer in answers:
            self.counts.update(
                read=not answer.error,
                unreadable=bool(answer.error),
                unsure=answer.unsure,
                strange=answer.is_strange,
            )
            if len(self.shown) < _SHOWN:
                self.shown.append(answer)
            if answer.error and len(self.unread) < _NAMED:
                self.unread.append(answer)

    def summary(self, *, abstains: bool) -> str:
        """Return what was done, in a line or two, and the first photos that could not be read."""
        from classeur.report.units import duration

        seconds = time.perf_counter() - self.started
        photos = self.counts["read"] + self.counts["unreadable"]
        speed = photos / max(seconds, 1e-9)
        text = f"{self.counts['read']:,} photos classified"
        if abstains:
            text += f", of {self.counts['unsure']:,} of them it is unsure"
        text += f", {self.counts['unreadable']:,} could not be read; in {duration(seconds)}, "
        text += f"{speed:,.0f} photos/s" if speed >= 10 else f"{speed:.1f} photos/s"
        if self.passed_over:
            text += f"; {self.passed_over:,} had a row already"
        if self.counts["strange"]:
            verb = "resembles" if self.counts["strange"] == 1 else "resemble"
            text += f"\n{self.counts['strange']:,} of them {verb} nothing the run has seen"
            text += " (strange)"
        return "\n".join([text, *self._named_unread()])

    def _named_unread(self) -> list[str]:
        lines = [f"{_in_a_line(answer.path)}: {answer.error}" for answer in self.unread]
        more = self.counts["unreadable"] - len(lines)
        return [*lines, f"and {more:,} more that could not be read"] if more else lines


def _in_a_line(path: str) -> str:
    from classeur.run_folder import printable

    return printable(path).replace("\n", "\\n").replace("\r", "\\r")


def answer_all(asked: Asked, paths: Sequence[str], stdin: BinaryIO) -> bool:
    """Classify all photos and put the answers where they were asked for.

    Returns:
        Whether every photo could be read, and brought to its folder if that was asked for.
    """
    from classeur.inference.sources import find_sources
    from classeur.models.device import keep_freed_memory
    from classeur.study.log import show_log

    show_log()
    keep_freed_memory()
    predictor = _load(asked)
    sources = find_sources(paths, stdin, asked.sort_into)
    _check_pictures(asked, predictor, sources)
    sorter = _sorter(asked, predictor)
    with sorter.alone() if sorter else nullcontext():
        tally = _answer(asked, predictor, sources, sorter)
    if asked.figure is not None:
        from classeur.report.grid import draw_grid

        draw_grid(tally.shown, asked.figure)
    click.echo(tally.summary(abstains=asked.abstains), err=True)
    if sorter is not None:
        click.echo(_where(sorter), err=True)
    return not tally.counts["unreadable"] and not (sorter and sorter.failed)


def _answer(asked: Asked, predictor: Predictor, sources: Sources, sorter: Sorter | None) -> Tally:
    tally, begun = Tally(), _begin(asked, predictor)
    photos = _remaining(sources, begun, sorter, tally)
    answers = predictor.predict(
        photos, top_k=asked.top_k, batch_size=asked.batch_size,
        abstain_below=asked.abstain_below, max_error=asked.max_error,
    )  # fmt: skip
    answers = _put_to_use(asked, predictor, answers, begun, sorter)
    try:
        tally.count(_with_bar(answers, sources, begun))
    except KeyboardInterrupt:
        click.echo(f"interrupted{_kept(asked, begun)}", err=True)
        raise SystemExit(INTERRUPTED) from None
    return tally


def _kept(asked: Asked, begun: Unfinished | None) -> str:
    """Return what to say of the rows of a run that was stopped; nothing if there are none."""
    from classeur.inference.unfinished import part_of

    if begun is None or not begun.has_rows:
        return ""
    pictures = asked.explain or asked.figure
    how = (
        "--resume, without --explain and --figure" if pictures else "the same command and --resume"
    )
    return f"; its rows are in {part_of(begun.path)}: go on with {how}"


def _load(asked: Asked) -> Predictor:
    """Load the run, refuse what it cannot do, and say what is to be known about it."""
    from classeur.inference.predictor import Predictor
    from classeur.run_folder import RunFolder

    predictor = Predictor.load(asked.run, asked.device, asked.strange_share)
    predictor.rule(asked.abstain_below, asked.max_error)
    if asked.run.is_dir() and not RunFolder(asked.run).is_trained:
        click.echo("this run is still in training: its best weights so far answer", err=True)
    if predictor.novelty is not None and not predictor.tells_strange:
        click.echo(
            "this network cannot tell strange photos: it hardly tells its own from the same cut "
            f"up and shuffled (AUROC {predictor.novelty.auroc:.2f})",
            err=True,
        )
    return predictor


def _check_pictures(asked: Asked, predictor: Predictor, sources: Sources) -> None:
    """Refuse a figure or heat maps that cannot be drawn, before any work."""
    from classeur.inference.output import check_output
    from classeur.report.heat import empty_folder

    if asked.figure is not None:
        check_output(asked.figure, (".png",), (p for p in sources.known if isinstance(p, Path)))
    if asked.explain is not None:
        _ = predictor.explainer  # a network without convolutions says so
        empty_folder(asked.explain)


def _sorter(asked: Asked, predictor: Predictor) -> Sorter | None:
    """Return what sorts the photos, if that was asked for, and say which folders have new names."""
    from classeur.inference.sorting import Sorter

    if asked.sort_into is None:
        return None
    how: How = "link" if asked.link else "move" if asked.move else "copy"
    sorter = Sorter(asked.sort_into, predictor.class_names, how)
    for name in predictor.class_names:
        if sorter.folders[name] != name:
            click.echo(f'the folder of the class "{name}" is "{sorter.folders[name]}"', err=True)
    return sorter


def _begin(asked: Asked, predictor: Predictor) -> Unfinished | None:
    """Open the output file, if it is one whose rows are written as they come."""
    from classeur.inference.output import columns_of
    from classeur.inference.unfinished import begin, fingerprint

    if asked.output is None or asked.output.suffix.lower() == ".parquet":
        return None
    top_k, extra = _columns(asked, predictor)
    facts = {
        "run": fingerprint(asked.run),
        "top_k": top_k,
        "abstain_below": asked.abstain_below,
        "max_error": asked.max_error,
        "strange_share": asked.strange_share,
    }
    columns = columns_of(asked.output, top_k, extra)
    return begin(asked.output, columns, facts, resume=asked.resume)


def _columns(asked: Asked, predictor: Predictor) -> tuple[int, tuple[str, ...]]:
    """Return how many classes a row names, and its columns of their own."""
    doubt = ("unsure", "possible") if asked.abstains else ()
    strange = ("strangeness", "strange") if predictor.tells_strange else ()
    return min(asked.top_k, len(predictor.class_names)), (*doubt, *strange)


def _remaining(
    sources: Iterable[Path | Remote], begun: Unfinished | None, sorter: Sorter | None, tally: Tally
) -> Iterator[Path | Remote]:
    """Yield the photos that have no row yet.

    A row is written before its photo is sorted, so that a kill loses no row. One photo may then
    have a row and not be in its folder: that of the last row, which is brought there now.
    """
    from classeur.run_folder import printable

    done = begun.done if begun else set()
    last = begun.last if begun else None
    for photo in sources:
        path = printable(str(photo))
        if path not in done:
            yield photo
            continue
        tally.passed_over += 1
        if sorter is not None and last is not None and path == last.path:
            sorter.place(replace(last, path=str(photo)))
            last = None


def _put_to_use(
    asked: Asked, predictor: Predictor, answers: Iterator[Prediction],
    begun: Unfinished | None, sorter: Sorter | None,
) -> Iterator[Prediction]:  # fmt: skip
    """Explain, write and sort, in this order: explaining needs the photos where they were."""
    from classeur.inference.output import write_csv, write_predictions
    from classeur.report.heat import write_heat_maps

    top_k, extra = _columns(asked, predictor)
    if asked.explain is not None:
        answers = write_heat_maps(predictor, answers, asked.explain)
    if asked.output is not None:
        answers = write_predictions(answers, asked.output, top_k, extra, begun)
    elif sorter is None:
        answers = write_csv(answers, sys.stdout, top_k, extra)
    return answers if sorter is None else sorter.sorted(answers)


def _with_bar(
    answers: Iterable[Prediction], sources: Sources, begun: Unfinished | None
) -> Iterable[Prediction]:
    from tqdm import tqdm

    from classeur.run_folder import printable

    total = sources.total
    if total and begun and begun.done:
        total = sum(printable(str(photo)) not in begun.done for photo in sources)
    return tqdm(answers, "predicting", total, unit=" photos", leave=False, disable=None)


def _where(sorter: Sorter) -> str:
    counts = ", ".join(f"{folder} {count:,}" for folder, count in sorted(sorter.counts.items()))
    left = f"; {sorter.failed:,} stayed where they are" if sorter.failed else ""
    return f"sorted into {sorter.folder}: {counts or 'none'}{left}"
