"""classeur export RUN --format NAME."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from classeur.inference.export import Exported

_NAMES = ("onnx", "openvino", "torchscript", "torch-export", "safetensors", "hub", "web")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format", "name", type=click.Choice(_NAMES), default="onnx", show_default=True,
    help="What to write. hub: a folder for the Hugging Face hub, which timm loads; safetensors: "
    "the same weights, for photos that you prepare yourself; web: a page that classifies photos in "
    "the browser.",
)  # fmt: skip
@click.option(
    "--to", type=click.Path(path_type=Path), metavar="DIR",
    help="The folder to make. [default: export/FORMAT in the run folder]",
)  # fmt: skip
@click.option(
    "--int8", is_flag=True,
    help="With onnx: whole numbers of 8 bits, calibrated on validation photos. Smaller and often "
    "faster, and no longer the same: fails if less than 95 % of the labels stay, or accuracy "
    "falls by more than 2 points.",
)  # fmt: skip
def command(run: Path, name: str, to: Path | None, int8: bool) -> None:
    """Write a trained run as a file that other programs run.

    Resize, crop, colour and normalisation are inside: onnx, openvino, torchscript and torch-export
    take an upright RGB photo of any height and width, uint8, and give calibrated probabilities.

    web is a folder for any web server: its page uploads no photo and asks no other site. npm brings
    what runs the network in a browser, once; CLASSEUR_ONNXRUNTIME_WEB names the package where
    there is no npm.

    The files are then proved, from the bytes of photos to label and probability, against
    `classeur predict`. Where a label differs or a probability is off by more than 0.001, nothing
    is written and the exit code is 1.
    """
    from classeur.inference.export import export
    from classeur.study.log import show_log

    show_log()
    found = export(run, name, to=to, int8=int8)
    for top in sorted({file.partition("/")[0] for file in found.files}):
        click.echo(str(found.folder / top))
    click.echo(_summary(found), err=True)


def _summary(found: Exported) -> str:
    proof = found.proof
    made = len(proof.rows) - found.validation
    lines = [
        f"proved on {found.validation} validation photos of the run and {made} made ones: "
        f"worst difference of a probability {proof.worst:.1e}"
    ]
    if not found.validation:
        lines.append("no validation photo of the run is where it was: prove it again with them")
    if proof.worst_in_full is not None:
        lines.append(
            "photos above 25 megapixels, decoded in full by another program: "
            f"worst difference {proof.worst_in_full:.1e}"
        )
    lines += _in_browser(found)
    if proof.ties:
        lines.append(
            f"of {len(proof.ties)} photos the network itself is undecided, and the labels differ: "
            + ", ".join(row.photo for row in proof.ties[:5])
        )
    if (costs := found.quality) is not None:
        lines.append(
            f"int8 on {costs.photos} validation photos: accuracy {costs.int8_accuracy:.1%} instead "
            f"of {costs.float_accuracy:.1%}, {costs.agreement:.1%} of the labels stay, "
            f"probabilities move by {costs.mean_difference:.3f} on average"
        )
    return "\n".join(lines)


def _in_browser(found: Exported) -> list[str]:
    if "index.html" not in found.files:
        return []
    if (seen := found.browser) is None:
        return [
            "no Chromium was found that starts: the network is proved, the page around it is not"
        ]
    worst = max(seen.proof.worst, seen.proof.worst_in_full or 0)
    lines = [f"in {seen.program}, from the bytes of the same files: worst difference {worst:.1e}"]
    if seen.refused:
        lines.append(f"photos that it cannot open: {', '.join(seen.refused[:5])}")
    return lines
