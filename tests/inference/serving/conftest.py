"""A served run, without a network in between."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.testclient import TestClient

from classeur.inference.serving.app import create_app
from classeur.inference.serving.launch import Server, config_of
from classeur.inference.serving.settings import ServeConfig, Served
from classeur.run_folder import RunFolder

Start = Callable[..., TestClient]


@pytest.fixture(scope="session")
def start(run: RunFolder) -> Iterator[Start]:
    """Serve the run with a token and settings of one's own; `served` has options of `Served`."""
    with ExitStack() as stack:

        def started(token: str = "", served: dict[str, Any] | None = None, **settings: Any) -> Any:
            app = create_app(Served(run.path, **(served or {})), ServeConfig(**settings), token)
            return stack.enter_context(TestClient(app, base_url="http://127.0.0.1:8000"))

        yield started


@pytest.fixture(scope="session")
def address(run: RunFolder) -> Iterator[Callable[..., str]]:
    """Serve the run on a free port of this machine, as `start` does; return the address."""
    servers: list[tuple[Server, threading.Thread]] = []

    def started(token: str = "", served: dict[str, Any] | None = None, **settings: Any) -> str:
        config = ServeConfig(**settings)
        app = create_app(Served(run.path, **(served or {})), config, token)
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(config_of(app, config))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        servers.append((server, thread))
        while not server.started:
            time.sleep(0.02)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield started
    for server, _ in servers:
        server.should_exit = True
    for _, thread in servers:
        thread.join(30)


@pytest.fixture(scope="session")
def client(start: Start) -> TestClient:
    return start()
