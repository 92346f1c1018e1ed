"""classeur serve RUN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.cli.options import Share, config_options
from classeur.inference.serving.settings import ServeConfig, Served


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--token", default="", envvar="CLASSEUR_TOKEN", metavar="TEXT",
    help="What clients must show (Authorization: Bearer TEXT). Others can see it in the list of "
    "processes: better set CLASSEUR_TOKEN, or use --token-file.",
)  # fmt: skip
@click.option(
    "--token-file", type=click.Path(path_type=Path), metavar="FILE",
    help="Read the token from a file.",
)  # fmt: skip
@click.option(
    "--abstain-below", type=Share(), metavar="SHARE",
    help="Be unsure of photos whose label has a probability below this: 90% or 0.9.",
)  # fmt: skip
@click.option(
    "--max-error", type=Share(), metavar="SHARE",
    help="Be unsure where it takes that for at most this share of the answers to be wrong.",
)  # fmt: skip
@click.option(
    "--strange-share", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="X",
    help="Share of photos of the run's own kind that may be called strange. [default: 0.05]",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, mps or auto.")
@config_options((ServeConfig,))
def command(
    run: Path, token: str, token_file: Path | None, abstain_below: float | None,
    max_error: float | None, strange_share: float | None, device: str, **options: Any,
) -> None:  # fmt: skip
    """Answer over HTTP with a trained run, and with a page for people at /.

    POST /predict takes a photo as it is, or a form with several; /openapi.json says all of it. No
    photo is stored. Only this machine can reach it unless --host says otherwise.

    SIGTERM and Ctrl-C end it once everything that was accepted has its answer.
    """
    from classeur.section import override

    if abstain_below is not None and max_error is not None:
        raise click.UsageError("give either --abstain-below or --max-error.")
    settings = override(ServeConfig(), options)
    if token_file is not None:
        token = read_token(token_file)
    launch = require_server()
    served = Served(run, device, strange_share, abstain_below, max_error)
    launch.serve(served, settings, token, lambda text: click.echo(text, err=True))


def read_token(path: Path) -> str:
    """Return the token in a file. Raises ServeError if there is none."""
    from classeur.errors import ServeError

    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise ServeError(f"{path} is empty; expected a token.")
    return token


def require_server() -> Any:
    """Return what starts the server. Raises ServeError, saying how to get it, if it is missing."""
    import importlib

    from classeur.errors import ServeError

    for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ServeError(
                f'a server needs {name}. Install it with: pip install "classeur[serve]"'
            ) from error
    return importlib.import_module("classeur.inference.serving.launch")
