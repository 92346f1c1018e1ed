"""classeur train PHOTOS --recipe NAME."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from classeur.cli.options import ALL, config_options, track_option
from classeur.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from classeur.config import RunConfig
    from classeur.run_folder import RunFolder

DEFAULT_RECIPE = "conv3"


@click.command()
@click.argument("photos", type=click.Path(path_type=Path), required=False)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="TOML",
    help="As another run's config.toml.",
)
@click.option("--recipe", help=f"See: classeur recipes. [default: {DEFAULT_RECIPE}]")
@click.option(
    "--to", type=click.Path(path_type=Path), help="The run folder to make. [default: runs/RECIPE]"
)
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a stopped run."
)
@click.option(
    "--find-lr",
    is_flag=True,
    help="Train nothing: try learning rates from low to high, and plot the loss. [--to default: "
    "runs/RECIPE-learning-rate]",
)
@click.option("--seed", type=int, metavar="N", help="Of weights, order, augmentation, dropout.")
@track_option
@config_options(ALL)
def command(
    photos: Path | None, config: Path | None, recipe: str | None, to: Path | None,
    resume: Path | None, find_lr: bool, track: tuple[str, ...], **options: Any,
) -> None:  # fmt: skip
    """Train one recipe on a folder of photos, score it, and write its report.

    With --config the run repeats another one, but for the options that are given.
    """
    if (photos is None and config is None) == (resume is None):
        raise click.UsageError("give either PHOTOS, --config TOML or --resume RUN.")
    if config is not None and recipe is not None:
        raise click.UsageError("give either --recipe or --config: a config names its own.")
    if find_lr and resume is not None:
        raise click.UsageError("--find-lr is for a run that is not begun yet: leave out --resume.")
    if find_lr and track:
        raise click.UsageError("--find-lr trains nothing that could be tracked: leave out --track.")
    given = {"recipe": recipe, "to": to, **options}
    changed = [f"--{k.replace('_', '-')}" for k, v in given.items() if v is not None]
    if resume is not None and changed:
        raise click.UsageError(f"a run is resumed as it was begun: leave out {', '.join(changed)}.")
    from classeur.study.log import show_log
    from classeur.study.train import configure, free_run_folder, reconfigure, train_config
    from classeur.study.train import resume as resume_run

    show_log()
    if resume is not None:
        _run(resume, lambda: resume_run(resume, track=track))
        return
    asked = (
        reconfigure(config, photos, **options)
        if config is not None
        else configure(recipe or DEFAULT_RECIPE, photos or "", **options)
    )
    if find_lr:
        _find_learning_rate(asked, to)
        return
    folder = to or free_run_folder(asked.recipe)
    _run(folder, lambda: train_config(asked, to=folder, track=track))


def _run(folder: Path, work: Callable[[], RunFolder]) -> None:
    from classeur.cli.show import show_metrics
    from classeur.evaluation.evaluate import read_metrics
    from classeur.training.tracking import places_of

    try:
        run = work()
    except KeyboardInterrupt:
        begun = (folder / "config.toml").is_file()
        hint = f'; go on with: classeur train --resume "{folder}"' if begun else ""
        click.echo(f"interrupted{hint}", err=True)
        raise SystemExit(INTERRUPTED) from None
    click.echo(f"test split of {run.path}: {show_metrics(read_metrics(run).splits['test'])}")
    click.echo(f"\nreport: {run.report}")
    for tracker, place in places_of(run).items():
        click.echo(f"{tracker}: {place}")


def _find_learning_rate(asked: RunConfig, to: Path | None) -> None:
    from classeur.study.train import find_learning_rate

    folder = to or Path("runs") / f"{asked.recipe}-learning-rate"
    found = find_learning_rate(asked, to=folder)
    best = found.suggestion
    said = f"a learning rate to start from: {best:.2g}" if best else "the loss falls at none"
    click.echo(f"{said}; {asked.recipe} has {asked.training.learning_rate:.2g}")
    click.echo(f"\nplot: {folder / 'index.html'}")
