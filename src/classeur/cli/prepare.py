"""classeur prepare PHOTOS --to DIR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from classeur.cli.options import PIXELS, config_options


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The folder to make.")
@config_options(PIXELS)
def command(photos: Path, to: Path, **options: Any) -> None:
    """Decode photos once into arrays that numpy.load opens.

    Writes photos.npy (N, H, W, C, uint8), labels.npy, class_names.json and manifest.csv.
    """
    from classeur.api import prepare
    from classeur.study.log import show_log

    show_log()
    store = prepare(photos, to=to, **options)
    count, height, width, channels = store.photos.shape
    for item in store.unreadable:
        click.echo(f"left out: {item.path} {item.reason}", err=True)
    click.echo(f"{count:,} photos of {height}×{width}×{channels} in {to}")
