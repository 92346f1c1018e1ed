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
@click.option(
    "--filters", type=click.Path(path_type=Path), metavar="FILE",
    help="Write a page that shows each --filters of a run on a few of the photos.",
)  # fmt: skip
@config_options(DATA, without=("val", "test", "folds", "fold"))
def command(
    photos: Path, as_json: bool, html: Path | None, filters: Path | None, **options: Any
) -> None:
    """What is in a folder of photos: classes, sizes, duplicates, unreadable files."""
    from classeur.api import inspect
    from classeur.cli.show import show_inspection
    from classeur.inference.output import check_output
    from classeur.study.log import show_log

    show_log()
    pages = [page for page in (html, filters) if page is not None]
    for page in pages:
        check_output(page, (".html", ".htm"))
    if len({page.absolute() for page in pages}) < len(pages):
        raise click.UsageError("--html and --filters are two pages: give two files.")
    found = inspect(photos, **options)
    if html is not None:
        from classeur.report.inspection import write_inspection_page

        write_inspection_page(found, html)
    if filters is not None:
        from classeur.report.filters import write_filter_page

        write_filter_page(found, filters)
    for page in pages:
        click.echo(f"page: {page}", err=True)
    click.echo(
        json.dumps(found.to_dict(), indent=2, ensure_ascii=False)
        if as_json
        else show_inspection(found)
    )
