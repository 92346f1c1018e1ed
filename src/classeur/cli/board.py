"""classeur board RUNS_DIR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.board.settings import BoardConfig
from classeur.cli.options import config_options
from classeur.cli.serve import read_token, require_server


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUNS_DIR")
@click.option(
    "--token", default="", envvar="CLASSEUR_TOKEN", metavar="TEXT",
    help="What people must enter. Others can see it in the list of processes: better set "
    "CLASSEUR_TOKEN, or use --token-file.",
)  # fmt: skip
@click.option(
    "--token-file", type=click.Path(path_type=Path), metavar="FILE",
    help="Read the token from a file.",
)  # fmt: skip
@config_options((BoardConfig,))
def command(folder: Path, token: str, token_file: Path | None, **options: Any) -> None:
    """Show the runs and studies of a folder in the browser, as they train.

    Studies with their binders, runs with their curves, two runs photo by photo. Nothing is
    written, and no test split is opened. Only this machine can reach it unless --host says
    otherwise.
    """
    from classeur.section import override

    settings = override(BoardConfig(), options)
    if token_file is not None:
        token = read_token(token_file)
    require_server()
    from classeur.board.launch import serve_board

    serve_board(folder, settings, token, lambda text: click.echo(text, err=True))
