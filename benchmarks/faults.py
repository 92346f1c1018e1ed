"""Kills a study with `kill -9` at random points, resumes it, and compares what it made.

Claim: a study that was killed, however often and wherever, ends with the binder of one that was
left alone: the same weights, predictions, figures and words; only times, and the openings of the
test split, which are counted, may differ.

    .venv/bin/python benchmarks/faults.py --kills 20

Work: digits-like drawn photos, three rungs of five epochs, in an empty cache each time. A study is
killed, called again, killed again, until it is finished; then it is compared with one that nobody
disturbed, and the next begins. Half of the kills fall at a random time, half on the moment when a
file appears. Killed are the study and its rung together, the study alone, or the rung alone.
n: 20 kills. Time: 10 minutes on 2 quiet cores. Hardware: any.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from classeur.evaluation.openings import openings_of
from classeur.run_folder import RunFolder

RUNGS = ("dense", "conv1", "conv3")
EPOCHS = 5
WAYS = ("study and rung", "study", "rung")
MOMENTS = (
    "manifest.csv", "study.toml", "{}/config.toml", "{}/environment.json", "{}/state.pt",
    "{}/model.safetensors", "{}/training.json", "{}/test_openings.jsonl", "{}/predictions.parquet",
    "{}/metrics.json", "{}/report.html", "comparison.json", "index.html",
)  # fmt: skip
"""Files at whose appearance a kill may fall."""


@dataclass
class Record:
    """What was injected, and what came of it."""

    injected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(way, stage) -> kills."""
    studies: int = 0
    differences: list[str] = field(default_factory=list)
    openings: Counter[int] = field(default_factory=Counter)
    """Openings of the test split -> runs."""
    strays: Counter[str] = field(default_factory=Counter)
    """Files left over in finished studies."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="classeur-faults-") as scratch:
        show(disturb(args.kills, args.seed, Path(scratch)))


def disturb(kills: int, seed: int, scratch: Path) -> Record:
    """Kill studies until it has been done often enough; return what was seen."""
    photos = draw_photos(scratch / "photos")
    draw, record = random.Random(seed), Record()
    started = time.monotonic()
    calm = Calls(photos, scratch / "calm")
    code, messages = calm.wait(calm.start())
    if code:
        sys.exit(f"the undisturbed study failed: {messages}")
    takes, expected = time.monotonic() - started, content(calm.folder)
    while sum(record.injected.values()) < kills:
        study = Calls(photos, scratch / f"killed-{record.studies}")
        while True:
            process = study.start()
            left = kills - sum(record.injected.values())
            killed = left > 0 and strike(process, study.folder, takes, draw, record)
            code, messages = study.wait(process)
            if not killed and code == 0:
                break
            if not killed:
                sys.exit(f"a study that was killed cannot go on: exit code {code}: {messages}")
        record.studies += 1
        record.differences += compare(expected, content(study.folder))
        record.openings.update(openings(study.folder).values())
        record.strays.update(strays(study.folder, calm.folder))
    return record


class Calls:
    """Calls of `classeur study` with one folder and one cache."""

    def __init__(self, photos: Path, folder: Path) -> None:
        self.folder, self._cache = folder, folder.with_name(folder.name + "-cache")
        options = {"epochs": EPOCHS, "size": 24, "batch-size": 16, "device": "cpu"}
        self._command = [sys.executable, "-m", "classeur", "study", str(photos)]
        self._command += ["--rungs", ",".join(RUNGS), "--to", str(folder)]
        self._command += [f"--{name}={value}" for name, value in options.items()]

    def start(self) -> subprocess.Popen[str]:
        """Call the command."""
        environment = {**os.environ, "CLASSEUR_CACHE": str(self._cache), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            self._command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip

    def wait(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Return the exit code and what was said."""
        _, messages = process.communicate(timeout=1800)
        return process.returncode, messages


def strike(
    process: subprocess.Popen[str], folder: Path, takes: float, draw: random.Random, record: Record
) -> bool:
    """Kill a study at a random point; return whether it was still alive."""
    way = draw.choice(WAYS)
    coming = [name for rung in RUNGS for moment in MOMENTS
              if not (folder / (name := moment.format(rung))).exists()]  # fmt: skip
    at_moment, moment = draw.random() < 0.5, draw.choice(coming)
    left = sum(not (folder / rung / "report.html").exists() for rung in RUNGS)
    deadline = time.monotonic() + draw.uniform(0, takes * (1 + left) / (1 + len(RUNGS)))
    while process.poll() is None:
        if (folder / moment).exists() if at_moment else time.monotonic() > deadline:
            break
        time.sleep(0.001 if at_moment else 0.01)
    while not (rungs := children(process.pid)) and way == "rung" and process.poll() is None:
        time.sleep(0.01)
    if process.poll() is not None:
        return False
    stage = stage_of(folder)
    if way == "study and rung":
        os.kill(process.pid, signal.SIGSTOP)  # or it would see its rung die, and go on
    if way != "study":
        for rung in rungs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rung, signal.SIGKILL)
    if way != "rung":
        os.kill(process.pid, signal.SIGKILL)
        while any(is_alive(rung) for rung in rungs):
            time.sleep(0.01)
    record.injected[way, stage] += 1
    print(f"kill -9 {way}: {stage}", file=sys.stderr, flush=True)
    return True


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def stage_of(folder: Path) -> str:
    """Return in words how far a study has come."""
    if not (folder / "study.toml").exists():
        return "before the first rung"
    for rung in RUNGS:
        run = folder / rung
        if (run / "report.html").exists():
            continue
        if (run / "metrics.json").exists():
            return "writing a sheet"
        if (run / "training.json").exists():
            return "scoring"
        return "training" if (run / "state.pt").exists() else "starting a rung"
    return "writing the binder"


# ------------------------------------------------------------------------------- what must agree


def content(folder: Path) -> dict[str, Any]:
    """Return what a study made, without times and what was measured of the machine."""
    made: dict[str, Any] = {}
    for name in ("manifest.csv", "inspection.json", "study.toml"):
        made[name] = digest(folder / name)
    made["comparison.json"] = without(folder / "comparison.json", "seconds", "openings")
    for name in ("report.md", "index.html"):
        made[name] = timeless(folder / name, folder)
    for rung in RUNGS:
        run = folder / rung
        for name in ("config.toml", "manifest.csv", "model.json", "model.safetensors",
                     "predictions.parquet"):  # fmt: skip
            made[f"{rung}/{name}"] = digest(run / name)
        made[f"{rung}/metrics.json"] = without(run / "metrics.json", "latency_ms")
        made[f"{rung}/training.json"] = without(run / "training.json", "seconds", "peak_memory")
        with (run / "history.csv").open(newline="") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
        made[f"{rung}/history.csv"] = [{k: v for k, v in r.items() if k != "seconds"} for r in rows]
        made[f"{rung}/report.md"] = timeless(run / "report.md", folder)
    return made


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


def without(path: Path, *names: str) -> Any:
    """Return a JSON file without some keys, however deep, and sentences that count openings."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in names}
        if isinstance(value, list):
            return [
                strip(v) for v in value if not (isinstance(v, str) and "split has been read" in v)
            ]
        return value

    return strip(json.loads(path.read_text())) if path.exists() else "missing"


def timeless(path: Path, folder: Path) -> str:
    """Return the words of a page, without what is measured of the machine or counts openings."""
    page = path.read_text().replace(str(folder), "FOLDER") if path.exists() else "missing"
    page = re.sub(r"<svg.*?</svg>", "", page, flags=re.S)
    return re.sub(r"\d[\d.,–:]*", "#", "\n".join(
        line for line in page.splitlines()
        if not re.search(r"second|minute|\bms\b|\bs\b|MB|GB|memory|opened|UTC|opening", line)
    ))  # fmt: skip


def compare(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Name what differs."""
    return [name for name in expected if expected[name] != found.get(name)]


def openings(folder: Path) -> dict[str, int]:
    """Return rung -> how often its test split was opened, as it is recorded."""
    return {rung: len(openings_of(RunFolder(folder / rung))) for rung in RUNGS}


def strays(folder: Path, calm: Path) -> list[str]:
    """Return files of a study that an undisturbed one has not."""
    names = {str(p.relative_to(calm)) for p in calm.rglob("*")}
    return [
        re.sub(r"[a-z0-9_]{8}$", "*", str(p.relative_to(folder)))
        for p in folder.rglob("*") if str(p.relative_to(folder)) not in names
    ]  # fmt: skip


def show(record: Record) -> None:
    print("injected (kill -9 of)   at                      times")
    for (way, stage), times in sorted(record.injected.items()):
        print(f"{way:23} {stage:23} {times}")
    print(
        f"{sum(record.injected.values())} kills over {record.studies} studies of {len(RUNGS)} rungs"
    )
    print("lost or different:", ", ".join(record.differences) or "nothing")
    print("openings of the test split -> runs:", dict(sorted(record.openings.items())))
    print("files left over:", dict(record.strays) or "none")
    sys.exit(bool(record.differences))


def draw_photos(folder: Path, per_class: int = 20) -> Path:
    """Bright bars at the left, in the middle and at the right, on noise; one file is broken."""
    noise = np.random.default_rng(0)
    for position, label in enumerate(("left", "middle", "right")):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            pixels = noise.integers(0, 160, (24, 24, 3)).astype(np.uint8)
            pixels[:, 8 * position : 8 * position + 8] += 60
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    (folder / "left" / "broken.jpg").write_bytes(b"<html>not found</html>")
    return folder


if __name__ == "__main__":
    main()
