"""Photos listed in a CSV or TSV with the columns path,label[,split,group].

Further columns are kept as they are: scores are looked at by their values.
"""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from classeur.data.attributes import KNOWN
from classeur.data.decode import SUFFIXES
from classeur.data.records import Listing, Record, split_of
from classeur.errors import DataError, did_you_mean
from classeur.run_folder import printable

_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "image", "photo", "filepath", "image_path"),
    "label": ("label", "class", "class_name", "category", "target"),
    "split": ("split", "set", "subset", "fold"),
    "group": ("group", "group_id"),
}

_TAKEN = {alias for aliases in _COLUMNS.values() for alias in aliases} | KNOWN
"""Names that no further column may have."""


def is_table(path: Path) -> bool:
    """Whether a file is a CSV or TSV by its ending."""
    return path.suffix.lower() in (".csv", ".tsv")


def tables_in(folder: Path) -> list[Path]:
    """Return the tables of a folder whose header names a path and a label."""
    tables = [path for path in sorted(folder.iterdir()) if path.is_file() and is_table(path)]
    return [table for table in tables if {"path", "label"} <= set(_header(table))]


def list_table(table: Path, group_column: str = "") -> Listing:
    """List the photos of a table. Paths are relative to the table's folder, or absolute.

    Raises:
        DataError: if a column is missing, `group_column` included, the text is neither UTF-8 nor
            UTF-16, or rows lack a path or label, name an unknown split or contradict each other.
    """
    rows = list(_rows(table, group_column))
    _check_text(table, rows)
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
        _keep_further(listing, relative, row)
        if relative in seen:
            _check_repeated(table, row["path"], seen[relative], record)
            listing.passed_over["rows that repeat a photo"] += 1
        elif Path(path).suffix.lower() not in SUFFIXES:
            listing.passed_over[f"non-photos ({Path(path).suffix.lower() or 'no ending'})"] += 1
        else:
            seen[relative] = record
            listing.records.append(record)
    return listing


def _keep_further(listing: Listing, path: str, row: dict[str, str]) -> None:
    """Keep a photo's values of further columns; where its rows differ, none."""
    for name in row.keys() - _COLUMNS.keys():
        values = listing.columns.setdefault(name, {})
        value = printable(row[name])
        values[path] = value if values.get(path, value) == value else ""


def _check_repeated(table: Path, path: str, first: Record, again: Record) -> None:
    for what in ("label", "split", "group"):
        one, other = getattr(first, what), getattr(again, what)
        if one != other:
            raise DataError(
                f'{table} gives {path} two {what}s, "{one}" and "{other}". '
                "Keep one row for each photo."
            )


def _check_text(table: Path, rows: list[dict[str, str]]) -> None:
    """Raise DataError for text in an older encoding; a path may hold any bytes if it is there."""
    for row in rows:
        texts = [row["label"], row["group"]]
        if not os.path.lexists(table.parent / row["path"]):
            texts.append(row["path"])
        for text in texts:
            if printable(text) != text:
                raise DataError(
                    f'{table} is not UTF-8: it holds "{printable(text)}". Save it as UTF-8 and try '
                    "again."
                )


def _rows(table: Path, group_column: str = "") -> Iterator[dict[str, str]]:
    try:
        with _opened(table) as file:
            reader = csv.reader(file, delimiter=_delimiter(table))
            header = next(reader, [])
            columns = _columns(header)
            if group_column:
                columns["group"] = _column(table, header, group_column)
            missing = {"path", "label"} - set(columns)
            if missing:
                found = printable(", ".join(header))[:200] or "an empty file"
                raise DataError(
                    f"{table} lacks the column {' and '.join(sorted(missing))}. Expected the "
                    f"header path,label[,split,group], found: {found}."
                )
            yield from (_row(table, reader.line_num, columns, cells) for cells in reader if cells)
    except (csv.Error, UnicodeError) as error:
        raise DataError(f"{table} is no table: {error}.") from error


def _opened(table: Path) -> TextIO:
    """Open a table as UTF-8 or as spreadsheets' UTF-16; bytes that are no text are kept."""
    with table.open("rb") as file:
        is_utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if is_utf16 else "utf-8-sig"
    return table.open(encoding=encoding, errors="surrogateescape", newline="")


def _row(table: Path, line: int, columns: dict[str, int], cells: list[str]) -> dict[str, str]:
    row = {
        name: cells[columns[name]].strip() if columns.get(name, len(cells)) < len(cells) else ""
        for name in {**_COLUMNS, **columns}
    }
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
    try:
        with _opened(table) as file:
            return _columns(next(csv.reader(file, delimiter=_delimiter(table)), []))
    except (csv.Error, UnicodeError):  # whatever it is, it is no table of photos
        return {}


def _columns(header: list[str]) -> dict[str, int]:
    """Return column -> its place: ours by our names, the others by theirs."""
    names = [name.strip().lower() for name in header]
    columns = {
        printable(header[i].strip()): i
        for i, name in enumerate(names)
        if name not in {"", *_TAKEN, *names[:i]}
    }
    for column, aliases in _COLUMNS.items():
        for alias in aliases:
            if alias in names and column not in columns:
                columns[column] = names.index(alias)
    return columns


def _column(table: Path, header: list[str], name: str) -> int:
    names = [title.strip() for title in header]
    if name not in names:
        found = printable(", ".join(names))[:200]
        raise DataError(
            f'{table} has no column "{printable(name)}" for the groups.{did_you_mean(name, names)} '
            f"Its columns are: {found}."
        )
    return names.index(name)


def _delimiter(table: Path) -> str:
    if table.suffix.lower() == ".tsv":
        return "\t"
    with _opened(table) as file:
        header = file.readline()
    return max(",;\t", key=header.count)
