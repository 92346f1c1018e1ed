"""classeur serve RUN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.cli.access import chosen_token, require_server, token_options
from classeur.cli.options import Share, config_options
from classeur.inference.serving.settings import ServeConfig, Served


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@token_options("What clients must show (Authorization: Bearer TEXT).")
@click.option(
    "--abstain-below", type=Share(), metavar="SHARE",
    help="Be unsure of photos whose label has a probability below this: 90% or 0.9.",
)  # fmt: skip
@click.option(
    "--max-error", type=Share(), metavar="SHARE",
    help="Be unsure where it takes that for at most this share of the answers to be wrong.",
)  # fmt: skip
@click.option(
    "--strange-share", type=Share(), metavar="SHARE",
    help="Share of photos of the run's own kind that may be called strange: 1% or 0.01. "
    "[default: 5%]",
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
    token = chosen_token(token, token_file)
    require_server()
    from classeur.inference.serving.launch import serve

    served = Served(run, device, strange_share, abstain_below, max_error)
    serve(served, settings, token, lambda text: click.echo(text, err=True))
