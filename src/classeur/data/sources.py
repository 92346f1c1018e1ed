"""Recognise how photos lie in a folder or file, and list them. Nothing is decoded here."""

from __future__ import annotations

import os
from pathlib import Path

from classeur.data import arrays, folders, tables
from classeur.data.records import Listing
from classeur.errors import DataError

EXPECTED = (
    "Expected class folders (cats/1.jpg), split folders (train/cats/1.jpg), names with the label "
    "in front (cat.0.jpg), a CSV with the columns path and label, IDX files, or NPZ/NPY arrays."
)


def list_photos(
    photos: Path | str, layout: str = "auto", label_from: str = "", group_column: str = ""
) -> Listing:
    """List the photos at a path, with label and given split.

    Args:
        photos: a folder, or a CSV, TSV, NPZ, NPY or IDX file.
        layout: `auto`, `class-folders`, `split-folders`, `flat`, `table`, `idx` or `arrays`.
        label_from: regular expression searched in each file name; its first group, or all of
            the match, is the label. Split folders stay splits, with such names in each; without
            them, the folders that the photos lie in mean nothing (`flat`).
        group_column: of a table: the column with the groups. Empty: `group` or `group_id`.

    Returns:
        The records sorted by path in natural order (cat.2 before cat.10).

    Raises:
        DataError: if the path does not exist, may not be read, has no photos, or does not fit the
            layout.
    """
    path = Path(photos).expanduser()
    if not path.exists():
        raise DataError(f"{path} does not exist. Expected a folder of photos.")
    try:
        listing = _listed(path, layout, label_from, group_column)
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror}.") from error
    if not listing.records:
        passed = ", ".join(f"{n} {why}" for why, n in listing.passed_over.most_common())
        found = f" Passed over: {passed}." if passed else ""
        raise DataError(f"{path} holds no labelled photos ({listing.layout}).{found} {EXPECTED}")
    _check_labels(path, listing)
    listing.records.sort(key=lambda record: folders.natural(record.path))
    listing.unreadable.sort(key=lambda item: folders.natural(item.path))
    return listing


def _check_labels(path: Path, listing: Listing) -> None:
    """Raise DataError for a label that is no text: no file of a run could hold it."""
    for label in listing.labels():
        try:
            label.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{path} has the label {label!a}, which is no text. Rename that class."
            ) from error


def _listed(path: Path, layout: str, label_from: str, group_column: str) -> Listing:
    if path.is_dir():
        os.scandir(path).close()  # a folder that may not be read is an error before it looks empty
    if layout == "auto":
        layout = _recognise(path)
        if label_from and layout == "class-folders":
            layout = "flat"  # the label was said to be in the name, not in the folder
    if label_from and layout not in ("flat", "split-folders"):
        raise DataError(
            f"label_from takes the label from the file name, but the layout {layout} has labels of "
            "its own. Leave out one of the two, or choose the layout flat or split-folders."
        )
    if layout == "table":
        return tables.list_table(path if path.is_file() else _only_table(path), group_column)
    if group_column:
        raise DataError(
            f"group_column takes the groups from a column of a table, but these photos are found "
            f"as {layout}. Give the path of a CSV or TSV, or take the groups from the paths with "
            "group_from."
        )
    if layout in ("idx", "arrays"):
        return arrays.list_arrays(path, layout)
    return folders.list_folders(path, layout, label_from)


def _recognise(path: Path) -> str:
    if path.is_file():
        if tables.is_table(path):
            return "table"
        layout = arrays.recognise([path])
        if layout is None:
            raise DataError(f"{path} is a file of no known layout. {EXPECTED}")
        return layout
    layout = folders.recognise(path)
    if layout is not None:
        return layout
    files = [file for file in sorted(path.iterdir()) if file.is_file()]
    layout = arrays.recognise(files)
    if layout is not None:
        return layout
    if tables.tables_in(path):
        return "table"
    raise DataError(f"{path} holds no labelled photos that could be recognised. {EXPECTED}")


def _only_table(folder: Path) -> Path:
    found = tables.tables_in(folder)
    if len(found) != 1:
        names = ", ".join(table.name for table in found) or "none"
        raise DataError(
            f"{folder} should hold one CSV or TSV with the columns path and label, found {names}. "
            "Give the path of the file itself."
        )
    return found[0]
