"""classeur predict RUN PATH…"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from classeur.cli.options import Share
from classeur.exit_codes import UNREADABLE

_FILE, _DIR = click.Path(path_type=Path), click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=_FILE, metavar="FILE",
    help="Write .csv, .jsonl or .parquet. Without it and --sort-into: CSV to the terminal.",
)  # fmt: skip
@click.option(
    "--resume", is_flag=True,
    help="Go on with FILE where a run stopped, or with new photos: those that have a row there are "
    "passed over. Not for .parquet.",
)  # fmt: skip
@click.option("--figure", type=_FILE, metavar="FILE", help="Draw photos as .png.")
@click.option(
    "--explain", type=_DIR, metavar="DIR",
    help="Write each photo there with a heat map of where the network looked (Grad-CAM).",
)  # fmt: skip
@click.option(
    "--sort-into", type=_DIR, metavar="DIR",
    help="Copy each photo into the folder of its class there; unsure, strange and unreadable ones "
    "into folders of that name. Nothing is written over.",
)  # fmt: skip
@click.option("--link", is_flag=True, help="Sort symbolic links instead of copies.")
@click.option("--move", is_flag=True, help="Sort the photos themselves instead of copies.")
@click.option(
    "--strange-share", type=Share(), metavar="SHARE",
    help="Share of photos of the run's own kind that may be called strange: 1% or 0.01. "
    "[default: 5%]",
)  # fmt: skip
@click.option(
    "--top-k", type=click.IntRange(1), default=3, show_default=True, help="Classes to name."
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, metavar="N",
    help="Photos for each pass through the network.",
)  # fmt: skip
@click.option(
    "--abstain-below", type=Share(), metavar="SHARE",
    help="Be unsure of photos whose label has a probability below this: 90% or 0.9. An unsure "
    "photo has its possible labels, the most probable ones that have as much together.",
)  # fmt: skip
@click.option(
    "--max-error", type=Share(), metavar="SHARE",
    help="Be unsure where it takes that for at most this share of the answers to be wrong: 1% or "
    "0.01. An unsure photo has its possible labels, which miss the right one as rarely.",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, mps or auto.")
def command(run: Path, paths: tuple[str, ...], **options: Any) -> None:
    """Classify photos with a trained run.

    PATHS are photos, folders with all photos below them, patterns in quotes ('photos/**/*.jpg'),
    URLs (http, https; s3, gs and others by fsspec), or - for a list of paths and URLs on standard
    input, one a line or between NULs.

    A photo that resembles nothing the run has seen is marked as strange; its label stays.

    A photo that cannot be read is a row with its error; the exit code is then 3.

    --max-error holds with 95 % probability for photos like the run's validation photos, on which it
    is chosen, as if they had chosen nothing else: they also chose the epoch and the temperature,
    perhaps the approach. The sheet shows what the test photos reached. Where validation photos
    come in groups it is for a photo of a new group. It is refused where they are too few.
    """
    from classeur.cli.answers import Asked, answer_all

    asked = Asked(run=run, **options)
    asked.check()
    if not answer_all(asked, paths, sys.stdin.buffer):
        raise click.exceptions.Exit(UNREADABLE)
