"""Events while something trains: a real server, real files, clients that come and go."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from classeur.board import watcher
from classeur.board.app import Following, create_app
from classeur.board.settings import BoardConfig
from classeur.run_folder import locked
from classeur.study.train import train

Address = Callable[..., str]


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield the data of each event, with its id."""
    mark = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            mark = value
        elif name == "data":
            yield {"id": mark, **json.loads(value)}
        elif line.startswith(":"):
            yield {"heartbeat": True}


def test_a_training_is_followed_to_its_end(address: Address, photos: Path, runs: Path) -> None:
    place = address()
    at_work = threading.Thread(
        target=train, args=(photos, "conv1"), daemon=True,
        kwargs={"to": runs / "live", "epochs": 8, "patience": 0, "size": 16, "device": "cpu"},
    )  # fmt: skip
    seen: list[dict[str, Any]] = []
    with httpx2.stream("GET", f"{place}/api/events", timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        news = events(answer.iter_lines())
        first = next(news)
        assert first["whole"]
        assert len(first["runs"]) == 4
        at_work.start()
        for event in news:
            assert not event["whole"]
            assert event["id"] == event["mark"]
            seen += [run for run in event["runs"] if run["id"] == "live"]
            if seen and seen[-1]["state"] == "finished":
                break
    at_work.join()
    assert {run["state"] for run in seen[:-1]} >= {"running"}
    epochs = [run["epoch"] for run in seen]
    assert epochs == sorted(epochs)
    assert epochs[-1] == seen[-1]["epochs"] == 8
    assert [run["test_accuracy"] is None for run in seen if run["state"] == "running"].count(True)
    assert seen[-1]["test_accuracy"] is not None
    history = httpx2.get(f"{place}/api/run", params={"id": "live"}).json()["history"]
    assert [row["epoch"] for row in history] == list(range(1, 9))


def test_who_comes_back_gets_what_is_new(address: Address, runs: Path) -> None:
    place = address()

    def first(mark: str = "") -> dict[str, Any]:
        headers = {"Last-Event-ID": mark} if mark else {}
        with httpx2.stream("GET", f"{place}/api/events", headers=headers) as answer:
            return next(events(answer.iter_lines()))

    begun = first()
    (runs / "new").mkdir()
    (runs / "new" / "config.toml").write_text('recipe = "x"')
    time.sleep(0.2)
    again = first(begun["mark"])
    assert (again["whole"], [run["id"] for run in again["runs"]]) == (False, ["new"])
    assert first("other-7")["whole"]


def test_silence_is_broken_by_a_heartbeat(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "HEARTBEAT", 0.2)
    with httpx2.stream("GET", f"{address()}/api/events") as answer:
        news = events(answer.iter_lines())
        assert "runs" in next(news)
        assert next(news) == {"heartbeat": True}


def test_followers_are_bounded_and_those_who_go_leave_their_place(address: Address) -> None:
    place = address(max_followers=2)
    for _ in range(3):
        with (
            httpx2.stream("GET", f"{place}/api/events") as one,
            httpx2.stream("GET", f"{place}/api/events") as two,
        ):
            open_ones = [events(one.iter_lines()), events(two.iter_lines())]
            assert all(next(news)["whole"] for news in open_ones)
            third = httpx2.get(f"{place}/api/events")
            assert third.status_code == 503
            assert third.headers["retry-after"] == "5"
            assert third.json()["error"].startswith("too many pages follow this board;")
            assert httpx2.get(f"{place}/api/runs").status_code == 200
        del open_ones
        time.sleep(0.5)


def test_followers_who_come_at_once_are_counted(address: Address) -> None:
    place = address(max_followers=3)
    statuses: list[int] = []

    def follow() -> None:
        with httpx2.stream("GET", f"{place}/api/events", timeout=30) as answer:
            statuses.append(answer.status_code)
            all_there.wait(30)

    all_there = threading.Barrier(20)
    threads = [threading.Thread(target=follow) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 3 + [503] * 17


def test_who_goes_before_the_first_event_leaves_his_place(runs: Path) -> None:
    _, board = create_app(runs, BoardConfig())

    async def gone(_: Any) -> None:
        raise OSError

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def follow() -> None:
        with suppress(Exception):
            await Following(board, "")({"type": "http", "asgi": {}}, receive, gone)

    asyncio.run(follow())
    assert board.watcher.followers == 0


def test_a_mark_that_is_none_is_unknown(address: Address) -> None:
    place = address()
    name = httpx2.get(f"{place}/api/runs").json()["mark"].split("-")[0]
    headers = {"Last-Event-ID": f"{name}-{'9' * 5000}"}
    with httpx2.stream("GET", f"{place}/api/events", headers=headers) as answer:
        assert next(events(answer.iter_lines()))["whole"]


def test_the_board_ends_although_somebody_follows(runs: Path) -> None:
    import socket

    from classeur.board.launch import server_of

    server, board = server_of(runs, BoardConfig(stop_seconds=20))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    with httpx2.stream(
        "GET", f"http://127.0.0.1:{listener.getsockname()[1]}/api/events", timeout=30
    ) as answer:
        news = events(answer.iter_lines())
        next(news)
        assert board.watcher.followers == 1
        began = time.monotonic()
        server.should_exit = True
        assert list(news) == []
    thread.join(30)
    assert time.monotonic() - began < 10


def test_a_training_can_begin_while_many_look(address: Address, runs: Path) -> None:
    place = address()
    stop, statuses = threading.Event(), set()

    def look() -> None:
        while not stop.is_set():
            statuses.add(httpx2.get(f"{place}/api/runs").status_code)

    (runs / "new").mkdir()
    (runs / "new" / "config.toml").write_text('recipe = "x"')
    lookers = [threading.Thread(target=look) for _ in range(2)]
    for one in lookers:
        one.start()
    for _ in range(200):
        with locked(runs / "new"):  # raises if a look holds it
            pass
    stop.set()
    for one in lookers:
        one.join()
    assert statuses == {200}


SLOW = """
import sys, time
from pathlib import Path
from classeur.board import states
from classeur.board.launch import serve_board
from classeur.board.settings import BoardConfig

def slowly(path):
    print("reads", flush=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass

states.read_toml = slowly
said = lambda text: print(text, flush=True)
serve_board(Path(sys.argv[1]), BoardConfig(port=0, stop_seconds=1), tell=said)
"""


def test_the_board_ends_although_a_file_is_being_read(runs: Path) -> None:
    command = [sys.executable, "-c", SLOW, str(runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        place = process.stdout.readline().split()[2]
        asking = threading.Thread(target=_asked, args=(f"{place}api/runs",))
        asking.start()
        assert process.stdout.readline() == "reads\n"
        process.terminate()
        assert process.wait(20) == 0
        assert "given up" in process.stdout.read()
        asking.join()


def _asked(address: str) -> None:
    with suppress(httpx2.HTTPError):
        httpx2.get(address, timeout=60)
