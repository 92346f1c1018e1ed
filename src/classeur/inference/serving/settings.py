"""What a server may be told, and what it serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from classeur.section import Section

if TYPE_CHECKING:
    from classeur.inference.predictor import Predictor
    from classeur.models.abstention import Rule

MIB = 1 << 20


@dataclass(frozen=True)
class ServeConfig(Section):
    """Where a server listens, and what it lets a request cost."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all of the machine's."""
    port: int = 8000
    """Port to listen on; 0 for any that is free."""
    workers: int = 1
    """Processes that answer, each with the network in its memory and limits of its own."""
    batch_size: int = 16
    """Photos for each pass through the network. Nothing waits for company: what came while the
    last pass ran goes into the next one. 1: one by one."""
    max_files: int = 32
    """Photos in one request."""
    max_request_mb: int = 32
    """Size of one request, in MiB."""
    max_megapixels: int = 50
    """Size of one photo, in millions of pixels."""
    max_waiting: int = 128
    """Photos that are taken in at once; a request beyond them is told to come again (503)."""
    max_waiting_mb: int = 256
    """Bodies of requests in memory at once, in MiB; as above."""
    receive_seconds: float = 30.0
    """Time in which a request must have arrived."""
    answer_seconds: float = 30.0
    """Time in which it is answered, or told to come again (503)."""
    stop_seconds: int = 30
    """Time for what was accepted before the server ends."""
    allow_origin: tuple[str, ...] = ()
    """Web sites whose pages may ask (CORS), such as https://example.org. Empty: none."""

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option that cannot be."""
        yield from self.within(0, 65535, "port")
        yield from self.at_least(
            1, "workers", "batch_size", "max_files", "max_request_mb", "max_waiting", "stop_seconds"
        )
        yield from self.within(1, 150, "max_megapixels")
        yield from self.at_least(0.1, "receive_seconds", "answer_seconds")
        if self.max_files > self.max_waiting:
            yield (
                f"max_waiting must be at least max_files ({self.max_files}), "
                f"received {self.max_waiting}."
            )
        if self.max_request_mb > self.max_waiting_mb:
            yield (
                f"max_waiting_mb must be at least max_request_mb ({self.max_request_mb}), "
                f"received {self.max_waiting_mb}."
            )
        for origin in self.allow_origin:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                yield f"allow_origin takes sites such as https://example.org, received {origin!r}."


@dataclass(frozen=True)
class Served:
    """A run, and how it answers; loaded by each worker on its own."""

    run: Path
    device: str = "cpu"
    strange_share: float | None = None
    """As for `Predictor.load`."""
    abstain_below: float | None = None
    """As for `Predictor.predict`."""
    max_error: float | None = None
    """As for `Predictor.predict`."""

    def load(self) -> tuple[Predictor, Rule | None]:
        """Return the predictor, and when it is unsure. Raises as `load` and `rule` of Predictor."""
        from classeur.inference.predictor import Predictor

        predictor = Predictor.load(self.run, self.device, self.strange_share)
        return predictor, predictor.rule(self.abstain_below, self.max_error)

    @property
    def card(self) -> str | None:
        """The model card in Markdown, where the run has one."""
        from classeur.run_folder import RunFolder

        path = RunFolder(self.run).card
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
