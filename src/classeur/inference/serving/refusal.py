"""A request that gets no answer, and the room that there is for those that do."""

from __future__ import annotations

from classeur.inference.serving.settings import MIB, ServeConfig

AGAIN = {"Retry-After": "1"}
"""With every 503: seconds until it is worth another try."""


class Refusal(Exception):  # noqa: N818 - nothing went wrong here
    """What is sent instead of an answer: a status, and its reason in one sentence."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers or {}


class Room:
    """Counts the photos and bytes that are taken in. All on one thread: that of the event loop."""

    def __init__(self, settings: ServeConfig) -> None:
        self.most_photos = settings.max_waiting
        self.most_bytes = settings.max_waiting_mb * MIB
        self.photos = 0
        self.bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether not one more photo would be taken in."""
        return self.photos >= self.most_photos or self.bytes >= self.most_bytes


class Place:
    """What one request takes of the room, until it leaves."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.photos = 0
        self.bytes = 0

    def take(self, photos: int = 0, size: int = 0) -> None:
        """Take room for more. Raises Refusal (503) if there is none."""
        room = self._room
        if room.photos + photos > room.most_photos or room.bytes + size > room.most_bytes:
            raise Refusal(503, "too many photos are waiting; try again in a moment.", AGAIN)
        room.photos, room.bytes = room.photos + photos, room.bytes + size
        self.photos, self.bytes = self.photos + photos, self.bytes + size

    def leave(self) -> None:
        """Give back what was taken."""
        self._room.photos -= self.photos
        self._room.bytes -= self.bytes
        self.photos = self.bytes = 0
