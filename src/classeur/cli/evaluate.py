"""classeur evaluate RUN [--data PHOTOS]."""

from __future__ import annotations

import json
from pathlib import Path

import click

from classeur.config import LAYOUTS


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Other labelled photos.")
@click.option("--layout", type=click.Choice(LAYOUTS), help="Of --data. [default: auto]")
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    help="Of the run's own photos. Reading the test split is recorded. [default: test]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    run: Path, data: Path | None, layout: str | None, split: str | None, as_json: bool
) -> None:
    """Score a run again, on its own photos or on others."""
    if data is None and layout is not None:
        raise click.UsageError("--layout is that of --data; the run knows its own photos.")
    if data is not None and split is not None:
        raise click.UsageError("--split is of the run's own photos; of --data, all are scored.")
    from classeur.cli.show import show_metrics
    from classeur.study.log import show_log
    from classeur.study.score import evaluate

    show_log()
    score = evaluate(run, data, split=split or "test", layout=layout or "auto")
    for item in score.unreadable:
        click.echo(f"left out: {item.path} {item.reason}", err=True)
    if score.openings > 1:
        click.echo(f"the test split of this run has been read {score.openings} times", err=True)
    shown = score.metrics.to_dict()
    click.echo(json.dumps(shown, indent=2) if as_json else show_metrics(score.metrics))
