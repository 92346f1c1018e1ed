"""classeur evaluate RUN [--data PHOTOS]."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from classeur.cli.options import Share, comma_list
from classeur.config import LAYOUTS

if TYPE_CHECKING:
    from classeur.study.score import Score


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Other labelled photos.")
@click.option("--layout", type=click.Choice(LAYOUTS), help="Of --data. [default: auto]")
@click.option("--label-from", metavar="REGEX", help="Of --data: the label in each file name.")
@click.option(
    "--group-from",
    metavar="REGEX",
    help="Of --data: what each photo belongs to (patient, camera, day), searched in its path; the "
    "intervals are then over these groups.",
)
@click.option(
    "--group-column", metavar="NAME", help="Of --data: the same, from that column of a table."
)
@click.option("--classes", type=comma_list, metavar="A,B,…", help="Of --data: these labels only.")
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    help="Of the run's own photos. Reading the test split is recorded. [default: test]",
)
@click.option(
    "--max-error",
    type=Share(),
    metavar="SHARE",
    help="Say also what abstaining at that share of wrong answers brings, as in: classeur predict.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    run: Path, data: Path | None, split: str | None, device: str, as_json: bool,
    max_error: float | None, **options: Any,
) -> None:  # fmt: skip
    """Score a run again, on its own photos or on others."""
    given = {name: value for name, value in options.items() if value}
    if data is None and given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{named} is for --data; the run knows its own photos.")
    if data is not None and split is not None:
        raise click.UsageError("--split is of the run's own photos; of --data, all are scored.")
    from classeur.cli.show import show_metrics, show_slices
    from classeur.evaluation.predictions import read_predictions
    from classeur.models.device import keep_freed_memory
    from classeur.report.strange import describe_strange, strange_photos
    from classeur.report.trust import describe_reached
    from classeur.run_folder import RunFolder
    from classeur.study.log import show_log
    from classeur.study.score import evaluate

    show_log()
    keep_freed_memory()
    score = evaluate(run, data, split=split or "test", device=device, max_error=max_error, **given)
    _warn(score)
    strange = None
    if score.predictions.strangeness is not None:
        own = read_predictions(RunFolder(run).predictions)
        strange = strange_photos(score.predictions, own.of_split("val"))
    shown = {
        **score.metrics.to_dict(),
        "slices": [found.to_dict() for found in score.slices],
        "known": score.known,
        "unreadable": [item.path for item in score.unreadable],
        "openings": score.openings,
        "changed": score.changed,
        **({"strange": strange.to_dict()} if strange else {}),
        **({"reached": score.reached.to_dict()} if score.reached else {}),
    }
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    said = [show_metrics(score.metrics), show_slices(score.slices)]
    said += [describe_strange(strange, "photo")] if strange else []
    said += [describe_reached(score.reached)] if score.reached else []
    click.echo("\n\n".join(filter(None, said)))


def _warn(score: Score) -> None:
    """Say on standard error what makes the figures less than they seem."""
    for item in score.unreadable:
        click.echo(f"left out: {item.path} {item.reason}", err=True)
    for name, number in score.known.items():
        click.echo(f"{number:,} of these photos are in the {name} split of the run", err=True)
    if score.openings > 1:
        click.echo(f"the test split of this run has been read {score.openings} times", err=True)
    if score.changed:
        click.echo(
            "the network is another than at an earlier reading: a score of what was chosen after "
            "one is optimistic",
            err=True,
        )
