"""Labels that may be wrong: a list for a person to decide on, and a page to look at."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.config import DataConfig, PreprocessingConfig
from classeur.data.facts import PhotoFacts
from classeur.data.folds import assign_folds
from classeur.data.geometry import suggest_geometry
from classeur.data.manifest import Manifest, ManifestRow
from classeur.data.prepare import scan_as
from classeur.data.records import Listing
from classeur.data.split import kept_together
from classeur.data.store import Store, cached_store
from classeur.errors import ConfigError, DataError, RunFolderError, WeightsError
from classeur.evaluation.suspicious import Suspect, find_suspects, write_suspects
from classeur.models.weights import Weights, fetched, find_weights
from classeur.report.suspicious import build_suspicious_page, write_suspicious_page
from classeur.section import override
from classeur.study.out_of_sample import (
    SCRATCH_SIZES,
    probabilities_from_scratch,
    probabilities_on_backbone,
)

log = logging.getLogger(__name__)

BACKBONE = "mobilenetv2_100"
"""What looks at the photos where nothing else is asked for and its weights can be had."""

FEWEST_FOLDS = 3
"""One to judge, one to validate on, one to learn from."""

NONE = "none"
"""The backbone of whoever wants none."""

LIST, PAGE = "suspicious.csv", "index.html"


@dataclass(frozen=True)
class Suspects:
    """All that was found."""

    folder: Path
    photos: int
    """That were looked at."""
    suspects: list[Suspect]
    """The most suspicious first."""
    by: str
    """What computed the probabilities, in words."""

    @property
    def table(self) -> Path:
        """The CSV to review."""
        return self.folder / LIST

    @property
    def page(self) -> Path:
        """The page to look at."""
        return self.folder / PAGE


def find_suspicious(
    photos: Path | str,
    *,
    to: Path | str = "labels",
    folds: int = 5,
    backbone: str = "",
    weights: str = "",
    device: str = "auto",
    seed: int = 0,
    **options: Any,
) -> Suspects:
    """List the labels that may be wrong. Nothing about the photos is changed.

    All splits that the data came with take part: no photo is judged by what has learned from it,
    from its copies or from its group.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        to: the folder to make, for suspicious.csv and index.html.
        folds: of the cross-validation.
        backbone: a network of timm whose features are used. Empty: mobilenetv2_100 if its weights
            can be had, else none. `none`: a small network is trained instead.
        weights: a .safetensors file, or a folder of them. Empty: CLASSEUR_WEIGHTS, else the hub.
        device: `cpu`, `cuda`, `mps` or `auto`.
        seed: of the folds.
        options: any option of `classeur.config.DataConfig`; `val` and `test` change nothing.

    Raises:
        ConfigError: naming every option that is wrong.
        DataError: if the photos cannot be found or read, or are too few for the folds.
        WeightsError: if the weights of a backbone that was asked for cannot be had.
        RunFolderError: if `to` holds a list already.
    """
    if folds < FEWEST_FOLDS:
        raise ConfigError([f"folds must be at least {FEWEST_FOLDS}, received {folds}."])
    if backbone == NONE and weights:
        raise ConfigError(["weights do nothing without a backbone: leave out one of the two."])
    folder = _make(Path(to))
    listing = scan_as(override(DataConfig(), {"photos": str(photos), **options}))
    found = _weights(backbone, weights)
    store = _prepared(listing, found)
    facts = store.facts(listing)
    _check_enough(facts, folds)
    fold_of = assign_folds(facts, folds, seed)
    manifest = Manifest([ManifestRow.of(fact, "train") for fact in facts])
    labels = _indices(manifest)
    probabilities = (
        probabilities_on_backbone(store, labels, fold_of, found, device)
        if found
        else probabilities_from_scratch(store, manifest, fold_of, device)
    )
    paths = [fact.path for fact in facts]
    suspects = find_suspects(paths, labels, probabilities, manifest.class_names)
    result = Suspects(folder, len(facts), suspects, _in_words(found, folds))
    write_suspects(suspects, result.table)
    page = build_suspicious_page(listing.root, len(facts), suspects, result.by, LIST)
    write_suspicious_page(page, result.page)
    return result


def _make(folder: Path) -> Path:
    """Make the folder; raise RunFolderError rather than write over what somebody has decided."""
    if (folder / LIST).exists():
        raise RunFolderError(
            f"{folder / LIST} is there already and may hold decisions. Move it away, or choose "
            "another folder with --to."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"cannot write {folder}: {error.strerror}.") from error
    return folder


def _weights(backbone: str, where: str) -> Weights | None:
    """Return the weights to use; None: a small network is trained."""
    if backbone == NONE:
        return None
    try:
        found = find_weights(backbone or BACKBONE, where)
        fetched(found)
    except WeightsError as error:
        if backbone or where:
            raise
        log.info("a small network is trained from scratch: %s", error)
        return None
    return found


def _prepared(listing: Listing, weights: Weights | None) -> Store:
    if weights:
        asked = PreprocessingConfig(weights.size, "rgb", interpolation=weights.interpolation)
        geometry = suggest_geometry(listing, asked.size, asked.color, "squash", asked.interpolation)
    else:
        low, high = SCRATCH_SIZES
        size = min(max(suggest_geometry(listing).size, low), high)
        geometry = suggest_geometry(listing, size)
    return cached_store(listing, geometry)


def _check_enough(facts: Sequence[PhotoFacts], folds: int) -> None:
    pictures: Counter[str] = Counter()
    for cluster in kept_together(facts):
        pictures.update({fact.label for fact in cluster})
    if len(pictures) < 2:
        raise DataError(
            f"all photos are of one class, {next(iter(pictures))}; expected at least two."
        )
    few = [f"{label} ({number})" for label, number in sorted(pictures.items()) if number < folds]
    if few:
        raise DataError(
            f"too few photos for {folds} folds, with duplicates and groups kept together: "
            f"{', '.join(few)}. Ask for fewer with --folds, or leave classes out with --classes."
        )


def _indices(manifest: Manifest) -> NDArray[np.int64]:
    index = {name: i for i, name in enumerate(manifest.class_names)}
    return np.array([index[row.label] for row in manifest.rows], np.int64)


def _in_words(weights: Weights | None, folds: int) -> str:
    if weights:
        return f"a logistic regression on the features of {weights.name}, in {folds} folds"
    return f"a small convolutional network trained from scratch, in {folds} folds"
