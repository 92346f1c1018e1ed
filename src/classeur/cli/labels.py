"""classeur labels PHOTOS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.cli.options import DATA, config_options


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.option(
    "--to", type=click.Path(path_type=Path), default=Path("labels"), show_default=True,
    help="The folder to make, for suspicious.csv and index.html.",
)  # fmt: skip
@click.option(
    "--folds", type=int, default=5, show_default=True, metavar="K", help="Of the cross-validation."
)
@click.option(
    "--backbone", default="", metavar="NAME",
    help="A network of timm whose features are used; none: a small network is trained instead. "
    "[default: mobilenetv2_100 if its weights can be had, else none]",
)  # fmt: skip
@click.option(
    "--weights", default="", metavar="TEXT",
    help="A .safetensors file, or a folder of them. Empty: CLASSEUR_WEIGHTS, else the Hugging Face "
    "hub.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the folds.")
@config_options(DATA, without=("val", "test", "folds", "fold"))
def command(photos: Path, **options: Any) -> None:
    """List the labels that may be wrong, for you to decide.

    Each photo is judged by what has not learned from it. Nothing is changed: fill in the column
    `decision` of suspicious.csv (drop, relabel, another label, or keep), and give it to train,
    study or tune as --relabel or --drop-suspicious.
    """
    from classeur.models.device import keep_freed_memory
    from classeur.study.log import show_log
    from classeur.study.suspicious import find_suspicious

    show_log()
    keep_freed_memory()
    found = find_suspicious(photos, **options)
    click.echo(
        f"{len(found.suspects):,} of {found.photos:,} labels are suspicious, to {found.by}\n"
        f"\nlist to decide on: {found.table}\npage to look at: {found.page}"
    )
