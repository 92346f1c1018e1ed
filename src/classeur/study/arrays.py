"""The photos of a study as plain arrays, as the published projects save them.

NAME_photos.npy     (N, size, size, C) uint8, in the order of manifest.csv
NAME_labels.npy     (N,) int64
NAME_classes.json   the class of each number
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classeur.data.manifest import Manifest
from classeur.data.store import Store
from classeur.run_folder import replacing, write_json
from classeur.section import Section


@dataclass(frozen=True)
class Arrays(Section):
    """What to save, if anything."""

    name: str = ""
    """What the files' names begin with. Empty: nothing is saved."""
    reverse: bool = False
    """Count the classes from the last name: dog 0, cat 1."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        if not self.name.replace("-", "_").isidentifier() and self.name:
            yield f'name must be of letters, digits, - and _, received "{self.name}".'
        if self.reverse and not self.name:
            yield "reverse needs a name: without one nothing is saved."


def save_arrays(asked: Arrays, store: Store, manifest: Manifest, folder: Path) -> list[Path]:
    """Save the prepared photos and their labels; return the files.

    Args:
        asked: under which name.
        store: the prepared photos, in the order of the manifest.
        manifest: the labels.
        folder: where to; it is there already.
    """
    photos, labels, classes = (
        folder / f"{asked.name}_{what}" for what in ("photos.npy", "labels.npy", "classes.json")
    )
    names = sorted(manifest.class_names, reverse=asked.reverse)
    number = {name: i for i, name in enumerate(names)}
    with replacing(labels) as temporary, temporary.open("wb") as file:
        np.save(file, np.array([number[row.label] for row in manifest.rows], np.int64))
    write_json(classes, names)
    with replacing(photos) as temporary:
        shutil.copyfile(store.path / "photos.npy", temporary)
    return [photos, labels, classes]
