"""Predictions as CSV, JSON lines or Parquet, written as they come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from classeur.data.rows import RowWriter
from classeur.errors import InferenceError
from classeur.inference.predictor import Prediction
from classeur.inference.unfinished import Unfinished, begin
from classeur.run_folder import printable, replacing

FORMATS = (".csv", ".jsonl", ".parquet")
_CHUNK = 10_000

Extra = Sequence[str]
"""Columns of their own: `unsure`, `possible`, `strangeness`, `strange`."""


def check_output(path: Path, formats: Sequence[str] = FORMATS, photos: Iterable[Path] = ()) -> None:
    """Refuse a file to write before the work begins.

    Raises:
        InferenceError: if its ending is none of `formats`, its folder is not there, it is a folder
            itself, or one of `photos`.
    """
    if path.suffix.lower() not in formats:
        raise InferenceError(f"{path} ends in no known format. Expected {', '.join(formats)}.")
    if not path.parent.is_dir():
        raise InferenceError(f"{path.parent} is no folder; make it first, or choose another.")
    if path.is_dir():
        raise InferenceError(f"cannot write {path}: Is a directory.")
    if path.exists() and any(photo.exists() and path.samefile(photo) for photo in photos):
        raise InferenceError(f"{path} is one of the photos and would be lost. Choose another file.")


def write_predictions(
    predictions: Iterable[Prediction],
    path: Path,
    top_k: int,
    extra: Extra = (),
    begun: Unfinished | None = None,
) -> Iterator[Prediction]:
    """Write predictions to a file and pass each one on; the file appears when all are there.

    Until then CSV and JSON lines are in FILE.part, a row for each prediction passed on, and stay
    there if anything goes wrong. Of Parquet nothing stays.

    Args:
        predictions: in the order of the rows.
        path: the file. It is replaced if it is there.
        top_k: classes to name.
        extra: columns of their own.
        begun: what `begin` returned for the same path. None: it is begun now.

    Raises:
        InferenceError: if the ending is not one of `FORMATS`, or the file cannot be written.
    """
    check_output(path)
    try:
        if path.suffix.lower() == ".parquet":
            with replacing(path) as temporary:
                yield from _parquet(predictions, temporary, top_k, extra)
            return
        begun = begun or begin(path, columns_of(path, top_k, extra))
        with begun.kept() as file:
            if path.suffix.lower() == ".csv":
                written = write_csv(predictions, file, top_k, extra, header=begun.is_empty)
            else:
                written = _jsonl(predictions, file, top_k, extra)
            for prediction in written:
                file.flush()  # a killed process leaves all rows but the one it was writing
                begun.has_rows = True
                yield prediction
            begun.finish()
    except OSError as error:
        raise InferenceError(f"cannot write {path}: {error.strerror or error}.") from error


def columns_of(path: Path, top_k: int, extra: Extra = ()) -> list[str]:
    """Return the columns of a CSV file, or the keys of JSON lines."""
    if path.suffix.lower() == ".jsonl":
        return ["path", "label", "probability", "top", *extra, "error"]
    return _csv_columns(top_k, extra)


def write_csv(
    predictions: Iterable[Prediction],
    file: TextIO,
    top_k: int,
    extra: Extra = (),
    *,
    header: bool = True,
) -> Iterator[Prediction]:
    """Write a header and a row a photo; pass each prediction on."""
    writer = RowWriter(file, _csv_columns(top_k, extra) if header else ())
    for prediction in predictions:
        writer.write(_row(prediction, top_k, extra).values())
        yield prediction


def _csv_columns(top_k: int, extra: Extra) -> list[str]:
    more = (f"{name}_{rank}" for rank in range(2, top_k + 1) for name in ("label", "probability"))
    return ["path", "label", "probability", *more, *extra, "error"]


def _jsonl(
    predictions: Iterable[Prediction], file: TextIO, top_k: int, extra: Extra
) -> Iterator[Prediction]:
    for prediction in predictions:
        row = {
            "path": printable(prediction.path),
            "label": prediction.label or None,
            "probability": prediction.probability if prediction.label else None,
            "top": [{"label": name, "probability": p} for name, p in prediction.top[:top_k]],
            **{name: _plain(prediction, name) for name in extra},
            "error": prediction.error or None,
        }
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        yield prediction


def _parquet(
    predictions: Iterable[Prediction], path: Path, top_k: int, extra: Extra
) -> Iterator[Prediction]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [("path", pa.string()), ("label", pa.string()), ("probability", pa.float64())]
    for rank in range(2, top_k + 1):
        fields += [(f"label_{rank}", pa.string()), (f"probability_{rank}", pa.float64())]
    kinds = {
        "unsure": pa.bool_(), "possible": pa.list_(pa.string()),
        "strangeness": pa.float64(), "strange": pa.bool_(),
    }  # fmt: skip
    fields += [(name, kinds[name]) for name in extra]
    schema = pa.schema([*fields, ("error", pa.string())])
    remaining = iter(predictions)
    with pq.ParquetWriter(path, schema) as writer:
        while chunk := list(islice(remaining, _CHUNK)):
            rows = [
                {k: v if v != "" else None for k, v in _row(p, top_k).items()}
                | {name: _plain(p, name) for name in extra}
                for p in chunk
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            yield from chunk


def _plain(prediction: Prediction, name: str) -> Any:
    """Return what stands in a column as a plain value; None of a photo that cannot be read."""
    value = prediction.is_strange if name == "strange" else getattr(prediction, name)
    if prediction.error or value is None:
        return None
    if isinstance(value, float):
        return round(value, 4)
    return list(value) if isinstance(value, tuple) else value


def _text(prediction: Prediction, name: str) -> str:
    value = _plain(prediction, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, float) else "|".join(map(_escaped, value or ()))


def _escaped(label: str) -> str:
    r"""Return a label as one of a list: with `\|` for `|`, and `\\` for `\`."""
    return label.replace("\\", r"\\").replace("|", r"\|")


def _row(prediction: Prediction, top_k: int, extra: Extra = ()) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": printable(prediction.path),
        "label": prediction.label,
        "probability": round(prediction.probability, 6) if prediction.label else "",
    }
    for rank in range(2, top_k + 1):
        there = rank <= len(prediction.top)
        row[f"label_{rank}"] = prediction.top[rank - 1][0] if there else ""
        row[f"probability_{rank}"] = round(prediction.top[rank - 1][1], 6) if there else ""
    row |= {name: _text(prediction, name) for name in extra}
    return {**row, "error": prediction.error}
