"""What a board may be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from classeur.section import Section


@dataclass(frozen=True)
class BoardConfig(Section):
    """Where a board listens, and how often it looks."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all of the machine's."""
    port: int = 8001
    """Port to listen on; 0 for any that is free."""
    look_seconds: float = 1.0
    """Time between two looks at the folder while somebody follows; at least four times as long as
    a look takes."""
    max_followers: int = 64
    """Pages that follow at once; those beyond ask again now and then instead."""
    stop_seconds: int = 5
    """Time for what was accepted before the board ends."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option that cannot be."""
        yield from self.within(0, 65535, "port")
        yield from self.within(0.05, 3600, "look_seconds")
        yield from self.at_least(1, "max_followers", "stop_seconds")
