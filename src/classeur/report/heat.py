"""Heat maps laid over photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classeur.data.decode import decode
from classeur.errors import InferenceError, ModelError, UnreadablePhotoError
from classeur.inference.predictor import Prediction, Predictor, content_of
from classeur.inference.remote import photo_at
from classeur.models.classifier import Classifier
from classeur.models.explain import Explainer
from classeur.report.photos import THUMBNAIL

SIDE = 1024
"""Longest side of a photo with its heat map, as a file, in pixels."""

STRONGEST = 0.75
"""Share of the colour of the heat in the hottest place; the rest is the photo."""


class Warmth:
    """Draws the heat maps of one classifier over small pictures of its photos."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._geometry = explainer.classifier.preprocessing.geometry

    def over(
        self, image: Image.Image, prepared: NDArray[np.uint8], target: int, *, is_square: bool
    ) -> Image.Image:
        """Return a picture of a photo with its heat map, at least 100 pixels wide or high.

        Args:
            image: the upright photo at any scale.
            prepared: the same as the network sees it, (H, W, C) uint8.
            target: index of the class whose heat is drawn.
            is_square: whether the image is what the network sees, and not the photo.
        """
        heat = self._explainer.heat(np.asarray(prepared), target)
        picture = image.copy()
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        enlarged = max(1, round(100 / max(picture.size)))
        picture = picture.resize(
            (picture.width * enlarged, picture.height * enlarged), Image.Resampling.NEAREST
        )
        return lay_over(
            picture, heat if is_square else self._geometry.laid_back(heat, *picture.size)
        )


def warmth_of(classifier: Classifier) -> Warmth | None:
    """Return what draws the heat maps of a classifier; None if it has no convolution."""
    try:
        return Warmth(Explainer(classifier))
    except ModelError:
        return None


def lay_over(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Return a photo in grey with its heat in colour, from clear over red to bright yellow.

    Args:
        image: upright, of any size.
        heat: (H, W) from 0 to 1, of the same photo at any scale.
    """
    from matplotlib import colormaps

    hot = Image.fromarray(heat).resize(image.size, Image.Resampling.BILINEAR)
    warmth = np.asarray(hot).clip(0, 1)[:, :, None]
    colour = colormaps["inferno"](0.25 + 0.75 * warmth[:, :, 0])[:, :, :3] * 255
    grey = np.asarray(image.convert("L"))[:, :, None].astype(np.float64)
    mixed = grey + STRONGEST * warmth * (colour - grey)
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def write_heat_maps(
    predictor: Predictor, predictions: Iterable[Prediction], folder: Path
) -> Iterator[Prediction]:
    """Write each photo with the heat map of its label as a PNG, and pass the prediction on.

    Files are named after the photos; of several with one name, the later ones have a number.

    Raises:
        InferenceError: if a file cannot be written.
    """
    taken: set[str] = set()
    for prediction in predictions:
        if not prediction.error:
            picture = _picture(predictor, prediction)
            if picture is not None:
                target = folder / _free_name(Path(prediction.path).stem, taken)
                try:
                    picture.save(target)
                except OSError as error:
                    reason = error.strerror or error
                    raise InferenceError(f"cannot write {target}: {reason}.") from error
        yield prediction


def empty_folder(folder: Path) -> Path:
    """Make a folder for heat maps.

    Raises:
        InferenceError: if it cannot be made, or holds anything already.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise InferenceError(f"cannot make {folder}: {error.strerror or error}.") from error
    if not is_empty:
        raise InferenceError(
            f"{folder} holds files already. Choose a new folder for the heat maps, so that nothing "
            "is written over."
        )
    return folder


def _picture(predictor: Predictor, prediction: Prediction) -> Image.Image | None:
    try:
        heat = predictor.explain(photo_at(prediction.path), prediction.label)
        image = decode(content_of(photo_at(prediction.path)), enough=SIDE).image
    except UnreadablePhotoError:  # gone since it was classified
        return None
    image.thumbnail((SIDE, SIDE))
    return lay_over(image, heat)


def _free_name(stem: str, taken: set[str]) -> str:
    name, number = f"{stem}.png", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}.png"
    taken.add(name.casefold())
    return name
