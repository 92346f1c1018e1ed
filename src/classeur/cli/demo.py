"""classeur demo."""

from __future__ import annotations

from pathlib import Path

import click

from classeur.exit_codes import INTERRUPTED


@click.command()
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("classeur-demo"),
    show_default=True,
    help="The folder to make.",
)
def command(to: Path) -> None:
    """Study scikit-learn's handwritten digits: a finished binder in a few minutes."""
    from classeur.cli.show import show_study
    from classeur.study.demo import demo
    from classeur.study.log import show_log

    show_log()
    try:
        study = demo(to)
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on where it stopped", err=True)
        raise SystemExit(INTERRUPTED) from None
    click.echo(show_study(study.report))
    click.echo(f"\nbinder: {study.binder.absolute()}")
    click.echo(f'predict with the best: classeur predict "{study.best.path}" PHOTOS')
