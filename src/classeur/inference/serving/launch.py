"""Runs the application: one process or several, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any
from typing import Protocol as Shape

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from classeur.data.parallel import cpu_count
from classeur.errors import ClasseurError, ServeError
from classeur.inference.serving.settings import ServeConfig, Served

HEAD_SECONDS = 10.0
"""Time in which the head of a request must have arrived."""

CONNECTIONS = 512
"""Open at once in each worker, at most; below the usual limit of open files."""


_logger = logging.getLogger("classeur.serve")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750


class Listening(Shape):
    """What any server of ours is told."""

    @property
    def host(self) -> str:
        """Address to listen on."""

    @property
    def port(self) -> int:
        """Port to listen on."""

    @property
    def stop_seconds(self) -> int:
        """Time for what was accepted before the server ends."""


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
    served: Served,
    settings: ServeConfig,
    token: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a run until told to end, and answer what was accepted by then.

    Args:
        served: the run, and how it answers.
        settings: address, limits, workers.
        token: what clients must show; empty: nothing.
        tell: called with what a person should know, a sentence at a time.

    Raises:
        ServeError: if the address cannot be had, the token cannot be sent, or workers do not
            start.
        ClasseurError: as `Served.load`.
    """
    check_token(token)
    with listen(settings) as listener:
        work = partial(_work, served, settings, token, listener)

        def ready() -> None:
            for text in announcement(listener.getsockname()[:2], has_token=bool(token)):
                tell(text)

        if settings.workers == 1:
            work(ready)
        else:
            start_log()
            _check_elsewhere(served)
            threads = max(1, cpu_count() // settings.workers)
            os.environ.setdefault("OMP_NUM_THREADS", str(threads))
            _supervise(work, settings, ready)
    tell("stopped")


def check_token(token: str) -> None:
    """Raise ServeError for a token that no client could send."""
    if token and not _TOKEN.fullmatch(token):
        raise ServeError(
            "the token has characters that no header can carry; expected letters, digits and "
            "-._~+/=, for example what this prints: openssl rand -hex 32"
        )


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


def listen(settings: Listening) -> socket.socket:
    """Return the socket. Raises ServeError if the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror  # below 0: of the name
        raise ServeError(
            f"cannot listen on {settings.host}:{settings.port}: {reason}. Choose "
            "another --port (0: any that is free) or --host."
        ) from error


def _work(
    served: Served,
    settings: ServeConfig,
    token: str,
    listener: socket.socket,
    ready: Callable[[], None],
) -> None:
    """Answer until SIGTERM or SIGINT; `ready` is called once photos are taken in."""
    from classeur.inference.serving.app import create_app  # loads torch, which only workers need

    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    app = create_app(served, settings, token)
    start_log()
    with suppress(KeyboardInterrupt):  # uvicorn repeats the signal once it has ended in good order
        Server(config_of(app, settings), ready).run([listener])


class Server(uvicorn.Server):
    """uvicorn's, which says when it has started."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()


def config_of(app: ASGIApp, settings: Listening) -> uvicorn.Config:
    """Return how uvicorn is to run the application."""
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=settings.stop_seconds,
    )


def _supervise(
    work: Callable[[Callable[[], None]], None], settings: ServeConfig, ready: Callable[[], None]
) -> None:
    """Keep processes at work until SIGTERM or SIGINT, and let them end in good order.

    `ready` is called once the first of them takes photos in.

    uvicorn has a supervisor, too; it does not hear a signal while a worker starts, which with
    PyTorch takes seconds.
    """
    spawn = multiprocessing.get_context("spawn")
    told, telling = spawn.Pipe(duplex=False)

    def started() -> SpawnProcess:
        worker = spawn.Process(target=work, args=(partial(telling.send_bytes, b"ready"),))
        worker.start()
        return worker

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    workers: list[SpawnProcess] = []
    try:
        workers += [started() for _ in range(settings.workers)]
        while True:
            if told in wait([told, *(worker.sentinel for worker in workers)]):
                told.recv_bytes()
                ready()
                ready = _nothing
            for place, worker in enumerate(workers):
                if not worker.is_alive():
                    _logger.warning("a worker has ended (%s); another begins", worker.exitcode)
                    time.sleep(1)  # one that always fails does not keep the machine busy
                    workers[place] = started()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(settings.stop_seconds + 5)
            worker.kill()


def _nothing() -> None:
    """What the later workers do once they are ready."""


def _end_with(parent: BaseProcess) -> None:
    """End this process in good order when another one has ended, however that was."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


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


def start_log() -> None:
    """A line a request on stderr; of uvicorn only what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, level in (("classeur.serve", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
