"""classeur predict RUN PATH…"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from classeur.cli.options import Share
from classeur.exit_codes import UNREADABLE

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
    help="Be unsure of photos whose label has a probability below this: 90% or 0.9.",
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
    run: Path, paths: tuple[Path, ...], output: Path | None, figure: Path | None, top_k: int,
    batch_size: int, device: str, abstain_below: float | None, max_error: float | None,
) -> None:  # fmt: skip
    """Classify photos, or all photos in folders, with a trained run.

    A photo that cannot be read is a row with its error; the exit code is then 3.

    --max-error holds with 95 % probability for photos like those of the run; it is chosen on the
    run's validation photos, and refused where they are too few for it.
    """
    from tqdm import tqdm

    from classeur.inference.output import check_output, write_csv, write_predictions
    from classeur.inference.predictor import Prediction, Predictor, find_photos
    from classeur.run_folder import RunFolder

    if output is not None:
        check_output(output)
    if abstain_below is not None and max_error is not None:
        raise click.UsageError("give either --abstain-below or --max-error.")
    predictor = Predictor.load(run, device)
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
    extra = ("unsure", "possible") if max_error else ("unsure",) if abstain_below else ()
    written = (
        write_csv(answers, sys.stdout, top_k, extra)
        if output is None
        else write_predictions(answers, output, top_k, extra)
    )
    shown: list[Prediction] = []
    total, unreadable, unsure = 0, 0, 0
    for answer in written:
        total += 1
        unreadable += bool(answer.error)
        unsure += answer.unsure
        if figure is not None and len(shown) < _SHOWN:
            shown.append(answer)
    if figure is not None:
        from classeur.report.grid import draw_grid

        draw_grid(shown, figure)
    read = total - unreadable
    doubt = f", of {unsure:,} of them it is unsure" if extra else ""
    click.echo(f"{read:,} photos classified{doubt}, {unreadable:,} could not be read", err=True)
    if unreadable:
        raise click.exceptions.Exit(UNREADABLE)
