"""One look at the folder for all who follow it, and what has changed since an earlier one."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from classeur.board.finding import Finder, Found
from classeur.board.settings import BoardConfig
from classeur.board.states import Reader, State
from classeur.run_folder import printable

HEARTBEAT = 15.0
"""Seconds without news after which a follower is told that there are none."""

_NUMBER = re.compile("[0-9]{1,15}")

_MOST_GONE = 10_000
"""Runs that are there no more and still remembered."""


class Watcher:
    """Knows the state of every run, and when it changed.

    Every change has a number. Who comes back tells the last one it has seen and gets what is new
    since; who has seen one of another process, or none, gets everything.

    Args:
        root: the folder.
        settings: how often to look.
    """

    def __init__(self, root: Path, settings: BoardConfig) -> None:
        self.root = root.resolve()
        self.found: dict[str, Found] = {}
        self.states: dict[str, State] = {}
        self._texts: dict[str, str] = {}
        """Id -> its state as JSON, made once for all who ask."""
        self.followers = 0
        self.stopping = asyncio.Event()
        self._settings = settings
        self._finder, self._reader = Finder(self.root), Reader()
        self._name = secrets.token_hex(4)
        self._number = 0
        self._changed: dict[str, int] = {}
        """Id -> the number of its last change, those included that are gone."""
        self._due = 0.0
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """See what has changed, unless somebody has just looked."""
        async with self._lock:
            if time.monotonic() < self._due:
                return
            began = time.monotonic()
            found, states, texts = await asyncio.to_thread(self._seen)
            ended = time.monotonic()
            self._due = ended + max(self._settings.look_seconds, 4 * (ended - began))
            self._texts = texts
            self._note(found, states)

    def _seen(self) -> tuple[dict[str, Found], dict[str, State], dict[str, str]]:
        found = self._finder.find()
        states = self._reader.read(found)
        texts = {
            id_: self._texts[id_] if self.states.get(id_) == state else json.dumps(asdict(state))
            for id_, state in states.items()
        }
        return {one.id: one for one in found}, states, texts

    def _note(self, found: dict[str, Found], states: dict[str, State]) -> None:
        new = [id_ for id_ in {**self.states, **states} if self.states.get(id_) != states.get(id_)]
        if new or not self._number:
            self._number += 1
        self._changed |= dict.fromkeys(new, self._number)
        self.found, self.states = found, states
        if len(self._changed) > len(states) + _MOST_GONE:  # everybody begins anew
            self._name = secrets.token_hex(4)
            self._changed = dict.fromkeys(states, self._number)

    @property
    def mark(self) -> str:
        """What there is now."""
        return f"{self._name}-{self._number}"

    def since(self, mark: str = "") -> str:
        """Return what has changed since a mark, and the mark to ask with the next time, as JSON.

        Args:
            mark: of an earlier answer. Empty, or one of another process: everything is new.
        """
        name, _, number = mark.partition("-")
        whole = name != self._name or not _NUMBER.fullmatch(number)
        after = -1 if whole else int(number)
        new = [id_ for id_, changed in self._changed.items() if changed > after]
        about = {
            "mark": self.mark,
            "whole": whole,
            "folder": printable(str(self.root)),
            "cut": self._finder.is_cut,
            "gone": [] if whole else [id_ for id_ in new if id_ not in self.states],
        }
        runs = ", ".join(self._texts[id_] for id_ in new if id_ in self._texts)
        return f'{json.dumps(about)[:-1]}, "runs": [{runs}]}}'

    async def follow(self, mark: str = "") -> AsyncIterator[str]:
        """Yield server-sent events: first all that is new since a mark, then what changes."""
        yield "retry: 2000\n\n"
        told = time.monotonic()
        while not self.stopping.is_set():
            await self.look()
            if self.mark != mark:
                news, mark = self.since(mark), self.mark
                told = time.monotonic()
                yield f"id: {mark}\nevent: runs\ndata: {news}\n\n"
            elif time.monotonic() - told > HEARTBEAT:
                told = time.monotonic()
                yield ": nothing new\n\n"
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._settings.look_seconds):
                await self.stopping.wait()
        except TimeoutError:
            pass
