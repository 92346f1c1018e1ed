"""classeur inspect PHOTOS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from classeur.cli.options import DATA, config_options


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with pictures."
)
@config_options(DATA, without=("val", "test"))
def command(photos: Path, as_json: bool, html: Path | None, **options: Any) -> None:
    """What is in a folder of photos: classes, sizes, duplicates, unreadable files."""
    from classeur.api import inspect
    from classeur.cli.show import show_inspection
    from classeur.inference.output import check_output
    from classeur.study.log import show_log

    show_log()
    if html is not None:
        check_output(html, (".html", ".htm"))
    found = inspect(photos, **options)
    if html is not None:
        from classeur.report.inspection import write_inspection_page

        write_inspection_page(found, html)
        click.echo(f"page: {html}", err=True)
    click.echo(
        json.dumps(found.to_dict(), indent=2, ensure_ascii=False)
        if as_json
        else show_inspection(found)
    )
