"""Data and run folders that come from somebody who wishes us ill."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import here

from classeur.api import inspect
from classeur.data.manifest import read_manifest
from classeur.errors import ClasseurError, DataError, RunFolderError
from classeur.evaluation.predictions import read_predictions
from classeur.models.classifier import Classifier
from classeur.report.inspection import write_inspection_page
from classeur.run_folder import RunFolder, append_json_line, locked
from classeur.study.score import evaluate
from classeur.study.study import run_study
from classeur.study.train import resume

__all__ = ["here"]

LABELS = (
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "=1+1|`{{ 7*7 }}`\x1b[31m",
)
NAME = "\"'><svg onload=document.title='owned'>\x1b[2J &amp; [a](javascript:alert(1))"
OPTIONS = {"epochs": 1, "size": 8, "batch_size": 8, "device": "cpu"}


@pytest.fixture(scope="module")
def evil(tmp_path_factory) -> Path:
    """A table of photos whose labels, and some names, are made of markup."""
    root = tmp_path_factory.mktemp("evil") / "<b>photos"
    root.mkdir()
    noise = np.random.default_rng(0)
    lines = ["path,label"]
    for number in range(30):
        name = f"{number} {NAME if number < 12 else ''}.png".replace("/", "_")
        Image.fromarray(noise.integers(0, 256, (8, 8, 3), np.uint8)).save(root / name)
        label = LABELS[number % 3].replace('"', '""')
        lines.append('"{}","{}"'.format(name.replace('"', '""'), label))
    (root / f"broken {NAME}.png".replace("/", "_")).write_bytes(b"<html>")
    lines.append('"{}",x'.format(f"broken {NAME}.png".replace('"', '""')))
    (root / "labels.csv").write_text("\n".join(lines))
    return root / "labels.csv"


class Elements(HTMLParser):
    """What a browser has made of a page: its elements, and what could run in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.running: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            is_picture = tag == "img" and name == "src" and (value or "").startswith("data:")
            is_call = name in ("href", "src") and "javascript:" in (value or "")
            if name.startswith("on") or is_call:
                self.running.append(f"{tag} {name}={value}")
            elif tag == "img" and name == "src" and not is_picture:
                self.running.append(f"img {value}")
        if tag in ("script", "iframe", "object", "embed", "base", "form"):
            self.running.append(tag)


def in_browser(page: Path, profile: Path) -> str:
    """Return the page as a browser has it after running whatever it would run."""
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_markup_in_labels_and_names_is_text_in_every_page(evil, here, tmp_path):
    study = run_study(evil, ("majority", "dense"), to=tmp_path / "binder", **OPTIONS)
    found = inspect(evil)
    assert [item.path for item in found.unreadable] == [f"broken {NAME}.png"]
    write_inspection_page(found, tmp_path / "inspection.html")
    pages = [study.binder, *study.folder.glob("*/report.html"), tmp_path / "inspection.html"]
    assert len(pages) == 4
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert Elements(text).running == []
        assert "&lt;script&gt;document.title=" in text
        assert "\x1b" not in text
        if shutil.which("chromium"):
            seen = in_browser(page, tmp_path / "profile")
            assert Elements(seen).running == []
            assert "<title>owned" not in seen
    for markdown in study.folder.rglob("report.md"):
        text = re.sub(r"^```.*?^```$", "", markdown.read_text(encoding="utf-8"), flags=re.M | re.S)
        assert "script" in text
        assert "<" not in text
    drawings = list(study.folder.rglob("*.svg"))
    assert drawings
    for drawing in drawings:
        assert Elements(drawing.read_text(encoding="utf-8")).running == []

    # And as data they are what they were: a table is for programs, and is read again.
    assert read_manifest(study.folder / "manifest.csv").class_names == sorted(LABELS)
    assert read_predictions(study.best.predictions).class_names == sorted(LABELS)


@pytest.fixture
def run(study, tmp_path) -> RunFolder:
    """A copy of a finished run, to be spoiled."""
    shutil.copytree(study.folder / "dense", tmp_path / "run")
    return RunFolder(tmp_path / "run")


def edit(run: RunFolder, section: str, **changes: object) -> None:
    facts = json.loads(run.model.read_text(encoding="utf-8"))
    facts[section] = {**facts[section], **changes}
    run.model.write_text(json.dumps(facts), encoding="utf-8")


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("preprocessing", {"size": 4096}, "bytes, received"),
        ("preprocessing", {"size": 10**9}, "size must be from 1 to 4096 pixels, received 10000"),
        ("preprocessing", {"size": True}, "size must be from 1 to 4096 pixels, received True."),
        ("preprocessing", {"crop_pct": 1e-9}, "crop_pct must be from 0.01 to 1, received 1e-09."),
        ("preprocessing", {"interpolation": "x"}, 'unknown interpolation "x".'),
        ("preprocessing", {"color": ["rgb"]}, "unknown color"),
        ("preprocessing", {"resize": "x"}, 'unknown resize "x".'),
        ("model", {"name": "resnet18", "head": "dense", "units": 10**12}, "bytes, received"),
        ("model", {"name": "vit_tiny_patch16_224", "arguments": ["depth=1000000"]},
         'arguments hold numbers up to 8192, received "depth=1000000".'),
        ("model", {"name": "resnet18", "arguments": ["checkpoint_path=/etc/passwd"]},
         "checkpoint_path is no argument of a network. Leave it out."),
        ("model", {"name": "resnet18", "arguments": ["pretrained=True"]},
         "pretrained is no argument of a network. Leave it out."),
        ("model", {"name": "hf-hub:somebody/something"}, "unknown model"),
    ],
)  # fmt: skip
def test_a_network_that_no_machine_could_hold_is_refused(run, section, changes, message):
    edit(run, section, **changes)
    with pytest.raises(RunFolderError, match=re.escape(message)):
        Classifier.load(run)


@pytest.mark.parametrize("names", ["ab", [1, 2, 3], None, [["a"], ["b"], ["c"]]])
def test_class_names_are_texts(run, names):
    facts = json.loads(run.model.read_text(encoding="utf-8"))
    run.model.write_text(json.dumps({**facts, "class_names": names}), encoding="utf-8")
    with pytest.raises(RunFolderError, match=re.escape("class_names must be a list of texts")):
        Classifier.load(run)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "left/../../x.png"])
def test_a_manifest_cannot_lead_out_of_the_photos(run, path):
    lines = run.manifest.read_text(encoding="utf-8").splitlines()
    lines[1] = path + lines[1][lines[1].index(",") :]
    run.manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(f'"{path}" leads out of the folder of photos.')):
        evaluate(run.path)


def test_a_manifest_shows_no_photo_that_its_writer_did_not_have(run, photos, tmp_path):
    """A run folder may name any folder of this machine; it must know each photo's hash."""
    secret = tmp_path / "secret" / "left"
    shutil.copytree(photos, secret.parent)
    for file in secret.iterdir():
        Image.new("RGB", (24, 24), "red").save(secret / file.name, "PNG")
    config = run.config.read_text(encoding="utf-8")
    run.config.write_text(config.replace(str(photos), str(secret.parent)), encoding="utf-8")
    run.report.unlink()
    with pytest.raises(DataError, match=r"have changed since: left/0\.png, left/1\.png"):
        resume(run.path)
    assert not run.report.exists()


def test_links_in_a_run_folder_are_not_written_through(run, tmp_path):
    """Neither emptied by the lock nor lengthened by an opening."""
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    for name in (".lock", "test_openings.jsonl"):
        (run.path / name).unlink(missing_ok=True)
        (run.path / name).symlink_to(mine)
    with pytest.raises(OSError, match="symbolic links"), locked(run.path):
        pass
    with pytest.raises(OSError, match="symbolic links"):
        append_json_line(run.test_openings, {})
    assert mine.read_text() == "precious"


def test_any_state_is_resumed_from_or_refused(run, study):
    """Bytes flipped in state.pt, which is a zip with a pickle in it that is never executed."""
    import torch

    from classeur.training.checkpoint import Progress, load_state, save_state
    from classeur.training.history import EpochRow

    def parts():
        network = torch.nn.Linear(3, 2)
        return network, torch.optim.Adam(network.parameters())

    save_state(run, *parts(), None, Progress([EpochRow(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)]))
    whole, noise = run.state.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        data = bytearray(whole)
        for place in noise.integers(0, len(data), noise.integers(1, 6)):
            data[place] = noise.integers(0, 256)
        run.state.write_bytes(
            data[: noise.integers(1, len(data))] if noise.random() < 0.2 else data
        )
        try:
            outcomes.add(type(load_state(run, *parts(), None)).__name__)
        except RunFolderError as error:
            outcomes.add(str(error).rpartition(". ")[2])
    assert outcomes == {"Progress", "Delete it to train the run from the start."}


@pytest.mark.parametrize("name", ["config.toml", "model.json", "metrics.json", "manifest.csv",
                                  "predictions.parquet", "model.safetensors"])  # fmt: skip
def test_a_spoiled_file_is_an_error_of_ours(run, name):
    """Whatever stands in a file of a run, evaluating it says what is wrong in a sentence."""
    whole, noise = (run.path / name).read_bytes(), np.random.default_rng(0)
    for _ in range(8):
        data = bytearray(whole)
        for place in noise.integers(0, min(len(data), 3000), 3):
            data[place] = noise.integers(0, 256)
        (run.path / name).write_bytes(data)
        with suppress(ClasseurError):
            evaluate(run.path, split="val")


def test_no_terminal_is_driven_by_a_name(tmp_path):
    root = tmp_path / "photos"
    for label in ("cats", "dogs"):
        (root / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / label / "1.png")
    (root / "cats" / "\x1b]0;owned\x07\x1b[31m\u202egnp.jpg").write_bytes(b"<html>")
    command = ["python", "-m", "classeur", "inspect", str(root)]
    out = in_terminal(command)
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\\x1b]0;owned\\x07\\x1b[31m\\u202egnp.jpg is an HTML page, not a photo" in out
    missing = in_terminal([*command[:-1], str(root) + "\x1b[31m"])
    assert "\\x1b[31m does not exist" in missing
    assert "\x1b" not in missing


def in_terminal(command: list[str]) -> str:
    """Return what a command shows on a terminal of its own."""
    import pty
    import sys

    shown = b""

    def read(handle: int) -> bytes:
        nonlocal shown
        data = os.read(handle, 1024)
        shown += data
        return data

    kept = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)  # pty.spawn copies what is shown there
    try:
        pty.spawn([sys.executable, *command[1:]], read, lambda _: b"")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)
    return shown.decode()
