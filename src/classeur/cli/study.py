"""classeur study PHOTOS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from classeur.cli.options import ALL, COMMA_LIST, comma_list, config_options
from classeur.exit_codes import FAILED, INTERRUPTED
from classeur.training.recipes import DEFAULT_RUNGS


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.option(
    "--rungs",
    type=comma_list,
    metavar=COMMA_LIST,
    default=",".join(DEFAULT_RUNGS),
    show_default=True,
    help="Recipes to compare; see: classeur recipes.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("binder"),
    show_default=True,
    help="The study's folder. Called again, it goes on where it stopped.",
)
@click.option(
    "--seeds", type=int, default=1, show_default=True, metavar="K", help="Trainings of each rung."
)
@click.option(
    "--budget",
    type=float,
    default=0.0,
    metavar="MINUTES",
    help="Of training for the whole study, shared out evenly.",
)
@click.option("--seed", type=int, metavar="N", help="The first seed. [default: 0]")
@config_options(ALL)
def command(
    photos: Path,
    rungs: tuple[str, ...],
    to: Path,
    seeds: int,
    budget: float,
    **options: Any,
) -> None:
    """Compare several recipes on the same split, and write the binder.

    Options of training and augmentation, if given, hold for all rungs.
    """
    from classeur.cli.show import show_study
    from classeur.study.log import show_log
    from classeur.study.study import run_study

    show_log()
    # Weights that are missing stop a study only where their rung was asked for by name.
    chosen = click.get_current_context().get_parameter_source("rungs") is ParameterSource.DEFAULT
    given = {name: value for name, value in options.items() if value is not None}
    try:
        study = run_study(
            photos, rungs, to=to, seeds=seeds, budget=budget, skip_missing=chosen, **given
        )
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on where it stopped", err=True)
        raise SystemExit(INTERRUPTED) from None
    click.echo(show_study(study.report))
    click.echo(f"\nbinder: {study.binder}")
    click.echo(f'predict with the best: classeur predict "{study.best.path}" PHOTOS')
    if study.report.failed:
        for name, reason in study.report.failed.items():
            click.echo(f"failed: {name}: {reason}", err=True)
        raise SystemExit(FAILED)
