"""classeur predict: what it takes, where the answers go, and going on after a kill."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import Site

from classeur.inference.predictor import Prediction, Predictor
from classeur.models import device
from classeur.run_folder import RunFolder, locked

Command = Callable[..., Any]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class Stdin:
    """Standard input with something in it."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_a_list_a_pattern_and_a_url(
    classeur: Command, run: RunFolder, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [photos / "light" / "1.png", "gone.jpg"]
    monkeypatch.setattr(sys, "stdin", Stdin("\n".join(map(str, listed)).encode()))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Site() as site:
        site.files["a.png"] = (photos / "dark" / "0.png").read_bytes()
        shown = classeur(
            "predict", run.path, "-", photos / "li*" / "1?.png", site.address + "a.png"
        )
    rows = rows_of(shown.out)
    assert [row["path"] for row in rows[:2]] == [str(path) for path in listed]
    assert rows[-1]["path"] == site.address + "a.png"
    assert [row["label"] for row in rows] == ["light", "", *["light"] * 10, "dark"]
    assert rows[1]["error"] == "does not exist"
    assert shown.code == 3


def test_it_says_how_fast_it_was(classeur: Command, run: RunFolder, photos: Path) -> None:
    shown = classeur("predict", run.path, photos)
    number, unit = r"[\d,]+(?:\.\d)?", r"(?:s|min \d\d s)"
    assert re.fullmatch(
        rf"40 photos classified, 0 could not be read; in {number} {unit}, {number} photos/s\n",
        shown.err,
    )


@pytest.mark.parametrize("how", ["--link", "--move", None])
def test_sorting_into_class_folders(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path, how: str | None
) -> None:
    pile, into = tmp_path / "pile", tmp_path / "pile" / "sorted"
    pile.mkdir()
    for label in ("dark", "light"):
        (pile / f"{label}.png").write_bytes((photos / label / "0.png").read_bytes())
    (pile / "page.jpg").write_text("<html></html>")
    arguments = [pile, "--sort-into", into, *([how] if how else [])]
    shown = classeur("predict", run.path, *arguments)
    assert (shown.code, shown.out) == (3, "")
    assert shown.told == (
        "2 photos classified, 1 could not be read\n"
        f"{pile / 'page.jpg'}: is an HTML page, not a photo\n"
        f"sorted into {into}: dark 1, light 1, unreadable 1\n"
    )
    found = [p.relative_to(into).as_posix() for p in into.rglob("*.*g")]
    assert sorted(found) == ["dark/dark.png", "light/light.png", "unreadable/page.jpg"]
    assert (into / "dark" / "dark.png").is_symlink() == (how == "--link")
    assert len(list(pile.glob("*.*g"))) == (0 if how == "--move" else 3)
    again = classeur("predict", run.path, *arguments)
    if how == "--move":
        assert again.err == f"error: no photos in {pile}.\n"
    else:
        assert again.told == shown.told
        assert len(list(into.rglob("*.*g"))) == 3


def test_unsure_photos_have_a_folder_and_a_file_of_rows(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    options = ["--sort-into", tmp_path / "s", "-o", tmp_path / "p.csv", "--abstain-below", 0.999999]
    shown = classeur("predict", run.path, photos / "dark" / "0.png", *options)
    assert (tmp_path / "s" / "unsure" / "0.png").is_file()
    assert [row["unsure"] for row in rows_of((tmp_path / "p.csv").read_text())] == ["yes"]
    assert shown.err.endswith("s: unsure 1\n")


def test_a_folder_that_another_process_sorts_into(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    into = tmp_path / "s"
    into.mkdir()
    with locked(into):
        shown = classeur("predict", run.path, photos, "--sort-into", into, "-o", tmp_path / "p.csv")
    assert f"is at work on {into}. Wait for it" in shown.err
    assert list(tmp_path.glob("p.csv*")) == []


def test_a_photo_that_is_not_sorted_shows_in_the_exit_code(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    options = ["--sort-into", tmp_path / "s", "--move"]
    shown = classeur("predict", run.path, photos / "dark" / "0.png", *options)
    assert shown.code == 3
    assert "0.png is not sorted: it may not be removed from its folder\n" in shown.err
    assert shown.err.endswith("s: none; 1 stayed where they are\n")


def test_class_names_that_are_no_folder_names(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    text = run.model.read_text()
    run.model.write_text(text.replace('"dark"', '"a/b"').replace('"light"', '"unsure"'))
    shown = classeur("predict", run.path, photos, "--sort-into", tmp_path / "s", "--link")
    assert shown.told.splitlines() == [
        'the folder of the class "a/b" is "a_b"',
        'the folder of the class "unsure" is "unsure (2)"',
        "40 photos classified, 0 could not be read",
        f"sorted into {tmp_path / 's'}: a_b 20, unsure (2) 20",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--link", "--move", "--sort-into", "s"], "give either --link or --move."),
        (["--move"], "--link and --move need --sort-into."),
        (["--move", "--sort-into", "s", "--figure", "a.png"], "--figure is drawn at the end, when"),
        (["--resume"], "--resume needs --output: a file to go on with."),
        (["--resume", "-o", "p.parquet"], "--resume cannot go on with .parquet, which is of no"),
        (["--resume", "-o", "p.csv", "--figure", "a.png"], "--resume goes on with a file of rows "),
        (["--resume", "-o", "p.csv", "--explain", "d"], "leave out --explain and --figure."),
    ],
)
def test_options_that_contradict_each_other(
    classeur: Command, run: RunFolder, photos: Path, options: list[str], message: str
) -> None:
    shown = classeur("predict", run.path, photos, *options)
    assert (shown.code, shown.out) == (2, "")
    assert message in shown.err
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_new_photos_in_a_finished_file(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    classeur("predict", run.path, photos / "dark", "-o", file, "--resume")
    shown = classeur("predict", run.path, photos, "-o", file, "--resume")
    assert (shown.code, shown.told) == (
        0, "20 photos classified, 0 could not be read; 20 had a row already\n"
    )  # fmt: skip
    listed = [str(path) for label in ("dark", "light") for path in (photos / label).iterdir()]
    lines = file.read_text().splitlines()[name == "p.csv" :]
    found = [json.loads(line)["path"] for line in lines] if name == "p.jsonl" else [
        line.partition(",")[0] for line in lines
    ]  # fmt: skip
    assert sorted(found) == sorted(listed)
    for options, said in ((["--top-k", 1], "top_k 2, now 1"),
                          (["--abstain-below", 0.6], "abstain_below none, now 0.6")):  # fmt: skip
        shown = classeur("predict", run.path, photos, "-o", file, "--resume", *options)
        assert shown.code == 1
        assert said in shown.err


def wait_for_rows(file: Path, count: int) -> None:
    end = time.monotonic() + 60
    while not (file.exists() and file.read_bytes().count(b"\n") > count):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--link", "--move"])
def test_a_killed_process_is_gone_on_with(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path, how: str
) -> None:
    pile, file, into = tmp_path / "pile", tmp_path / "p.csv", tmp_path / "s"
    pile.mkdir()
    for photo in photos.rglob("*.png"):
        (pile / f"{photo.parent.name}{photo.name}").write_bytes(photo.read_bytes())
    listed = sorted(pile.iterdir())
    options = ["-o", str(file), "--sort-into", str(into), how, "--batch-size", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "classeur", "predict", str(run.path), "-", *options],
        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write("".join(f"{path}\n" for path in listed[:-3]).encode())
    process.stdin.flush()
    part = tmp_path / "p.csv.part"
    wait_for_rows(part, 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    there = part.read_bytes().count(b"\n") - 1
    last = part.read_text().splitlines()[-1].partition(",")[0]
    brought = next(into.rglob(Path(last).name), None)
    if brought is not None and how == "--link":  # as if the kill had come between row and photo
        brought.unlink()
    part.write_bytes(part.read_bytes() + b'"torn')
    shown = classeur("predict", run.path, pile, *options, "--resume")
    assert f"{40 - there} photos classified" in shown.err
    rows = rows_of(file.read_text())
    assert sorted(row["path"] for row in rows) == [str(path) for path in listed]
    assert len([*into.rglob("*.png")]) == 40
    assert len([*pile.iterdir()]) == (0 if how == "--move" else 40)


def test_a_file_name_forges_no_line(classeur: Command, run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "a\n3 photos classified.jpg").touch()
    shown = classeur("predict", run.path, tmp_path)
    assert shown.told.splitlines() == [
        "0 photos classified, 1 could not be read",
        f"{tmp_path}/a\\n3 photos classified.jpg: is empty (0 bytes)",
    ]


@pytest.mark.parametrize("name", ["predict", "evaluate"])
def test_freed_memory_is_kept(
    classeur: Command, run: RunFolder, photos: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(device, "keep_freed_memory", lambda: calls.append(name))
    classeur(name, run.path, *([photos] if name == "predict" else []))
    assert calls == [name]


def test_an_interrupted_prediction_says_how_to_go_on(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    whole = Predictor.predict

    def stopped(self: Predictor, *args: Any, **options: Any) -> Iterator[Prediction]:
        yield from itertools.islice(whole(self, *args, **options), 9)
        raise KeyboardInterrupt

    output = tmp_path / "answers.csv"
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "predict", stopped)
        shown = classeur("predict", run.path, photos, "-o", output)
        assert shown.code == 130
        assert shown.told.splitlines()[-1] == (
            f"interrupted; its rows are in {output}.part: go on with the same command and --resume"
        )
        assert classeur("predict", run.path, photos).told.splitlines()[-1] == "interrupted"
        (tmp_path / "b.parquet.part").write_text("of somebody else")
        shown = classeur("predict", run.path, photos, "-o", tmp_path / "b.parquet")
        assert shown.told.splitlines()[-1] == "interrupted"
        other = tmp_path / "c.csv"
        shown = classeur("predict", run.path, photos, "-o", other, "--figure", tmp_path / "c.png")
        assert shown.told.splitlines()[-1] == (
            f"interrupted; its rows are in {other}.part: go on with --resume, without --explain "
            "and --figure"
        )
    shown = classeur("predict", run.path, photos, "-o", output, "--resume")
    assert (shown.code, shown.told) == (
        0, "31 photos classified, 0 could not be read; 9 had a row already\n"
    )  # fmt: skip
