"""classeur study [STUDY] PHOTOS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.cli.options import ALL, COMMA_LIST, comma_list, config_options, track_option
from classeur.exit_codes import FAILED, INTERRUPTED


@click.command()
@click.argument("what", nargs=-1, metavar="[STUDY] PHOTOS")
@click.option(
    "--rungs",
    type=comma_list,
    metavar=COMMA_LIST,
    help="Recipes to compare, in place of the study's; see: classeur recipes.",
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
@click.option(
    "--compare-frozen",
    is_flag=True,
    help="Also train the head alone of each rung that is fine-tuned: what did tuning bring?",
)
@click.option("--seed", type=int, metavar="N", help="The first seed. [default: 0]")
@track_option
@config_options(ALL, without=("fold",))
def command(
    what: tuple[str, ...],
    rungs: tuple[str, ...] | None,
    to: Path,
    seeds: int,
    budget: float,
    compare_frozen: bool,
    track: tuple[str, ...],
    **options: Any,
) -> None:
    """Compare several recipes on the same split, and write the binder.

    STUDY is a name that `classeur studies` lists, or a TOML file like theirs. [default: standard]

    Options of training and augmentation, if given, hold for all rungs.
    """
    if not 1 <= len(what) <= 2:
        raise click.UsageError(f"expected [STUDY] PHOTOS, received {len(what)} names.")
    if what[-1].endswith(".toml"):
        raise click.UsageError(f"the photos stand last: classeur study {what[-1]} PHOTOS")
    from classeur.cli.show import show_study
    from classeur.study.log import show_log
    from classeur.study.study import run_study

    show_log()
    definition = what[0] if len(what) == 2 else None
    try:
        study = run_study(
            what[-1], rungs, definition=definition, to=to, seeds=seeds, budget=budget,
            compare_frozen=compare_frozen, track=track, **options,
        )  # fmt: skip
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
