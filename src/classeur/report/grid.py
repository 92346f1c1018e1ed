"""Photos with their predictions as one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from classeur.data.decode import decode
from classeur.errors import InferenceError, UnreadablePhotoError
from classeur.inference.predictor import Prediction, content_of
from classeur.inference.remote import photo_at
from classeur.run_folder import printable

COLUMNS = 6


def draw_grid(predictions: Sequence[Prediction], path: Path) -> None:
    """Draw photos with label, probability and whether they are strange.

    One that cannot be read has its reason instead.

    Raises:
        InferenceError: if the picture cannot be written.
    """
    from matplotlib.figure import Figure

    columns = min(COLUMNS, max(1, len(predictions)))
    rows = math.ceil(len(predictions) / columns)
    figure = Figure(figsize=(2.2 * columns, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, prediction in zip(axes.flat, predictions, strict=False):
        name = Path(prediction.path).name
        axis.set_title(_title(prediction), fontsize=9)
        axis.text(0.5, -0.02, _short(name), fontsize=7, ha="center", va="top", color="0.4",
                  transform=axis.transAxes)  # fmt: skip
        if prediction.error:
            axis.text(0.5, 0.5, _wrapped(prediction.error), fontsize=8, ha="center", va="center",
                      transform=axis.transAxes)  # fmt: skip
            continue
        try:
            axis.imshow(decode(content_of(photo_at(prediction.path)), enough=200).image)
        except UnreadablePhotoError as error:  # gone since it was classified
            axis.text(0.5, 0.5, _wrapped(str(error)), fontsize=8, ha="center", va="center")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise InferenceError(f"cannot draw {path}: {error}.") from error


def _title(prediction: Prediction) -> str:
    if prediction.error:
        return "cannot be read"
    if prediction.unsure:
        return f"unsure: {_short(' or '.join(prediction.possible) or prediction.label)}"
    strange = "\nstrange" if prediction.is_strange else ""
    return f"{_short(prediction.label)}  {100 * prediction.probability:.0f} %{strange}"


def _short(text: str, at_most: int = 24) -> str:
    text = printable(text).replace("$", r"\$")  # matplotlib would set it as mathematics
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text.replace("$", r"\$"), 20))
