"""classeur tune PHOTOS --recipe NAME."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.cli.options import ALL, COMMA_LIST, comma_list, config_options
from classeur.cli.train import DEFAULT_RECIPE
from classeur.exit_codes import INTERRUPTED


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.option(
    "--recipe",
    default=DEFAULT_RECIPE,
    show_default=True,
    help="What to start from; see: classeur recipes.",
)
@click.option(
    "--trials",
    type=int,
    default=0,
    metavar="N",
    help="Trials in all, those of earlier calls included. [default: 20, if there is no budget]",
)
@click.option(
    "--budget",
    type=float,
    default=0.0,
    metavar="MINUTES",
    help="Of training in all. A trial at work when they are over waits for a larger budget.",
)
@click.option(
    "--search",
    type=comma_list,
    default="",
    metavar=COMMA_LIST,
    help="Options to vary. [default: a handful that suits the recipe]",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("tune"),
    show_default=True,
    help="The folder of the search. Called again, it goes on where it stopped.",
)
@click.option(
    "--storage",
    default="",
    metavar="URL",
    help="Optuna's, for several machines with a folder each. [default: search.db in the folder]",
)
@click.option("--name", default="", help="Of the search in --storage. [default: the recipe's]")
@click.option(
    "--seed", type=int, metavar="N", help="Of the drawn values and of every training. [default: 0]"
)
@config_options(ALL, without=("folds", "fold"))
def command(
    photos: Path, recipe: str, trials: int, budget: float, search: tuple[str, ...], to: Path,
    storage: str, name: str, seed: int | None, **options: Any,
) -> None:  # fmt: skip
    """Search for better values of a recipe's options, on the validation split.

    The first trial has the recipe's own values. Options that are given hold for all trials. The
    test split is not read.
    """
    from classeur.cli.show import show_search
    from classeur.search.search import run_search
    from classeur.study.log import show_log

    show_log()
    given = {option: value for option, value in options.items() if value is not None}
    try:
        found = run_search(
            photos, recipe, to=to, trials=trials, budget=budget, search=search, storage=storage,
            name=name, seed=seed or 0, **given,
        )  # fmt: skip
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on where it stopped", err=True)
        raise SystemExit(INTERRUPTED) from None
    click.echo(show_search(found.report))
    click.echo(f"\nrecipe: {found.folder.recipe}")
    click.echo(f"page:   {found.folder.page}")
    click.echo(f"compare on the test split: {found.report.command}")
