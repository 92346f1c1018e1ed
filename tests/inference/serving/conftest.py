"""A served run, without a network in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.testclient import TestClient

from classeur.inference.serving.app import create_app
from classeur.inference.serving.settings import ServeConfig, Served
from classeur.run_folder import RunFolder

Start = Callable[..., TestClient]


@pytest.fixture(scope="session")
def start(run: RunFolder) -> Iterator[Start]:
    """Serve the run with a token and settings of one's own; `served` has options of `Served`."""
    with ExitStack() as stack:

        def started(token: str = "", served: dict[str, Any] | None = None, **settings: Any) -> Any:
            app = create_app(Served(run.path, **(served or {})), ServeConfig(**settings), token)
            return stack.enter_context(TestClient(app))

        yield started


@pytest.fixture(scope="session")
def client(start: Start) -> TestClient:
    return start()
