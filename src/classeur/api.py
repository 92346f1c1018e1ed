"""The Python face of the commands that have no module of their own word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classeur.config import DataConfig, PreprocessingConfig
from classeur.section import Section, override

if TYPE_CHECKING:
    from classeur.data.inspect import Inspection
    from classeur.data.store import Store
    from classeur.inference.predictor import Photo, Prediction


@dataclass(frozen=True)
class _PixelsConfig(Section):
    """What `prepare` may be asked."""

    data: DataConfig = field(default_factory=DataConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)


def inspect(photos: Path | str, **options: Any) -> Inspection:
    """Decode every photo and return what was found: balance, sizes, unreadable files, duplicates.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        options: any option of `classeur.config.DataConfig`: `layout="flat"`, …. `val`, `test`
            and `folds` change nothing, since nothing is split.

    Raises:
        ConfigError: naming every option that is wrong.
        DataError: if there are no photos.
    """
    from classeur.data.inspect import inspect_listing
    from classeur.data.prepare import scan_as

    config = override(DataConfig(), {"photos": str(photos), **options})
    return inspect_listing(scan_as(config))


def prepare(photos: Path | str, *, to: Path | str, **options: Any) -> Store:
    """Decode the photos once into arrays that `numpy.load` alone opens.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        to: the folder to make: photos.npy, labels.npy, class_names.json, manifest.csv, ….
        options: any option of `DataConfig` and `PreprocessingConfig`: `size=150`, ….

    Raises:
        ConfigError: naming every option that is wrong.
        DataError: if the photos cannot be found, read or split.
        StoreError: if the disk is full, or `to` holds something else.
    """
    from classeur.data.prepare import prepare as prepare_as

    config = override(_PixelsConfig(), {"photos": str(photos), **options})
    return prepare_as(config.data, config.preprocessing, Path(to))


def predict(
    run: Path | str, photos: Iterable[Photo], *, top_k: int = 3, device: str = "cpu",
    abstain_below: float | None = None, max_error: float | None = None,
) -> Iterator[Prediction]:  # fmt: skip
    """Yield a prediction for each photo, in order; an unreadable one has its `error` set.

    Args:
        run: a finished run.
        photos: paths, bytes of files, arrays (H, W[, C]) or Pillow images.
        top_k: classes to name in `top`.
        device: `cpu`, `cuda`, `mps` or `auto`.
        abstain_below: probability below which a photo is unsure. None: see `max_error`.
        max_error: share of wrong answers, 0.01 for 1 %; `Predictor.predict` says what it promises.
            None: every photo is answered.

    Raises:
        ConfigError: if the device is not there, or a share is not above 0 and below 1.
        RunFolderError: if it is no run, has no weights or thresholds yet, or they cannot be
            trusted.
        InferenceError: if `photos` is one photo and not several, or the run cannot promise
            `max_error`.
    """
    from classeur.inference.predictor import Predictor

    return Predictor.load(run, device).predict(
        photos, top_k=top_k, abstain_below=abstain_below, max_error=max_error
    )
