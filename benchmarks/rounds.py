"""Contenders take turns, each in a process of its own, and a table says how they compare.

Machines that others use too, and laptops that grow warm, are slower at one time than at another.
So the contenders alternate (A B C A B C …) instead of each having its own quarter of an hour, and
what is compared is a low quantile of the times: a stall adds to a time and never takes away.

A contender is a command that prints one line of JSON: {"with": "torch 2.13.0", "seconds": [...]}.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

CONTENDERS = Path(__file__).parent / "contenders"
DEFAULT_PEERS = Path(".venv-peers/bin/python")


@dataclass
class Contender:
    """Somebody who does the same work, and how long it took."""

    name: str
    script: str
    """File in `contenders/`."""
    python: str = sys.executable
    software: str = ""
    """Versions, as the contender prints them."""
    rounds: list[list[float]] = field(default_factory=list)
    """Seconds that each piece of work took, a list a round."""

    def take_turn(self, options: Sequence[str]) -> None:
        """Start the contender, wait until it is done, and note its times."""
        command = [self.python, str(CONTENDERS / self.script), *options]
        quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{self.name} failed ({' '.join(command)}):\n{done.stderr}")
        answer = json.loads(done.stdout.splitlines()[-1])
        self.software = answer["with"]
        self.rounds.append(answer["seconds"])

    def seconds(self, quantile: float) -> float:
        """Return a quantile of the times of all rounds together."""
        return float(np.quantile(np.concatenate(self.rounds), quantile))


def with_peers(own: list[Contender], peers: list[Contender]) -> list[Contender]:
    """Return all contenders whose Python is there, and say which are left out."""
    absent = [peer for peer in peers if not Path(peer.python).exists()]
    for peer in absent:
        print(f"{peer.name} is left out: {peer.python} is not there. See benchmarks/README.md.")
    return own + [peer for peer in peers if peer not in absent]


def play(contenders: Sequence[Contender], options: Sequence[str], rounds: int) -> None:
    """Let every contender take its turn in every round."""
    for number in range(rounds):
        for contender in contenders:
            print(
                f"\rround {number + 1} of {rounds}: {contender.name:<20}", end="", file=sys.stderr
            )
            contender.take_turn(options)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)


def conditions(**counts: int) -> str:
    """Return what the figures depend on: date, hardware, versions, and how often."""
    ours = ", ".join(f"{name} {version(name)}" for name in ("classeur", "torch", "pillow", "numpy"))
    load = f"load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    often = ", ".join(f"{count} {name}" for name, count in counts.items())
    hardware = f"{_processor()}, {os.cpu_count()} cores, {load}"
    return f"{date.today()}. {hardware}.\nPython {platform.python_version()}, {ours}. {often}."


def table(contenders: Sequence[Contender], photos: int, quantile: float) -> str:
    """Return the rows as Markdown; the first contender is the one that the others are held to.

    Args:
        contenders: after their rounds.
        photos: how many photos one piece of work is.
        quantile: of all times, the one to compare. 0: the fastest.
    """
    head = ("", "photos a second", "Classeur is", "lowest to highest round", "with")
    rows = [_row(contenders[0], contender, photos, quantile) for contender in contenders]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ("---",) * len(head), *rows])


def _row(ours: Contender, theirs: Contender, photos: int, quantile: float) -> tuple[str, ...]:
    speed = f"{photos / theirs.seconds(quantile):.0f}"
    if theirs is ours:
        return (theirs.name, speed, "", "", theirs.software)
    ratio = f"**{theirs.seconds(quantile) / ours.seconds(quantile):.2f} ×** as fast"
    by_round = [
        float(np.quantile(their_round, quantile) / np.quantile(our_round, quantile))
        for our_round, their_round in zip(ours.rounds, theirs.rounds, strict=True)
    ]
    spread = f"{min(by_round):.2f} to {max(by_round):.2f}"
    return (theirs.name, speed, ratio, spread, theirs.software)


def _processor() -> str:
    """Return the name of the processor, where the system tells it."""
    try:
        facts = dict(_facts_of(Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    except OSError:
        facts = {}
    return facts.get("model name") or platform.processor() or platform.machine()


def _facts_of(text: str) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
