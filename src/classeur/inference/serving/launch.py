"""Runs the application: one process or several, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import Multiprocess

from classeur.data.parallel import cpu_count
from classeur.errors import ClasseurError, ServeError
from classeur.inference.serving.app import create_app
from classeur.inference.serving.settings import ServeConfig, Served

HEAD_SECONDS = 10.0
"""Time in which the head of a request must have arrived."""

CONNECTIONS = 512
"""Open at once in each worker, at most; below the usual limit of open files."""


_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750


class Protocol(H11Protocol):
    """uvicorn's, which waits for ever for the head of a request, with a limit to that."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once the head is there; start it for the next one."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._clear_deadline()
        elif self._deadline is None:
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._clear_deadline()
        super().connection_lost(exc)

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def serve(
    served: Served, settings: ServeConfig, token: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> None:  # fmt: skip
    """Serve a run until told to end, and answer what was accepted by then.

    Args:
        served: the run, and how it answers.
        settings: address, limits, workers.
        token: what clients must show; empty: nothing.
        tell: called with what a person should know, a sentence at a time.

    Raises:
        ServeError: if the address cannot be had, the token cannot be sent, or the run that
            several workers are to serve cannot be loaded.
        ClasseurError: as `Served.load`.
    """
    if token and not _TOKEN.fullmatch(token):
        raise ServeError(
            "the token has characters that no header can carry; expected letters, digits and "
            "-._~+/=, for example what this prints: openssl rand -hex 32"
        )
    with _listen(settings) as listener:
        if settings.workers == 1:
            app: Callable[[], ASGIApp] | ASGIApp = create_app(served, settings, token)
        else:
            _check_elsewhere(served)
            threads = max(1, cpu_count() // settings.workers)
            os.environ.setdefault("OMP_NUM_THREADS", str(threads))
            app = partial(_worker_app, served, settings, token)
        _start_log()
        for text in announcement(listener.getsockname()[:2], has_token=bool(token)):
            tell(text)
        config = _config(app, settings)
        try:
            if settings.workers == 1:
                uvicorn.Server(config).run([listener])
            else:
                Multiprocess(config, [listener]).run()
        except KeyboardInterrupt:
            pass  # uvicorn has ended in good order by then, and repeats the signal it was given
    tell("stopped")


def announcement(address: tuple[str, int], *, has_token: bool) -> list[str]:
    """Return what to say at the start."""
    host, port = address
    shown = f"[{host}]" if ":" in host else host
    lines = [f"serving on http://{shown}:{port}/ (end with Ctrl-C)"]
    if not (has_token or ip_address(host).is_loopback):
        lines.append(
            f"warning: {host} can be reached from other machines, and no token is asked for. Set "
            "CLASSEUR_TOKEN or --token-file, or leave out --host."
        )
    return lines


def _listen(settings: ServeConfig) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        raise ServeError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. Choose "
            "another --port (0: any that is free) or --host."
        ) from error


def _config(app: Any, settings: ServeConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=settings.workers > 1,
        workers=settings.workers,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=settings.stop_seconds,
        timeout_worker_healthcheck=60,  # a busy machine may take long to load a network
    )


def _worker_app(served: Served, settings: ServeConfig, token: str) -> ASGIApp:
    _start_log()
    return create_app(served, settings, token)


def _check_elsewhere(served: Served) -> None:
    """Load the run in a process of its own: a broken one is said so once, not by every worker.

    Raises:
        ServeError: with the reason.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        reason = pool.submit(_reason_not_to, served).result()
    if reason:
        raise ServeError(reason)


def _reason_not_to(served: Served) -> str:
    try:
        served.load()
    except ClasseurError as error:
        return str(error)
    return ""


def _start_log() -> None:
    """A line a request on stderr; of uvicorn only what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, level in (("classeur.serve", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
