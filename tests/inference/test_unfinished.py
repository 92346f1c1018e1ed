"""An output file that a killed process left, and going on with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from classeur.errors import ClasseurError, InferenceError
from classeur.inference.output import columns_of, write_predictions
from classeur.inference.predictor import Prediction
from classeur.inference.unfinished import begin, fingerprint, note_of, part_of
from classeur.run_folder import RunFolder

FACTS = {"run": "a" * 64, "top_k": 1, "max_error": None}
EXTRA = ("unsure", "strange")
NAMES = ["p.csv", "p.jsonl"]


def answer(path: str, **facts: Any) -> Prediction:
    return Prediction(path, "cat", 0.5, (("cat", 0.5),), **facts)


ROWS = [
    answer('odd "a",\n\r.jpg', unsure=True), answer("b.jpg", strangeness=7.0),
    Prediction("c.jpg", error="is cut off"), answer("d\udce9.jpg"),
]  # fmt: skip
PATHS = ['odd "a",\n\r.jpg', "b.jpg", "c.jpg", "d\\xe9.jpg"]


def write(
    path: Path, rows: Iterable[Prediction], *, resume: bool = False, facts: Any = FACTS
) -> None:
    begun = begin(path, columns_of(path, 1, EXTRA), facts, resume=resume)
    list(write_predictions(rows, path, 1, EXTRA, begun))


def stopped(path: Path, rows: list[Prediction] = ROWS) -> bytes:
    """Leave what a process leaves that is killed after some rows; return the part file."""

    def killed() -> Iterable[Prediction]:
        yield from rows
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, killed())
    return part_of(path).read_bytes()


def whole(path: Path) -> bytes:
    write(path.with_name("whole" + path.suffix), ROWS)
    return path.with_name("whole" + path.suffix).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_off_anywhere_is_gone_on_with(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content, full = stopped(path), whole(path)
    assert content == full
    for length in range(len(content)):
        part_of(path).write_bytes(content[:length])
        note_of(path).write_text(json.dumps({**FACTS, "columns": columns_of(path, 1, EXTRA)}))
        begun = begin(path, columns_of(path, 1, EXTRA), FACTS, resume=True)
        assert begun.done == set(PATHS[: len(begun.done)])
        rest = ROWS[len(begun.done) :]
        list(write_predictions(rest, path, 1, EXTRA, begun))
        assert path.read_bytes() == full, length
        path.unlink()


@pytest.mark.parametrize("name", NAMES)
def test_what_the_last_row_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for count, facts in ((1, (True, False, "")), (2, (False, True, "")),
                         (3, (False, False, "is cut off"))):  # fmt: skip
        stopped(path, ROWS[:count])
        begun = begin(path, columns_of(path, 1, EXTRA), FACTS, resume=True)
        begun.file.close()
        last = begun.last
        assert last is not None
        assert (last.path, last.label) == (PATHS[count - 1], "cat" if count < 3 else "")
        assert (last.unsure, last.is_strange, last.error) == facts
        part_of(path).unlink()


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_a_stopped_run_are_not_thrown_away(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = stopped(path)
    with pytest.raises(InferenceError) as raised:
        write(path, ROWS)
    assert str(raised.value) == (
        f"{path}.part holds the rows of a run that did not end. Go on with --resume, or remove it "
        "first."
    )
    assert part_of(path).read_bytes() == content


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_stopped_before_its_first_row_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        stopped(tmp_path / name, [])
    assert list(tmp_path.iterdir()) == []
    part_of(tmp_path / name).write_text("path,lab" if name == "p.csv" else '{"path": "a')
    write(tmp_path / name, ROWS)  # of a kill before that, no row is kept
    assert (tmp_path / name).read_bytes() == whole(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_a_finished_file_takes_new_photos(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, ROWS[:2], resume=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, f"{name}.run.json"]
    write(path, ROWS[2:], resume=True)
    assert path.read_bytes() == whole(path)
    write(path, [], resume=True)
    assert path.read_bytes() == whole(path)


def test_a_finished_file_that_nobody_vouches_for(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    write(path, ROWS)
    with pytest.raises(InferenceError) as raised:
        write(path, ROWS, resume=True)
    assert str(raised.value) == (
        f"{path} cannot be gone on with: no p.csv.run.json says which run it is of; a file "
        "that was finished without --resume has none. Choose another file, or leave out --resume "
        "to write it anew."
    )
    path.unlink()
    write(path, ROWS, resume=True)
    path.write_bytes(path.read_bytes() + b"x\n")
    with pytest.raises(InferenceError, match=r"p\.csv is not as the run of p\.csv\.run\.json left"):
        write(path, ROWS, resume=True)


def test_the_note_of_another_part_vouches_for_nothing(tmp_path: Path) -> None:
    """An old file, and the note of a newer run whose part somebody removed."""
    path = tmp_path / "p.csv"
    write(path, ROWS, facts={**FACTS, "run": "b" * 64})
    stopped(path)
    part_of(path).unlink()
    with pytest.raises(InferenceError, match=r"p\.csv is not as the run of p\.csv\.run\.json left"):
        write(path, ROWS, resume=True)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_another_run_or_other_options(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = stopped(path)
    with pytest.raises(InferenceError) as raised:
        write(path, ROWS, resume=True, facts={"run": "b" * 64, "top_k": 1, "max_error": 0.01})
    assert str(raised.value) == (
        f"{path}.part is of another run or has other options: run aaaaaaaaaaaa…, now "
        "bbbbbbbbbbbb…; max_error none, now 0.01. Give those, or choose another file."
    )
    assert part_of(path).read_bytes() == content


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_other_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    stopped(path)
    with pytest.raises(
        InferenceError, match=r"p\.\w+\.part, row 1, cannot be gone on with: it has"
    ):
        begin(path, columns_of(path, 1), FACTS, resume=True)
    start = "path," if name == "p.csv" else '{"path": '
    part_of(path).write_text(f"{start}\nelse\n")
    with pytest.raises(InferenceError, match=r"Expected the columns path, label, probability, "):
        begin(path, columns_of(path, 1), FACTS, resume=True)
    for content in ("x" * 70_000, start + "x" * (1 << 24)):
        part_of(path).write_text(content)
        for resume in (True, False):
            with pytest.raises(InferenceError, match=r"holds no rows of predict"):
                begin(path, columns_of(path, 1), FACTS, resume=resume)
        assert part_of(path).read_text() == content


@pytest.mark.parametrize("odd", ['a"b.jpg', '"a.jpg'])
@pytest.mark.parametrize("before", [0, 1])
def test_one_odd_quote_costs_no_rows(tmp_path: Path, odd: str, before: int) -> None:
    path = tmp_path / "p.csv"
    content = stopped(path, [*ROWS[:before], answer("odd"), *ROWS[1:]])
    damaged = content.replace(b"odd,", f"{odd},".encode())
    part_of(path).write_bytes(damaged)
    with pytest.raises(InferenceError) as raised:
        write(path, ROWS, resume=True)
    assert str(raised.value) == (
        f"{path}.part, row {before + 2}, has a quote without its end, and rows after it that would "
        "be lost. Mend that row, or choose another file."
    )
    with pytest.raises(InferenceError, match=r"holds the rows of a run that did not end"):
        write(path, ROWS)
    assert part_of(path).read_bytes() == damaged


@pytest.mark.parametrize("name", NAMES)
def test_a_row_however_long_is_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    long = [answer("\udce9" * 50_000), answer("long.jpg", error="x\0" * 100_000), *ROWS]
    content = stopped(path, long)
    write(path, long[len(begin_again(path)) :], resume=True)
    assert path.read_bytes() == content


def begin_again(path: Path) -> set[str]:
    begun = begin(path, columns_of(path, 1, EXTRA), FACTS, resume=True)
    begun.file.close()
    return begun.done


RUBBISH = ["5", '["path"]', "null", "[" * 100_000, "9" * 10_000]


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_a_note_that_is_rubbish(tmp_path: Path, rubbish: str) -> None:
    path = tmp_path / "p.csv"
    stopped(path)
    note_of(path).write_text(rubbish)
    with pytest.raises(ClasseurError, match=r"p\.csv\.run\.json (cannot be read as|does not say)"):
        begin(path, columns_of(path, 1, EXTRA), FACTS, resume=True)


WRONG = {"path": "a", "label": None, "probability": None, "top": [], "error": None}


@pytest.mark.parametrize(
    "rubbish", [*RUBBISH, *(json.dumps(WRONG | {key: [1]}) for key in ("path", "label", "error")),
                json.dumps(list(WRONG)), json.dumps(WRONG | {"path": ""})],
)  # fmt: skip
def test_rows_that_are_rubbish(tmp_path: Path, rubbish: str) -> None:
    path = tmp_path / "p.jsonl"
    part_of(path).write_text(f"{json.dumps(WRONG)}\n{rubbish}\n")
    with pytest.raises(InferenceError, match=r"jsonl\.part, row 2, cannot be gone on with: "):
        begin(path, columns_of(path, 1), FACTS, resume=True)
    part_of(path).write_text(f"{rubbish}\n")
    with pytest.raises(InferenceError, match=r"holds no rows|cannot be gone on with"):
        begin(path, columns_of(path, 1), FACTS, resume=True)


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    begun = begin(path, columns_of(path, 1), FACTS)
    with pytest.raises(InferenceError, match=r"another process is writing .*p\.csv\.part\. Wait"):
        begin(path, columns_of(path, 1), FACTS, resume=True)
    begun.file.close()


def test_a_run_is_known_by_what_answers(run: RunFolder, tmp_path: Path) -> None:
    before = fingerprint(run.path)
    assert before == fingerprint(run.path)
    for file in (run.weights, run.model):
        kept = file.read_bytes()
        file.write_bytes(kept + b" ")
        assert fingerprint(run.path) != before
        file.write_bytes(kept)
    (tmp_path / "a.onnx").write_bytes(b"network")
    assert fingerprint(tmp_path / "a.onnx") != before
