"""Figures for Prometheus and a line a request for the log: how much, how long, never what."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    exposition,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classeur.inference.predictor import Prediction
from classeur.inference.serving.refusal import Room

PATHS = ("/", "/predict", "/explain", "/model", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""What is counted and logged by its name; any other path could be anything."""

_logger = logging.getLogger("classeur.serve")


class Meter:
    """The figures of one worker. Those of several have its number and do not mix."""

    def __init__(self, room: Room) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._worker = str(os.getpid())
        self._requests = Counter(
            "classeur_requests", "Requests.", ["worker", "path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "classeur_request_seconds", "Time from the head of a request to its whole answer.",
            ["worker", "path"], registry=self.registry,
        )  # fmt: skip
        self._photos = Counter(
            "classeur_photos", "Photos.", ["worker", "outcome"], registry=self.registry
        )
        self._batches = Histogram(
            "classeur_batch_photos", "Photos in a pass through the network.", ["worker"],
            buckets=(1, 2, 4, 8, 16, 32, 64), registry=self.registry,
        ).labels(self._worker)  # fmt: skip
        waiting = Gauge(
            "classeur_waiting_photos", "Photos taken in.", ["worker"], registry=self.registry
        )
        waiting.labels(self._worker).set_function(lambda: room.photos)
        held = Gauge(
            "classeur_waiting_bytes", "Bodies in memory.", ["worker"], registry=self.registry
        )
        held.labels(self._worker).set_function(lambda: room.bytes)

    def batch(self, size: int) -> None:
        """Note a pass through the network."""
        self._batches.observe(size)

    def photos(self, said: Sequence[Prediction]) -> None:
        """Note what became of some photos."""
        for one in said:
            outcome = "unreadable" if one.error else "unsure" if one.unsure else "answered"
            self._photos.labels(self._worker, outcome).inc()

    def request(self, method: str, path: str, status: int, seconds: float, size: int) -> None:
        """Note a request."""
        shown = path if path in PATHS else "/web" if path.startswith("/web/") else "other"
        self._requests.labels(self._worker, shown, str(status)).inc()
        self._seconds.labels(self._worker, shown).observe(seconds)
        method = method if method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        text = "%s %s %d, %d bytes received, %.0f ms"
        _logger.info(text, method, shown, status, size, 1000 * seconds)

    def text(self) -> tuple[bytes, str]:
        """Return all figures, and the type of that text."""
        return exposition.generate_latest(self.registry), exposition.CONTENT_TYPE_LATEST


class Watch:
    """Notes every request that passes."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app, self._meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, size, status = time.perf_counter(), 0, 500

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, counted, noted)
        finally:
            seconds = time.perf_counter() - began
            self._meter.request(scope["method"], scope["path"], status, seconds, size)
