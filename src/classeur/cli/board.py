"""classeur board RUNS_DIR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.board.settings import BoardConfig
from classeur.cli.access import chosen_token, require_server, token_options
from classeur.cli.options import config_options


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUNS_DIR")
@token_options("What people must enter.")
@config_options((BoardConfig,))
def command(folder: Path, token: str, token_file: Path | None, **options: Any) -> None:
    """Show the runs and studies of a folder in the browser, as they train.

    Studies with their binders, runs with their curves, two runs photo by photo. Nothing is
    written, and no test split is opened. Only this machine can reach it unless --host says
    otherwise.
    """
    from classeur.section import override

    settings = override(BoardConfig(), options)
    token = chosen_token(token, token_file)
    require_server()
    from classeur.board.launch import serve_board

    serve_board(folder, settings, token, lambda text: click.echo(text, err=True))
