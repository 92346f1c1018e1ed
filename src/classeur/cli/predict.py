"""classeur predict RUN PATH…"""

from __future__ import annotations

import sys
from pathlib import Path

import click

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
    "--explain", type=click.Path(path_type=Path), metavar="DIR",
    help="Write each photo there with a heat map of where the network looked (Grad-CAM).",
)  # fmt: skip
@click.option(
    "--strange-share", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="X",
    help="Share of photos of the run's own kind that may be called strange. [default: 0.05]",
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
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, mps or auto.")
def command(
    run: Path, paths: tuple[Path, ...], output: Path | None, figure: Path | None,
    explain: Path | None, strange_share: float | None, top_k: int,
    batch_size: int, device: str,
) -> None:  # fmt: skip
    """Classify photos, or all photos in folders, with a trained run.

    A photo that resembles nothing the run has seen is marked as strange; its label stays.

    A photo that cannot be read is a row with its error; the exit code is then 3.
    """
    from tqdm import tqdm

    from classeur.inference.output import check_output, write_csv, write_predictions
    from classeur.inference.predictor import Prediction, Predictor, find_photos
    from classeur.run_folder import RunFolder

    if output is not None:
        check_output(output)
    predictor = Predictor.load(run, device, strange_share)
    if not RunFolder(run).is_trained:
        click.echo("this run is still in training: its best weights so far answer", err=True)
    photos = find_photos(paths)
    if figure is not None:
        check_output(figure, (".png",), photos)
    if explain is not None:
        from classeur.report.heat import empty_folder, write_heat_maps

        _ = predictor.explainer  # a network without convolutions says so before any work
        empty_folder(explain)
    top_k = min(top_k, len(predictor.class_names))
    bar = tqdm(photos, "predicting", unit=" photos", leave=False, disable=None)
    answers = predictor.predict(bar, top_k=top_k, batch_size=batch_size)
    if explain is not None:
        answers = write_heat_maps(predictor, answers, explain)
    can_tell = predictor.novelty is not None
    written = (
        write_csv(answers, sys.stdout, top_k, strange=can_tell)
        if output is None
        else write_predictions(answers, output, top_k, strange=can_tell)
    )
    shown: list[Prediction] = []
    total, unreadable, strange = 0, 0, 0
    for answer in written:
        total += 1
        unreadable += bool(answer.error)
        strange += answer.is_strange
        if figure is not None and len(shown) < _SHOWN:
            shown.append(answer)
    if figure is not None:
        from classeur.report.grid import draw_grid

        draw_grid(shown, figure)
    read = total - unreadable
    click.echo(f"{read:,} photos classified, {unreadable:,} could not be read", err=True)
    if strange:
        verb = "resembles" if strange == 1 else "resemble"
        click.echo(f"{strange:,} of them {verb} nothing the run has seen (strange)", err=True)
    if unreadable:
        raise click.exceptions.Exit(UNREADABLE)
