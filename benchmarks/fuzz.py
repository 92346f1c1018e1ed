"""Tries hostile photos, folders, tables and arrays for as long as there is time.

Claim: whatever the bytes, the decoder gives a photo or a finding, and the scanner a listing or a
finding: never another exception, a crash, a hang, or more memory than is stated below.

    .venv/bin/python benchmarks/fuzz.py --minutes 15 --photos /path/to/photos

Each target is drawn by Hypothesis from `tests/hostile.py`, with another seed each round, in a
process of its own, of which MEMORY bounds the address space. An input that takes longer than
PATIENCE, or ends its process, is kept in the folder given by --keep, like one that raises.
Time: as told. Hardware: any; the slowest input depends on it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MEMORY = 6 << 30
"""Address space of the process that tries, in bytes."""
PATIENCE = 120
"""Seconds of processor time, or of waiting, after which an input counts as a hang."""
ROUND = 150
"""Seconds after which a target gets a new process and a new seed."""
SHARES = {"photos": 4, "folders": 2, "tables": 1, "arrays": 2}
"""Target -> rounds in each turn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--photos", type=Path, help="folder of real photos to damage, too")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--target", choices=SHARES, help="this one only")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        try_for(args.child, args.target, args.seed, args.keep, args.photos)
    else:
        fuzz(args)


def fuzz(args: argparse.Namespace) -> None:
    """Run rounds until the time is over; print a row a target."""
    args.keep.mkdir(parents=True, exist_ok=True)
    ends, seed = time.monotonic() + 60 * args.minutes, args.seed
    totals: dict[str, dict[str, Any]] = {}
    turn = [t for t, share in SHARES.items() for _ in range(share) if args.target in (None, t)]
    while time.monotonic() < ends:
        target = turn[(seed - args.seed) % len(turn)]
        result = one_round(target, seed, min(ROUND, ends - time.monotonic()), args)
        total = totals.setdefault(target, {"tried": 0, "slowest": 0.0, "peak": 0, "failed": 0})
        total["tried"] += result["tried"]
        total["failed"] += result["failed"]
        total["slowest"] = max(total["slowest"], result["slowest"])
        total["peak"] = max(total["peak"], result["peak"])
        total.setdefault("outcomes", Counter()).update(result["outcomes"])
        seed += 1
        print(f"{target} seed {seed - 1}: {result['tried']} tried", file=sys.stderr, flush=True)
    print("target   tried     slowest, s  peak, MB  failed")
    for target, total in totals.items():
        print(
            f"{target:8} {total['tried']:<9,} {total['slowest']:<11.2f} "
            f"{total['peak'] / 1e6:<9.0f} {total['failed']}"
        )
    for target, total in totals.items():
        shown = ", ".join(f"{what}: {n:,}" for what, n in total["outcomes"].most_common(25))
        print(f"{target}: {shown}")
    sys.exit(any(total["failed"] for total in totals.values()))


def one_round(target: str, seed: int, seconds: float, args: argparse.Namespace) -> dict[str, Any]:
    """Let a process try for so many seconds; return what it counted."""
    command = [sys.executable, __file__, "--child", f"{seconds:.1f}", "--target", target]
    command += ["--seed", str(seed), "--keep", str(args.keep)]
    command += ["--photos", str(args.photos)] if args.photos else []
    counted, current = args.keep / "counted.json", args.keep / "current"
    counted.unlink(missing_ok=True)
    with (args.keep / f"{target}-{seed}.txt").open("w") as messages:
        process = subprocess.Popen(command, stderr=messages, stdout=messages, cwd=ROOT)
        watch(process, current)
    try:
        result: dict[str, Any] = json.loads(counted.read_text())
    except (OSError, ValueError):
        result = {"tried": 0, "slowest": 0.0, "peak": 0, "outcomes": {}}
    result["failed"] = int(process.returncode != 0)
    if process.returncode:
        current.rename(args.keep / f"{target}-{seed}.input")
        print(f"{target}, seed {seed}: exit code {process.returncode}", file=sys.stderr)
    else:
        (args.keep / f"{target}-{seed}.txt").unlink()
    return result


def watch(process: subprocess.Popen[bytes], current: Path) -> None:
    """Wait for a process; end it if one input takes it more than PATIENCE, or it waits so long."""
    since, last, waited = 0.0, None, 0.0
    while process.poll() is None:
        time.sleep(0.5)
        try:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            now = current.stat().st_mtime_ns if current.exists() else None
        except OSError:  # it has ended
            continue
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if now != last:
            since, last, waited = used, now, 0.0
        waited += 0.5 * (fields[0] == "S")  # waits for something, and not for a processor
        if used - since > PATIENCE or waited > PATIENCE:
            process.kill()


def try_for(seconds: float, target: str, number: int, keep: Path, real: Path | None) -> None:
    """Try inputs of one target in this process until the time is over."""
    sys.path.insert(0, str(ROOT))
    from hypothesis import HealthCheck, Phase, seed, settings

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    trials = Trials(target, keep, time.monotonic() + seconds)
    found = sorted(real.rglob("*.jpg"))[::97][:40] if real else []
    tried = targets(trials, tuple(path.read_bytes() for path in found))[target]
    long = settings(
        max_examples=10**7,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        seed(number)(long(tried))()
    except Over:
        pass
    finally:
        trials.record()


class Over(BaseException):
    """The time is over."""


@dataclass
class Trials:
    """What one process tries of a target, and what comes of it."""

    target: str
    keep: Path
    ends: float
    tried: int = 0
    slowest: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    def timed(self, check: Callable[[], str], shown: bytes) -> None:
        """Count one input, unless the time is over; `shown` stays if it ends the process."""
        if time.monotonic() > self.ends:
            raise Over
        (self.keep / "current").write_bytes(shown)
        started = time.perf_counter()
        self.outcomes[check()] += 1
        taken = time.perf_counter() - started
        self.tried += 1
        if taken > self.slowest:
            self.slowest = taken
            (self.keep / f"slowest-{self.target}").write_bytes(shown)

    def at_place(self, plant: Callable[[Path], Path], layout: str, shown: object) -> None:
        """Count one input that is planted as files."""
        from tests import hostile

        with tempfile.TemporaryDirectory() as scratch:
            place = plant(Path(scratch))
            self.timed(
                lambda: hostile.check_place(place, Path(scratch), layout), repr(shown).encode()
            )

    def record(self) -> None:
        """Write what was counted for the process that watches."""
        # Linux counts in kilobytes
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        counted = {"tried": self.tried, "slowest": self.slowest, "peak": peak}
        (self.keep / "counted.json").write_text(
            json.dumps({**counted, "outcomes": dict(self.outcomes)})
        )


def targets(trials: Trials, more: tuple[bytes, ...]) -> dict[str, Callable[[], None]]:
    """Return for each target what draws its inputs and tries them."""
    from hypothesis import given
    from hypothesis import strategies as st
    from tests import hostile

    from classeur.config import LAYOUTS

    def photo(data: bytes) -> None:
        trials.timed(lambda: hostile.check_photo(data), data)

    def tree(drawn: Any, layout: str) -> None:
        def plant(scratch: Path) -> Path:
            (scratch / "photos").mkdir()
            hostile.plant(scratch / "photos", drawn)
            return scratch / "photos"

        trials.at_place(plant, layout, (drawn, layout))

    def files(drawn: dict[str, bytes], place: str) -> None:
        def plant(scratch: Path) -> Path:
            (scratch / "in").mkdir()
            for name, data in drawn.items():
                (scratch / "in" / name).write_bytes(data)
            return scratch / "in" / place

        trials.at_place(plant, "auto", drawn)

    def table(drawn: tuple[str, bytes]) -> None:
        files({drawn[0]: drawn[1], "a.png": hostile.seeds()[5]}, drawn[0])

    return {
        "photos": given(hostile.photos(more))(photo),
        "folders": given(hostile.trees(), st.sampled_from(LAYOUTS))(tree),
        "tables": given(hostile.tables())(table),
        "arrays": given(hostile.arrays())(lambda drawn: files(drawn, "")),
    }


if __name__ == "__main__":
    main()
