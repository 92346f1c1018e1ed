"""A trained run, ready to classify photos it has never seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classeur.data.parallel import in_parallel
from classeur.data.reader import MAX_BYTES
from classeur.errors import ConfigError, InferenceError, UnreadablePhotoError, unknown
from classeur.inference.remote import Remote
from classeur.models.abstention import Rule, check_share
from classeur.models.classifier import Classifier
from classeur.models.device import choose_device
from classeur.models.explain import Explainer
from classeur.models.novelty import LEAST_AUROC, SHARE, Novelty, measuring
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder

Content = bytes | NDArray[Any] | Image.Image
Photo = Path | str | Content | Callable[[], Content]
"""A path, what a file holds, or a function that reads it when its turn comes, such as `Remote`."""

NOT_FINITE = "the network gives it no finite probability"
"""The error of a photo that decodes, and has no answer all the same."""


@dataclass(frozen=True)
class Prediction:
    """What the network says of one photo, or why it cannot."""

    path: str
    """As given; empty for photos that have none."""
    label: str = ""
    """The most probable class; empty if there is an error."""
    probability: float = 0.0
    """Of the label."""
    top: tuple[tuple[str, float], ...] = ()
    """(class, probability) of the k most probable, best first."""
    unsure: bool = False
    """Whether the label is too doubtful to be an answer; only where abstaining was asked for."""
    possible: tuple[str, ...] = ()
    """The classes that an unsure photo may be of, the most probable first."""
    error: str = ""
    """Why the photo cannot be read; empty if it can."""
    strangeness: float | None = None
    """How far the photo is from all that the run has seen; above 1 it is strange. None: the run
    cannot tell."""

    @property
    def is_strange(self) -> bool:
        """Whether it resembles nothing the run has seen; its label then means little."""
        return self.strangeness is not None and self.strangeness > 1


class Predictor:
    """Classifies photos with the preprocessing that the run was trained with.

    Safe to use from several threads: they decode side by side, and take turns at the network.

    Args:
        classifier: ready to evaluate.
        novelty: what it knows of its training photos. None, or one that cannot tell: no photo is
            called strange.
        strange_share: share of photos of the run's own kind that may be called strange.

    Raises:
        InferenceError: if so small a share cannot be kept.
    """

    def __init__(
        self, classifier: Classifier, novelty: Novelty | None = None, strange_share: float = SHARE
    ) -> None:
        self.classifier = classifier
        self.novelty = novelty
        self._threshold = novelty.threshold(strange_share) if novelty else 1.0

    @classmethod
    def load(
        cls, run: Path | str, device: str = "cpu", strange_share: float | None = None
    ) -> Predictor:
        """Load a run folder, or an .onnx file that `classeur export` has written.

        Args:
            run: a run folder that has weights; one still in training answers with the best so far.
                Or an .onnx file: it explains nothing and calls nothing strange.
            device: `cpu`, `cuda`, `mps` or `auto`.
            strange_share: share of photos of the run's own kind that may be called strange.
                None: 0.05.

        Raises:
            ConfigError: if the device is not there.
            InferenceError: if so small a share cannot be kept, the run cannot tell what is
                strange, or the file is not one of ours.
            RunFolderError: if it is no run, has no weights yet, or they cannot be trusted.
        """
        if Path(run).suffix.lower() == ".onnx":
            from classeur.inference.onnx_predictor import OnnxPredictor

            return OnnxPredictor.open(Path(run), device, strange_share)
        folder = RunFolder(Path(run))
        classifier = Classifier.load(folder, choose_device(device))
        novelty = Novelty.load(folder, classifier.network)
        if novelty is None and strange_share is not None:
            raise InferenceError(
                f"{run} cannot tell which photos are strange: it has no {folder.novelty.name}. "
                "Leave out the strange share, or train the run again."
            )
        if novelty is not None and not novelty.tells and strange_share is not None:
            raise InferenceError(
                f"{run} cannot tell which photos are strange: it hardly tells its own photos from "
                f"the same cut up and shuffled (AUROC {novelty.auroc:.2f}, expected at least "
                f"{LEAST_AUROC}). Leave out the strange share, or train a network that learns more."
            )
        return cls(classifier, novelty, SHARE if strange_share is None else strange_share)

    @property
    def tells_strange(self) -> bool:
        """Whether it can say which photos resemble nothing the run has seen."""
        return self.novelty is not None and self.novelty.tells

    @property
    def class_names(self) -> list[str]:
        """The classes, in the order of the probabilities."""
        return self.classifier.class_names

    @property
    def preprocessing(self) -> Preprocessing:
        """What makes pixels of a photo, the same in training and in every export."""
        return self.classifier.preprocessing

    def predict(
        self,
        photos: Iterable[Photo],
        *,
        top_k: int = 3,
        batch_size: int = 32,
        abstain_below: float | None = None,
        max_error: float | None = None,
    ) -> Iterator[Prediction]:
        """Yield a prediction for each photo, in order, with bounded memory.

        With `max_error`, the answers that are not unsure are wrong in at most that share of
        photos like those of the run, and the label of an unsure photo is among the possible ones
        in at least 1 − max_error of cases. The first holds with a probability of 95 % over the
        draw of the validation photos, the second on average over it. Between the levels that the
        run keeps, the next stricter one counts.

        Args:
            photos: paths, bytes of files, arrays (H, W[, C]), Pillow images, or functions that
                return one of the last three.
            top_k: classes to name in `top`.
            batch_size: photos for each pass through the network.
            abstain_below: probability below which a photo is unsure; possible are the most
                probable classes that have it together. None: see `max_error`.
            max_error: share of wrong answers, 0.01 for 1 %. None: every photo is answered.

        Raises:
            ConfigError: if both are given, or one is not above 0 and below 1.
            InferenceError: if `photos` is one photo and not several, or the run's validation
                photos cannot promise `max_error`.
            RunFolderError: if the run has no thresholds yet.
        """
        rule = self.rule(abstain_below, max_error)
        return self._predict(photos, top_k, batch_size, rule)

    def rule(self, abstain_below: float | None, max_error: float | None) -> Rule | None:
        """Return when to be unsure; None: never. Raises as `predict` does."""
        if abstain_below is not None and max_error is not None:
            raise ConfigError(["abstain_below and max_error both say when to be unsure: give one."])
        if abstain_below is not None:
            check_share("abstain_below", abstain_below)
            return Rule(abstain_below)
        return None if max_error is None else self.classifier.rule(max_error)

    def _predict(
        self, photos: Iterable[Photo], top_k: int, batch_size: int, rule: Rule | None
    ) -> Iterator[Prediction]:
        for path, row, error, strangeness in self.rows(photos, batch_size=batch_size):
            if row is None:
                yield Prediction(path, error=error)
            else:
                answer = self._prediction(path, row, top_k, rule)
                yield replace(answer, strangeness=strangeness)

    def prepared(self, photo: Photo) -> NDArray[np.uint8]:
        """Return one photo as `answers` takes it, (H, W, C) uint8.

        Raises:
            UnreadablePhotoError: with the reason, if it does not decode.
        """
        return self.preprocessing.open(content_of(photo))[0]

    def answers(
        self, pixels: NDArray[np.uint8], *, top_k: int = 3, rule: Rule | None = None
    ) -> list[Prediction]:
        """Return a prediction for each prepared photo, in one pass through the network.

        Args:
            pixels: (N, H, W, C) uint8, each as `prepared` returned it.
            top_k: classes to name in `top`.
            rule: when to be unsure, as `rule` returned it; None: never.
        """
        return [
            replace(self._prediction("", row, top_k, rule), strangeness=strangeness)
            if np.isfinite(row).all()
            else Prediction("", error=NOT_FINITE)
            for row, strangeness in self._answered(pixels)
        ]

    def rows(
        self, photos: Iterable[Photo], *, batch_size: int = 32
    ) -> Iterator[tuple[str, NDArray[np.float32] | None, str, float | None]]:
        """Yield (path, probabilities (num_classes,) or None, error, strangeness or None), in order.

        Raises:
            InferenceError: if `photos` is one photo and not several.
        """
        if isinstance(photos, (str, bytes, Path, Remote)):
            raise InferenceError("expected several photos, received one; give a list: [photo].")
        # While the network has one batch, the threads decode the next two.
        opened = in_parallel(self._open, photos, ahead=2 * batch_size)
        while batch := list(islice(opened, batch_size)):
            pixels = [pixels for _, pixels, _ in batch if pixels is not None]
            answers = iter(self._answered(np.stack(pixels)) if pixels else ())
            for path, there, error in batch:
                row, strangeness = (None, None) if there is None else next(answers)
                if row is not None and not np.isfinite(row).all():
                    yield path, None, NOT_FINITE, None
                else:
                    yield path, row, error, strangeness

    def _answered(
        self, pixels: NDArray[np.uint8]
    ) -> Iterable[tuple[NDArray[np.float32], float | None]]:
        """Return (probabilities, strangeness or None) of each prepared photo, in one pass."""
        if self.novelty is None or not self.novelty.tells:
            with self._turn:
                return [(row, None) for row in self.probabilities(pixels)]
        with self._turn, measuring(self.classifier.network, self.novelty.known) as distances:
            rows = self.probabilities(pixels)
        strangeness = np.concatenate(distances) / self._threshold
        return zip(rows, strangeness.tolist(), strict=True)

    def explain(
        self, photo: Photo, label: str = "", side: int | None = None
    ) -> NDArray[np.float32]:
        """Return where the network looks in a photo for a class, by Grad-CAM.

        Args:
            photo: a path, the bytes of a file, an array (H, W[, C]) or a Pillow image.
            label: the class. Empty: the most probable one.
            side: longest side of the map, in pixels. None: that of the photo.

        Returns:
            (H, W) of the upright photo, from 0 to 1; all zeros where nothing speaks for the class.

        Raises:
            UnreadablePhotoError: with the reason, if it does not decode.
            InferenceError: if the label is none of the classes.
            ModelError: if the network has no convolution to look at.
        """
        if label and label not in self.class_names:
            raise InferenceError(unknown("label", label, self.class_names))
        with self._turn:
            explainer = self.explainer
        pixels, decoded = self.preprocessing.open(content_of(photo))
        with self._turn:
            named = label or self.class_names[int(self.probabilities(pixels[None])[0].argmax())]
            heat = explainer.heat(pixels, self.class_names.index(named))
        scale = min(1.0, (side or math.inf) / max(decoded.width, decoded.height))
        width, height = (max(1, round(scale * n)) for n in (decoded.width, decoded.height))
        return self.preprocessing.geometry.laid_back(heat, width, height)

    @cached_property
    def _turn(self) -> Lock:
        """What one thread at a time has: measuring and explaining hook into the one network."""
        return Lock()

    @cached_property
    def explainer(self) -> Explainer:
        """What draws heat maps. Raises ModelError if the network has no convolution."""
        return Explainer(self.classifier)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Prepared pixels (N, H, W, C) uint8 -> probabilities (N, num_classes)."""
        return self.classifier.probabilities(self.classifier.logits(pixels))

    def _prediction(
        self, path: str, row: NDArray[np.float32], top_k: int, rule: Rule | None
    ) -> Prediction:
        order = np.argsort(-row, kind="stable")
        top = tuple((self.class_names[i], float(row[i])) for i in order[: max(1, top_k)])
        unsure = rule is not None and bool(rule.unsure(row[None])[0])
        possible: tuple[str, ...] = ()
        if rule is not None and unsure:
            there = rule.possible(row[None])[0]
            possible = tuple(self.class_names[i] for i in order if there[i])
        return Prediction(path, top[0][0], top[0][1], top[:top_k], unsure, possible)

    def _open(self, photo: Photo) -> tuple[str, NDArray[np.uint8] | None, str]:
        path = str(photo) if isinstance(photo, (str, Path, Remote)) else ""
        try:
            content = content_of(photo)
            pixels, _ = self.preprocessing.open(content)
        except UnreadablePhotoError as error:
            return path, None, str(error)
        return path, pixels, ""


def content_of(photo: Photo) -> Content:
    """Return what a photo holds. Raises UnreadablePhotoError with the reason."""
    if isinstance(photo, (str, Path)):
        return _read(Path(photo))
    return photo() if callable(photo) else photo


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UnreadablePhotoError("is a folder, not a photo")
        if not path.is_file():
            raise UnreadablePhotoError("is no file" if path.exists() else "does not exist")
        if path.stat().st_size > MAX_BYTES:
            raise UnreadablePhotoError(f"is larger than {MAX_BYTES >> 30} GiB")
        return path.read_bytes()
    except OSError as error:
        raise UnreadablePhotoError(f"cannot be read: {error.strerror or error}") from error
