"""Things joined two by two, and what is together in the end (Galler and Fischer, 1964)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)


class Joined(Generic[Thing]):
    """Sets of things; each is alone until it is joined with another."""

    def __init__(self) -> None:
        self._above: dict[Thing, Thing] = {}

    def root(self, thing: Thing) -> Thing:
        """Return the thing that stands for all that this one is joined with."""
        above = self._above
        while (parent := above.get(thing, thing)) != thing:
            above[thing] = above.get(parent, parent)
            thing = parent
        return thing

    def join(self, one: Thing, other: Thing) -> None:
        """Put two things, and all that they are with, together."""
        self._above[self.root(one)] = self.root(other)
