"""Photos listed in a CSV or TSV with the columns path,label[,split,group]."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from classeur.data.decode import SUFFIXES
from classeur.data.records import Listing, Record, split_of
from classeur.errors import DataError
from classeur.run_folder import printable

_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "image", "photo", "filepath", "image_path"),
    "label": ("label", "class", "class_name", "category", "target"),
    "split": ("split", "set", "subset", "fold"),
    "group": ("group", "group_id"),
}


def is_table(path: Path) -> bool:
    """Whether a file is a CSV or TSV by its ending."""
    return path.suffix.lower() in (".csv", ".tsv")


def tables_in(folder: Path) -> list[Path]:
    """Return the tables of a folder whose header names a path and a label."""
    tables = [path for path in sorted(folder.iterdir()) if path.is_file() and is_table(path)]
    return [table for table in tables if {"path", "label"} <= set(_header(table))]


def list_table(table: Path) -> Listing:
    """List the photos of a table. Paths are relative to the table's folder, or absolute.

    Raises:
        DataError: if a column is missing, or rows lack a path or label, name an unknown split or
            contradict each other.
    """
    rows = list(_rows(table))
    folder = Path(os.path.normpath(table.parent.absolute()))
    absolute = [os.path.normpath(folder / row["path"]) for row in rows]
    inside = all(Path(path).is_relative_to(folder) for path in absolute)
    # The root is the table's folder, or, for photos elsewhere, the deepest folder above them all.
    root = folder if inside else Path(os.path.commonpath([os.path.dirname(p) for p in absolute]))  # noqa: PTH120
    listing = Listing(root, "table")
    seen: dict[str, Record] = {}
    for path, row in zip(absolute, rows, strict=True):
        relative = Path(path).relative_to(root).as_posix()
        record = Record(relative, row["label"], row["split"], row["group"])
        if relative in seen:
            _check_repeated(table, row["path"], seen[relative], record)
            listing.passed_over["rows that repeat a photo"] += 1
        elif Path(path).suffix.lower() not in SUFFIXES:
            listing.passed_over[f"non-photos ({Path(path).suffix.lower() or 'no ending'})"] += 1
        else:
            seen[relative] = record
            listing.records.append(record)
    return listing


def _check_repeated(table: Path, path: str, first: Record, again: Record) -> None:
    for what in ("label", "split", "group"):
        one, other = getattr(first, what), getattr(again, what)
        if one != other:
            raise DataError(
                f'{table} gives {path} two {what}s, "{one}" and "{other}". '
                "Keep one row for each photo."
            )


def _rows(table: Path) -> Iterator[dict[str, str]]:
    try:
        with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, delimiter=_delimiter(table))
            columns = _columns(next(reader, []))
            missing = {"path", "label"} - set(columns)
            if missing:
                raise DataError(
                    f"{table} lacks the column {' and '.join(sorted(missing))}. Expected the "
                    f"header path,label[,split,group], found: {', '.join(columns) or 'nothing'}."
                )
            yield from (_row(table, reader.line_num, columns, cells) for cells in reader if cells)
    except csv.Error as error:
        raise DataError(f"{table} is no table: {error}.") from error


def _row(table: Path, line: int, columns: dict[str, int], cells: list[str]) -> dict[str, str]:
    row = {
        name: cells[columns[name]].strip() if columns.get(name, len(cells)) < len(cells) else ""
        for name in _COLUMNS
    }
    row["label"], row["group"] = printable(row["label"]), printable(row["group"])
    for name in ("path", "label"):
        if not row[name]:
            raise DataError(f"{table}, line {line}, has no {name}. Fill it in or delete the row.")
    if row["split"]:
        split = split_of(row["split"])
        if split is None:
            raise DataError(
                f'{table}, line {line}, has the split "{row["split"]}". Expected train, val, test '
                "or nothing."
            )
        row["split"] = split
    return row


def _header(table: Path) -> dict[str, int]:
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return _columns(next(csv.reader(file, delimiter=_delimiter(table)), []))
        except csv.Error:  # whatever it is, it is no table of photos
            return {}


def _columns(header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    columns: dict[str, int] = {}
    for column, aliases in _COLUMNS.items():
        for alias in aliases:
            if alias in names and column not in columns:
                columns[column] = names.index(alias)
    return columns


def _delimiter(table: Path) -> str:
    if table.suffix.lower() == ".tsv":
        return "\t"
    with table.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    return max(",;\t", key=header.count)
