"""Photos -> a folder of arrays that `numpy.load` alone opens, with names and a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from classeur.config import DataConfig, PreprocessingConfig
from classeur.data.attributes import with_attributes
from classeur.data.facts import PhotoFacts, read_unreadable, write_unreadable
from classeur.data.filters import parse_filters
from classeur.data.folds import refuse_given, split_fold
from classeur.data.geometry import suggest_geometry
from classeur.data.manifest import Manifest, read_manifest, select
from classeur.data.records import Listing
from classeur.data.review import apply_review
from classeur.data.scan import scan
from classeur.data.sources import list_photos
from classeur.data.split import split, with_units
from classeur.data.store import Store, build_store, copy_cached
from classeur.run_folder import write_json


def scan_as(config: DataConfig) -> Listing:
    """Scan the photos of a config; with a manifest, exactly its photos.

    Raises:
        DataError: as `scan` does, if photos of the manifest are missing or have changed, if folds
            are to be cut from photos that brought a split, or if a reviewed list of labels cannot
            be applied.
    """
    manifest = read_manifest(Path(config.manifest)) if config.manifest else None
    listing = scan(
        config.photos,
        layout=config.layout,
        label_from=config.label_from,
        group_from=config.group_from,
        group_column=config.group_column,
        classes=config.classes,
        top_classes=0 if manifest else config.top_classes,
        limit_per_class=0 if manifest else config.limit_per_class,
        seed=config.split_seed,
        only={row.path for row in manifest.rows} if manifest else None,
    )
    if config.folds:
        refuse_given(listing.records)  # before they are decoded
    if manifest:
        return select(listing, manifest, Path(config.photos))
    return _reviewed(listing, config)


def _reviewed(listing: Listing, config: DataConfig) -> Listing:
    """Return the listing without the labels that a reviewed list found wrong, if there is one."""
    file = config.relabel or config.drop_suspicious
    if not file:
        return listing
    everything = list_photos(config.photos, config.layout, config.label_from)
    return apply_review(
        listing,
        Path(file).expanduser(),
        relabel=bool(config.relabel),
        left_out={record.path: record.label for record in everything.records},
    )


def split_as(config: DataConfig, facts: list[PhotoFacts]) -> Manifest:
    """Split photos as a config says; with a manifest, as it does. In the order of `facts`."""
    if config.manifest:
        rows = {row.path: row for row in read_manifest(Path(config.manifest)).rows}
        return with_units(Manifest([rows[fact.path] for fact in facts]), facts)
    if config.folds:
        return split_fold(
            facts, folds=config.folds, fold=config.fold, val=config.val, seed=config.split_seed
        )
    return split(facts, val=config.val, test=config.test, seed=config.split_seed)


def manifest_of(config: DataConfig, listing: Listing, facts: list[PhotoFacts]) -> Manifest:
    """Split photos as a config says, and note what else is known of them."""
    return with_attributes(split_as(config, facts), facts, listing.columns)


def prepare(config: DataConfig, preprocessing: PreprocessingConfig, to: Path) -> Store:
    """Decode the photos once into `to`, or copy them if an earlier command did.

    It then holds, besides the store, `labels.npy` (N,) int64, `class_names.json` with the labels
    sorted by name, and `manifest.csv` with a split for each photo.

    Raises:
        ConfigError: naming every filter that cannot be.
        DataError: if the photos cannot be found, read or split.
        StoreError: if the disk is full, or `to` holds something else.
    """
    parse_filters(preprocessing.filters)  # a wrong one is said before the photos are read
    listing = scan_as(config)
    geometry = suggest_geometry(
        listing,
        preprocessing.size,
        preprocessing.color,
        preprocessing.resize,
        preprocessing.interpolation,
        preprocessing.filters,
    )

    def add(folder: Path, facts: list[PhotoFacts]) -> None:
        manifest = manifest_of(config, listing, facts)
        indices = {label: index for index, label in enumerate(manifest.class_names)}
        np.save(folder / "labels.npy", np.array([indices[f.label] for f in facts], np.int64))
        write_json(folder / "class_names.json", manifest.class_names)
        manifest.write(folder / "manifest.csv")
        decoding = read_unreadable(folder / "unreadable.csv")
        write_unreadable(folder / "unreadable.csv", [*listing.unreadable, *decoding])

    return copy_cached(listing, geometry, to, add) or build_store(listing, geometry, to, add=add)
