"""classeur fetch [NAME]."""

from __future__ import annotations

from pathlib import Path

import click

from classeur.exit_codes import INTERRUPTED


@click.command()
@click.argument("name", default="")
@click.option("--list", "as_list", is_flag=True, help="List the data sets; so does no NAME.")
@click.option("--to", type=click.Path(path_type=Path), help="The folder to make. [default: NAME]")
@click.option(
    "--from",
    "downloaded",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A file of it that you downloaded; it is checked. May be repeated.",
)
def command(name: str, as_list: bool, to: Path | None, downloaded: tuple[Path, ...]) -> None:
    """Bring a public data set, checked and unpacked.

    Called again, it goes on where it stopped.
    """
    if as_list or not name:
        if name or to or downloaded:
            raise click.UsageError("--to and --from need a NAME, and --list goes without them.")
        _list()
        return
    from classeur.data.fetch import fetch
    from classeur.data.public import find_data_set
    from classeur.study.log import show_log

    show_log()
    try:
        folder = fetch(name, to, downloaded)
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on where it stopped", err=True)
        raise SystemExit(INTERRUPTED) from None
    click.echo(f"photos: {folder}")
    click.echo(f'go on with: classeur study "{folder / find_data_set(name).study}"')


def _list() -> None:
    from classeur.cli.tables import table
    from classeur.data.public import DATA_SETS

    rows = [
        (
            item.name,
            item.title,
            f"{item.photos:,}",
            "by hand" if item.needs_account else f"{item.download / 1e6:,.0f} MB",
            item.licence,
        )
        for item in DATA_SETS.values()
    ]
    click.echo(table(("data set", "what it is", "photos", "download", "licence"), rows))
