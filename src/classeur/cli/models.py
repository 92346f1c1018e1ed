"""classeur models [PATTERN]."""

from __future__ import annotations

import click


@click.command()
@click.option("--filter", "pattern", metavar="PATTERN", default="", help="Such as vgg* or *nano*.")
@click.option("--at-hand", is_flag=True, help="Only those whose weights are on this machine.")
def command(pattern: str, at_hand: bool) -> None:
    """List the pre-trained networks: parameters, size, whether weights are at hand.

    Any of them is a rung by NAME-frozen or NAME-fine-tuned.
    """
    from classeur.cli.tables import table
    from classeur.models.backbones import describe_backbones

    rows = [
        (
            item.name,
            f"{item.parameters / 1e6:,.1f} M",
            item.size or "—",
            item.where,
            item.licence or "not stated",
        )
        for item in describe_backbones(pattern)
        if item.is_at_hand or not at_hand
    ]
    if not rows:
        raise click.UsageError(
            "no weights are at hand; see --weights and CLASSEUR_WEIGHTS."
            if at_hand
            else f'timm has no network that matches "{pattern}".'
        )
    click.echo(table(("network", "parameters", "pixels", "weights", "licence"), rows))
