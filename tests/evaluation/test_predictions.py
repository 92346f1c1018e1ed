"""What a run says of each photo, to disk and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classeur.errors import EvaluationError
from classeur.evaluation.predictions import Predictions, read_predictions

ODD = ["", " spaced ", "a,b", "a.b", 'quo"te', "label", "line\nbreak", "probability_x", "été 猫"]


@pytest.fixture
def predictions() -> Predictions:
    random = np.random.default_rng(0)
    return Predictions(
        [f"{i}.png" for i in range(12)],
        ["val", "test", "test"] * 4,
        random.integers(0, len(ODD), 12),
        random.dirichlet(np.ones(len(ODD)), 12).astype(np.float32),
        ODD,
    )


def assert_same(one: Predictions, other: Predictions) -> None:
    assert (one.paths, one.splits, one.class_names) == (
        other.paths, other.splits, other.class_names,
    )  # fmt: skip
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert (one.labels.dtype, one.probabilities.dtype) == (np.int64, np.float32)


def test_round_trip_with_odd_class_names(predictions: Predictions, tmp_path: Path) -> None:
    predictions.write(tmp_path / "p.parquet")
    assert_same(read_predictions(tmp_path / "p.parquet"), predictions)


def test_the_file_is_readable_without_classeur(predictions: Predictions, tmp_path: Path) -> None:
    predictions.write(tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    expected = ["path", "split", "label", "prediction", *(f"probability_{n}" for n in ODD)]
    assert table.column_names == expected
    assert table["label"].to_pylist() == [ODD[i] for i in predictions.labels]
    assert table["prediction"].to_pylist() == [ODD[i] for i in predictions.predicted]


def test_an_undecodable_file_name_is_written_as_text(tmp_path: Path) -> None:
    path = b"caf\xe9/\xff.png".decode("utf-8", "surrogateescape")
    one = Predictions(
        [path], ["test"], np.array([0]), np.array([[0.5, 0.5]], np.float32), ["a", "b"]
    )
    one.write(tmp_path / "p.parquet")
    assert read_predictions(tmp_path / "p.parquet").paths == [r"caf\xe9/\xff.png"]


def test_a_folder_named_like_a_partition_adds_nothing(
    predictions: Predictions, tmp_path: Path
) -> None:
    folder = tmp_path / "seed=3"
    folder.mkdir()
    predictions.write(folder / "p.parquet")
    assert_same(read_predictions(folder / "p.parquet"), predictions)


def test_derived_values() -> None:
    some = Predictions(
        ["a", "b", "c"],
        ["val", "test", "test"],
        np.array([0, 1, 1]),
        np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], np.float32),
        ["no", "yes"],
    )
    assert some.predicted.tolist() == [0, 0, 1]
    assert some.correct.tolist() == [True, False, True]
    np.testing.assert_allclose(some.confidence, [0.9, 0.6, 0.8])
    test = some.of_split("test")
    assert (test.paths, test.splits, test.labels.tolist()) == (["b", "c"], ["test"] * 2, [1, 1])
    assert test.correct.tolist() == [False, True]
    assert some.of_split("train").paths == []


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(EvaluationError) as raised:
        Predictions(["a"], ["val"], np.array([0, 1]), np.zeros((2, 3), np.float32), ["x", "y", "z"])
    assert str(raised.value) == (
        "predictions do not fit together: 1 paths, 2 labels, probabilities (2, 3), 3 classes."
    )
    with pytest.raises(EvaluationError, match=r"probabilities \(1, 3\), 2 classes"):
        Predictions(["a"], ["val"], np.array([0]), np.zeros((1, 3), np.float32), ["x", "y"])


def unreadable(path: Path) -> str:
    with pytest.raises(EvaluationError) as raised:
        read_predictions(path)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{path} cannot be read as predictions: ")
    return str(raised.value)


def test_a_missing_file(tmp_path: Path) -> None:
    unreadable(tmp_path / "gone.parquet")


@pytest.mark.parametrize("content", [b"", b"path,label\n1.png,cat\n" * 9])
def test_a_file_that_is_no_parquet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.parquet").write_bytes(content)
    unreadable(tmp_path / "p.parquet")


def test_a_table_of_something_else(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "p.parquet")
    unreadable(tmp_path / "p.parquet")


def test_a_label_that_is_no_class(predictions: Predictions, tmp_path: Path) -> None:
    predictions.write(tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    column = table.column_names.index("label")
    table = table.set_column(column, "label", pa.array(["stranger"] * 12))
    pq.write_table(table, tmp_path / "p.parquet")
    assert "stranger" in unreadable(tmp_path / "p.parquet")
