"""Predictions as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from classeur.errors import InferenceError
from classeur.inference import output
from classeur.inference.output import check_output, write_csv, write_predictions
from classeur.inference.predictor import Prediction
from classeur.run_folder import printable

GOOD = Prediction("a,b/été.jpg", "cat", 0.6000001234, (("cat", 0.6000001234), ("dog", 0.3)))
BROKEN = Prediction("page.jpg", error="is an HTML page, not a photo")
BYTES = Prediction(b"\xff.jpg".decode("utf-8", "surrogateescape"), "dog", 1.0, (("dog", 1.0),))
ALL = [BROKEN, GOOD, BYTES]  # the first row has no classes: the columns are there all the same


def written(path: Path, predictions: Iterable[Prediction] = ALL, top_k: int = 2) -> Path:
    assert list(write_predictions(predictions, path, top_k)) == list(predictions)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return path


def test_csv(tmp_path: Path) -> None:
    text = written(tmp_path / "p.csv").read_text(encoding="utf-8")
    assert text == (
        "path,label,probability,label_2,probability_2,error\n"
        'page.jpg,,,,,"is an HTML page, not a photo"\n'
        '"a,b/été.jpg",cat,0.6,dog,0.3,\n'
        "\\xff.jpg,dog,1.0,,,\n"
    )


def test_csv_of_a_name_with_a_carriage_return(tmp_path: Path) -> None:
    odd = Prediction("a\rb.jpg", "cat", 1.0, (("cat", 1.0),))
    with written(tmp_path / "p.csv", [odd, GOOD], 1).open(newline="", encoding="utf-8") as file:
        assert [row["path"] for row in csv.DictReader(file)] == ["a\rb.jpg", "a,b/été.jpg"]


def test_csv_to_a_terminal() -> None:
    file = io.StringIO()
    assert list(write_csv(iter(ALL), file, 1)) == ALL
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert list(rows[0]) == ["path", "label", "probability", "error"]
    assert [row["label"] for row in rows] == ["", "cat", "dog"]


def test_jsonl(tmp_path: Path) -> None:
    lines = written(tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"path": "page.jpg", "label": None, "probability": None, "top": [],
         "error": "is an HTML page, not a photo"},
        {"path": "a,b/été.jpg", "label": "cat", "probability": 0.6000001234, "error": None,
         "top": [{"label": "cat", "probability": 0.6000001234},
                 {"label": "dog", "probability": 0.3}]},
        {"path": "\\xff.jpg", "label": "dog", "probability": 1.0, "error": None,
         "top": [{"label": "dog", "probability": 1.0}]},
    ]  # fmt: skip
    assert "été" in lines[1]


def test_parquet(tmp_path: Path) -> None:
    rows = pq.read_table(written(tmp_path / "p.parquet")).to_pylist()
    columns = ["path", "label", "probability", "label_2", "probability_2", "error"]
    assert [list(row) for row in rows] == [columns] * 3
    assert [list(row.values()) for row in rows] == [
        ["page.jpg", None, None, None, None, "is an HTML page, not a photo"],
        ["a,b/été.jpg", "cat", 0.6, "dog", 0.3, None],
        ["\\xff.jpg", "dog", 1.0, None, None, None],
    ]


def test_parquet_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_CHUNK", 2)
    table = pq.read_table(written(tmp_path / "p.parquet", ALL * 3, 1))
    assert table["label"].to_pylist() == [None, "cat", "dog"] * 3


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.parquet"])
def test_no_predictions(tmp_path: Path, name: str) -> None:
    assert written(tmp_path / name, []).is_file()


@pytest.mark.parametrize("name", ["p.CSV", "p.JSONL", "p.Parquet"])
def test_the_ending_may_be_in_capitals(tmp_path: Path, name: str) -> None:
    assert written(tmp_path / name).stat().st_size > 50


def failing() -> Iterator[Prediction]:
    yield GOOD
    raise ZeroDivisionError


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_text("older")
    with pytest.raises(ZeroDivisionError):
        list(write_predictions(failing(), tmp_path / "p.parquet", 2))
    assert [p.name for p in tmp_path.iterdir()] == ["p.parquet"]
    assert (tmp_path / "p.parquet").read_text() == "older"


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_rows_are_left_of_a_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("older")
    with pytest.raises(ZeroDivisionError):
        list(write_predictions(failing(), tmp_path / name, 2))
    left = [name, f"{name}.part", f"{name}.run.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == left
    assert (tmp_path / name).read_text() == "older"
    assert "été" in (tmp_path / f"{name}.part").read_text(encoding="utf-8")


def test_nothing_is_left_when_the_reader_stops(tmp_path: Path) -> None:
    answers = write_predictions(iter(ALL), tmp_path / "p.parquet", 2)
    next(answers)
    answers.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_each_row_is_in_the_file_before_it_is_passed_on(tmp_path: Path, name: str) -> None:
    answers = write_predictions(iter(ALL), tmp_path / name, 2)
    for prediction in answers:
        last = (tmp_path / f"{name}.part").read_text(encoding="utf-8").splitlines()[-1]
        assert printable(prediction.path).partition(",")[0] in last.replace("\\\\", "\\")
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_the_predictions_are_passed_on_as_they_come(tmp_path: Path) -> None:
    taken: list[Prediction] = []

    def noted() -> Iterator[Prediction]:
        for prediction in ALL:
            taken.append(prediction)
            yield prediction

    answers = write_predictions(noted(), tmp_path / "p.csv", 2)
    assert taken == []
    next(answers)
    assert taken == ALL[:1]
    assert len(list(answers)) == 2


def test_an_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(InferenceError) as raised:
        check_output(tmp_path / "p.txt")
    assert str(raised.value) == (
        f"{tmp_path / 'p.txt'} ends in no known format. Expected .csv, .jsonl, .parquet."
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InferenceError) as raised:
        check_output(tmp_path / "gone" / "p.csv")
    assert str(raised.value) == (
        f"{tmp_path / 'gone'} is no folder; make it first, or choose another."
    )


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").mkdir()
    with pytest.raises(InferenceError, match=r"cannot write .*p\.csv: Is a directory\.$"):
        check_output(tmp_path / "p.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["p.csv"]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "_row", full)
    with pytest.raises(InferenceError) as raised:
        list(write_predictions(ALL, tmp_path / "p.csv", 2))
    assert str(raised.value) == f"cannot write {tmp_path / 'p.csv'}: No space left on device."
    assert list(tmp_path.iterdir()) == []


UNSURE = Prediction("u.png", "cat", 0.6, (("cat", 0.6),), unsure=True, possible=("cat", "dog"))
EXTRA = ("unsure", "possible")


def with_doubt(path: Path) -> Path:
    list(write_predictions([BROKEN, BYTES, UNSURE], path, 1, EXTRA))
    return path


def test_csv_with_unsure_photos(tmp_path: Path) -> None:
    assert with_doubt(tmp_path / "p.csv").read_text(encoding="utf-8") == (
        "path,label,probability,unsure,possible,error\n"
        'page.jpg,,,,,"is an HTML page, not a photo"\n'
        "\\xff.jpg,dog,1.0,no,,\n"
        "u.png,cat,0.6,yes,cat|dog,\n"
    )


def test_labels_with_the_separator_stay_apart(tmp_path: Path) -> None:
    """In CSV, where a list is one text; read back by splitting at a bar that is not escaped."""
    labels = ("a|b", "c", "d\\", "e\\|f")
    some = dataclasses.replace(UNSURE, possible=labels)
    list(write_predictions([some], tmp_path / "p.csv", 1, EXTRA))
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["possible"] == r"a\|b|c|d\\|e\\\|f"
    parts = re.findall(r"((?:\\.|[^|\\])+)", row["possible"])
    assert tuple(re.sub(r"\\(.)", r"\1", part) for part in parts) == labels


def test_json_lines_with_unsure_photos(tmp_path: Path) -> None:
    lines = with_doubt(tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()
    assert [[json.loads(line)[name] for name in EXTRA] for line in lines] == [
        [None, None], [False, []], [True, ["cat", "dog"]],
    ]  # fmt: skip


def test_parquet_with_unsure_photos(tmp_path: Path) -> None:
    rows = pq.read_table(with_doubt(tmp_path / "p.parquet")).to_pylist()
    assert list(rows[0]) == ["path", "label", "probability", "unsure", "possible", "error"]
    assert [[row[name] for name in EXTRA] for row in rows] == [
        [None, None], [False, []], [True, ["cat", "dog"]],
    ]  # fmt: skip


def test_only_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    list(write_predictions([UNSURE], tmp_path / "p.csv", 1, ("unsure",)))
    header, row = (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()
    assert (header, row) == ("path,label,probability,unsure,error", "u.png,cat,0.6,yes,")


STRANGE = [
    BROKEN,
    Prediction("a.jpg", "cat", 0.9, (("cat", 0.9),), strangeness=0.51234),
    Prediction("b.jpg", "cat", 0.9, (("cat", 0.9),), strangeness=1.2),
]


def test_strange_photos_in_every_format(tmp_path: Path) -> None:
    for name in ("p.csv", "p.jsonl", "p.parquet"):
        list(write_predictions(STRANGE, tmp_path / name, 1, ("strangeness", "strange")))
    assert (tmp_path / "p.csv").read_text() == (
        "path,label,probability,strangeness,strange,error\n"
        'page.jpg,,,,,"is an HTML page, not a photo"\n'
        "a.jpg,cat,0.9,0.5123,no,\n"
        "b.jpg,cat,0.9,1.2,yes,\n"
    )
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    for found in (lines, rows):
        assert [(row["strangeness"], row["strange"]) for row in found] == [
            (None, None), (0.5123, False), (1.2, True),
        ]  # fmt: skip
