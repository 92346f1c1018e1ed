"""The runs, studies and searches below a folder. Links are not followed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

MARKS = {"config.toml": "run", "study.toml": "study", "search.toml": "search"}
"""What a folder is by a file in it."""

READ = frozenset(
    {
        *MARKS, "history.csv", "training.json", "metrics.json", "predictions.parquet",
        "report.html", "index.html", "failure.json", "comparison.json", "manifest.csv",
    }
)  # fmt: skip
"""The files whose changes matter."""

DEEPEST = 6
"""Folders below the first one."""

MOST_FOLDERS = 20_000
"""That are looked into; those beyond are not shown."""

_PASSED_OVER = frozenset({"figures", "tensorboard"})
_SETTLED = 2.0
"""Seconds after which a folder's time can be trusted: clocks of file systems are coarse."""


@dataclass(frozen=True)
class Found:
    """A folder that is a run, a study or a search."""

    path: Path
    id: str
    """Its path below the board's folder, as it stands in an address; empty: that folder itself."""
    kind: str
    group: str
    """The study or search that it lies in; empty: none, or it has no part in one."""
    files: dict[str, tuple[int, int]]
    """Name -> (time of the last change in ns, size in bytes), of those that matter."""
    head: tuple[int, int] | None = None
    """The same of the history of a head that learns before its backbone."""


@dataclass
class _Listing:
    """What lies in one folder."""

    changed: int
    is_settled: bool
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return next((kind for mark, kind in MARKS.items() if mark in self.files), "")


class Finder:
    """Finds runs below a folder, and remembers what has not changed since.

    Files of runs are written under another name and renamed, which changes the time of their
    folder: one question to the system for each finished run is enough.

    Args:
        root: the folder, resolved.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_cut = False
        """Whether there were more folders than are looked into."""
        self._known: dict[str, _Listing] = {}

    def find(self) -> list[Found]:
        """Return what is there now."""
        seen: dict[str, _Listing] = {}
        self.is_cut = False
        found = list(self._below(self.root, "", "", 0, seen))
        self._known = seen
        return found

    def _below(
        self, path: Path, id_: str, group: str, depth: int, seen: dict[str, _Listing]
    ) -> Iterator[Found]:
        if len(seen) >= MOST_FOLDERS:
            self.is_cut = True
            return
        listing = self._listed(path)
        if listing is None:
            return
        seen[str(path)] = listing
        kind = listing.kind
        if kind:
            head = _stamp(path / "head" / "history.csv") if "head" in listing.folders else None
            yield Found(path, id_, kind, group, listing.files, head)
        if kind == "run" or depth == DEEPEST:
            return
        inner = id_ if kind in ("study", "search") else group
        for name in listing.folders:
            below = f"{id_}/{_quoted(name)}" if id_ else _quoted(name)
            yield from self._below(path / name, below, inner, depth + 1, seen)

    def _listed(self, path: Path) -> _Listing | None:
        """Return what lies in a folder; None if it cannot be read."""
        try:
            changed = path.stat(follow_symlinks=False).st_mtime_ns
            known = self._known.get(str(path))
            if known and known.is_settled and known.changed == changed:
                return known
            listing = _Listing(changed, time.time_ns() - changed > _SETTLED * 1e9)
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    _take(entry, listing)
        except OSError:
            return None
        if listing.kind == "run" and "report.html" not in listing.files:
            listing.is_settled = False  # whoever is at work there may write in place
        return listing


def _take(entry: os.DirEntry[str], listing: _Listing) -> None:
    if entry.is_dir(follow_symlinks=False):
        if not entry.name.startswith(".") and entry.name not in _PASSED_OVER:
            listing.folders.append(entry.name)
    elif entry.name in READ and (stamp := _stamp(Path(entry.path))):
        listing.files[entry.name] = stamp


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return time and size of a file; None if it is none, a link included."""
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None


def _quoted(name: str) -> str:
    return quote(os.fsencode(name), safe="")
