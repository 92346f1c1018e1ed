"""classeur recipes."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """List the recipes that train and study know."""
    from classeur.cli.tables import table
    from classeur.training.recipes import RECIPES

    rows = [(recipe.name, recipe.model.name, recipe.description) for recipe in RECIPES.values()]
    click.echo(table(("recipe", "network", "what it is"), rows))
