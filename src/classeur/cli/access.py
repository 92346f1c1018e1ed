"""Who may ask a server: the token's options; and what a server needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import click

from classeur.cli.options import Command
from classeur.errors import ServeError


def token_options(shown: str) -> Callable[[Command], Command]:
    """Add --token and --token-file; the command gets `token` and `token_file`.

    Args:
        shown: a sentence that says who must give the token, and how.
    """

    def decorate(command: Command) -> Command:
        command = click.option(
            "--token-file", type=click.Path(path_type=Path), metavar="FILE",
            help="Read the token from a file.",
        )(command)  # fmt: skip
        return click.option(
            "--token", default="", envvar="CLASSEUR_TOKEN", metavar="TEXT",
            help=f"{shown} Others can see it in the list of processes: better set CLASSEUR_TOKEN, "
            "or use --token-file.",
        )(command)  # fmt: skip

    return decorate


def chosen_token(token: str, file: Path | None) -> str:
    """Return the token in a file, if one is given, else the token.

    Raises:
        ServeError: if the file holds none.
    """
    if file is None:
        return token
    try:
        token = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ServeError(f"{file} is not text; expected a token.") from None
    if not token:
        raise ServeError(f"{file} is empty; expected a token.")
    return token


def require_server() -> None:
    """Raise ServeError, saying how to get it, if something that a server needs is missing."""
    for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ServeError(
                f'a server needs {name}. Install it with: pip install "classeur[serve]"'
            ) from error
