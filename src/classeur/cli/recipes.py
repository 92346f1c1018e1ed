"""classeur recipes."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """List the recipes that train and study know."""
    from classeur.cli.tables import table
    from classeur.training.recipes import RECIPES

    header = ("recipe", "network", "epochs", "patience", "batch", "learning rate", "what it is")
    rows = [
        (
            recipe.name,
            recipe.model.name,
            recipe.training.epochs,
            recipe.training.patience or "—",
            recipe.training.batch_size,
            f"{recipe.training.learning_rate:g} {recipe.training.schedule}",
            recipe.description,
        )
        for recipe in RECIPES.values()
    ]
    click.echo(table(header, rows))
