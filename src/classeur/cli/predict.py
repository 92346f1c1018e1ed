"""classeur predict RUN PATH…"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from classeur.cli.options import Share
from classeur.exit_codes import UNREADABLE

if TYPE_CHECKING:
    from classeur.inference.predictor import Prediction, Predictor

_SHOWN = 24


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write .csv, .jsonl or .parquet instead of CSV to the terminal.",
)
@click.option(
    "--figure", type=click.Path(path_type=Path), metavar="FILE", help="Draw photos as .png."
)
@click.option(
    "--explain", type=click.Path(path_type=Path), metavar="DIR",
    help="Write each photo there with a heat map of where the network looked (Grad-CAM).",
)  # fmt: skip
@click.option(
    "--strange-share", type=Share(), metavar="SHARE",
    help="Share of photos of the run's own kind that may be called strange: 1% or 0.01. "
    "[default: 5%]",
)  # fmt: skip
@click.option(
    "--top-k", type=click.IntRange(1), default=3, show_default=True, help="Classes to name."
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    metavar="N",
    help="Photos for each pass through the network.",
)
@click.option(
    "--abstain-below",
    type=Share(),
    metavar="SHARE",
    help="Be unsure of photos whose label has a probability below this: 90% or 0.9. An unsure "
    "photo has its possible labels, the most probable ones that have as much together.",
)
@click.option(
    "--max-error",
    type=Share(),
    metavar="SHARE",
    help="Be unsure where it takes that for at most this share of the answers to be wrong: 1% or "
    "0.01. An unsure photo has its possible labels, which miss the right one as rarely.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, mps or auto.")
def command(
    run: Path, paths: tuple[Path, ...], output: Path | None, figure: Path | None,
    explain: Path | None, strange_share: float | None, top_k: int, batch_size: int,
    device: str, abstain_below: float | None, max_error: float | None,
) -> None:  # fmt: skip
    """Classify photos, or all photos in folders, with a trained run.

    A photo that resembles nothing the run has seen is marked as strange; its label stays.

    A photo that cannot be read is a row with its error; the exit code is then 3.

    --max-error holds with 95 % probability for photos like the run's validation photos, on which it
    is chosen, as if they had chosen nothing else: they also chose the epoch and the temperature,
    perhaps the approach. The sheet shows what the test photos reached. Where validation photos
    come in groups it is for a photo of a new group. It is refused where they are too few.
    """
    from tqdm import tqdm

    from classeur.inference.output import check_output, write_csv, write_predictions
    from classeur.inference.predictor import Predictor, find_photos
    from classeur.run_folder import RunFolder

    if output is not None:
        check_output(output)
    if abstain_below is not None and max_error is not None:
        raise click.UsageError("give either --abstain-below or --max-error.")
    predictor = Predictor.load(run, device, strange_share)
    predictor.rule(abstain_below, max_error)
    if not RunFolder(run).is_trained:
        click.echo("this run is still in training: its best weights so far answer", err=True)
    photos = find_photos(paths)
    if figure is not None:
        check_output(figure, (".png",), photos)
    top_k = min(top_k, len(predictor.class_names))
    bar = tqdm(photos, "predicting", unit=" photos", leave=False, disable=None)
    answers = predictor.predict(
        bar, top_k=top_k, batch_size=batch_size, abstain_below=abstain_below, max_error=max_error
    )
    if explain is not None:
        answers = _explained(predictor, answers, explain)
    tells = predictor.tells_strange
    if predictor.novelty is not None and not tells:
        click.echo(
            "this network cannot tell strange photos: it hardly tells its own from the same cut "
            f"up and shuffled (AUROC {predictor.novelty.auroc:.2f})",
            err=True,
        )
    doubt = ("unsure", "possible") if max_error or abstain_below else ()
    columns = (*doubt, *(("strangeness", "strange") if tells else ()))
    written = (
        write_csv(answers, sys.stdout, top_k, columns)
        if output is None
        else write_predictions(answers, output, top_k, columns)
    )
    counts, shown = _counted(written)
    if figure is not None:
        from classeur.report.grid import draw_grid

        draw_grid(shown, figure)
    click.echo(_summary(counts, abstains=bool(doubt)), err=True)
    if counts["unreadable"]:
        raise click.exceptions.Exit(UNREADABLE)


def _explained(
    predictor: Predictor, answers: Iterator[Prediction], folder: Path
) -> Iterator[Prediction]:
    from classeur.report.heat import empty_folder, write_heat_maps

    _ = predictor.explainer  # a network without convolutions says so before any work
    empty_folder(folder)
    return write_heat_maps(predictor, answers, folder)


def _counted(answers: Iterable[Prediction]) -> tuple[Counter[str], list[Prediction]]:
    """Go through the answers; return how many are what, and the first ones, for a figure."""
    counts: Counter[str] = Counter()
    shown: list[Prediction] = []
    for answer in answers:
        counts.update(
            read=not answer.error,
            unreadable=bool(answer.error),
            unsure=answer.unsure,
            strange=answer.is_strange,
        )
        if len(shown) < _SHOWN:
            shown.append(answer)
    return counts, shown


def _summary(counts: Counter[str], *, abstains: bool) -> str:
    doubt = f", of {counts['unsure']:,} of them it is unsure" if abstains else ""
    text = f"{counts['read']:,} photos classified{doubt}, "
    text += f"{counts['unreadable']:,} could not be read"
    if counts["strange"]:
        verb = "resembles" if counts["strange"] == 1 else "resemble"
        text += f"\n{counts['strange']:,} of them {verb} nothing the run has seen (strange)"
    return text
