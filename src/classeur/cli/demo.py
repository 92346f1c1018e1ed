"""classeur demo."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("classeur-demo"),
    show_default=True,
    help="The folder to make.",
)
def command(to: Path) -> None:
    """Study scikit-learn's handwritten digits: a finished binder in two minutes."""
    from classeur.cli.show import show_study
    from classeur.study.demo import demo
    from classeur.study.log import show_log

    show_log()
    study = demo(to)
    click.echo(show_study(study.report))
    click.echo(f"\nbinder: {study.binder.absolute()}")
    click.echo(f'predict with the best: classeur predict "{study.best.path}" PHOTOS')
