"""Predictions as CSV, JSON lines or Parquet; written as they come, and in one piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from classeur.data.rows import RowWriter
from classeur.errors import InferenceError
from classeur.inference.predictor import Prediction
from classeur.run_folder import printable, replacing

FORMATS = (".csv", ".jsonl", ".parquet")
_CHUNK = 10_000

Extra = Sequence[str]
"""Columns of their own: `unsure`, `possible`, `strangeness`, `strange`."""


def check_output(path: Path, formats: Sequence[str] = FORMATS, photos: Iterable[Path] = ()) -> None:
    """Refuse a file to write before the work begins.

    Raises:
        InferenceError: if its ending is none of `formats`, its folder is not there, or it is one
            of `photos`.
    """
    if path.suffix.lower() not in formats:
        raise InferenceError(f"{path} ends in no known format. Expected {', '.join(formats)}.")
    if not path.parent.is_dir():
        raise InferenceError(f"{path.parent} is no folder; make it first, or choose another.")
    if path.exists() and any(photo.exists() and path.samefile(photo) for photo in photos):
        raise InferenceError(f"{path} is one of the photos and would be lost. Choose another file.")


def write_predictions(
    predictions: Iterable[Prediction], path: Path, top_k: int, extra: Extra = ()
) -> Iterator[Prediction]:
    """Write predictions to a file and pass each one on; the file appears when all are there.

    Raises:
        InferenceError: if the ending is not one of `FORMATS`, or the file cannot be written.
    """
    check_output(path)
    try:
        with replacing(path) as temporary:
            if path.suffix.lower() == ".parquet":
                yield from _parquet(predictions, temporary, top_k, extra)
            else:
                with temporary.open("w", encoding="utf-8", newline="") as file:
                    kind = write_csv if path.suffix.lower() == ".csv" else _jsonl
                    yield from kind(predictions, file, top_k, extra)
    except OSError as error:
        raise InferenceError(f"cannot write {path}: {error.strerror or error}.") from error


def write_csv(
    predictions: Iterable[Prediction], file: TextIO, top_k: int, extra: Extra = ()
) -> Iterator[Prediction]:
    """Write a header and a row a photo; pass each prediction on."""
    writer: RowWriter | None = None
    for prediction in predictions:
        row = _row(prediction, top_k, extra)
        writer = writer or RowWriter(file, list(row))
        writer.write(row.values())
        yield prediction


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
