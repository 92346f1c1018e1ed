"""A folder with a finished study of small photos, and boards that show it."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.study.conftest import draw_photos

from classeur.board.app import create_app
from classeur.board.launch import BoardServer, server_of
from classeur.board.settings import BoardConfig
from classeur.study.study import run_study

OPTIONS = {"epochs": 3, "batch_size": 16, "size": 16, "device": "cpu"}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLASSEUR_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="session")
def study(photos: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """majority and dense are finished; conv3 does not fit the photos and has failed."""
    folder = tmp_path_factory.mktemp("studies") / "un classeur"
    run_study(photos, ("majority", "dense", "conv3"), to=folder, **OPTIONS)
    return folder


@pytest.fixture
def runs(study: Path, tmp_path: Path) -> Path:
    """A folder of one's own that holds the study."""
    shutil.copytree(study, tmp_path / "runs" / study.name)
    return tmp_path / "runs"


@pytest.fixture
def client(runs: Path) -> Callable[..., TestClient]:
    def made(folder: Path = runs, token: str = "", **settings: object) -> TestClient:
        app, _ = create_app(folder, BoardConfig(look_seconds=0.05, **settings), token)
        return TestClient(app, base_url="http://127.0.0.1:8001")

    return made


@pytest.fixture
def address(runs: Path) -> Iterator[Callable[..., str]]:
    """Show a folder on a free port of this machine; return the address."""
    servers: list[tuple[BoardServer, threading.Thread]] = []

    def started(folder: Path = runs, token: str = "", **settings: object) -> str:
        server, _ = server_of(folder, BoardConfig(look_seconds=0.05, **settings), token)
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        servers.append((server, thread))
        while not server.started:
            time.sleep(0.02)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield started
    for server, _ in servers:
        server.should_exit = True
    for _, thread in servers:
        thread.join(30)
        assert not thread.is_alive()
