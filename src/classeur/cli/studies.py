"""classeur studies [show NAME]."""

from __future__ import annotations

import click


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the studies that come with Classeur.

    Any of them runs by: classeur study NAME PHOTOS
    """
    if context.invoked_subcommand is not None:
        return
    from classeur.cli.tables import table
    from classeur.study.definition import list_studies, read_definition

    found = {name: read_definition(name) for name in list_studies()}
    rows = [(name, len(study.rungs), study.title) for name, study in found.items()]
    click.echo(table(("study", "rungs", "what it is"), rows))


@command.command()
@click.argument("name")
def show(name: str) -> None:
    """Print a study as TOML, to copy and change."""
    from classeur.study.definition import shipped_study

    click.echo(shipped_study(name).read_text(encoding="utf-8"), nl=False)
