"""Photos at URLs, from a server on this machine and from fsspec's file system in memory."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import Site, cut, status

from classeur.errors import UnreadablePhotoError
from classeur.inference import remote
from classeur.inference.predictor import Predictor
from classeur.inference.remote import Remote, photo_at


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Site() as site:
        yield site


def error_of(url: str) -> str:
    with pytest.raises(UnreadablePhotoError) as raised:
        Remote(url)()
    return str(raised.value)


def test_photos_at_urls_are_rows_like_others(predictor: Predictor, site: Site, png: bytes) -> None:
    site.files = {"a.png": png, "%C3%A9%20b.png?size=1": png, "page.jpg": b"<html></html>"}
    urls = [site.address + name for name in ("a.png", "é b.png?size=1", "gone.jpg", "page.jpg")]
    rows = list(predictor.predict([*map(Remote, urls), png]))
    assert [row.path for row in rows] == [*urls, ""]
    assert [row.error for row in rows] == [
        "", "", "cannot be downloaded: the server answered 404 Not Found",
        "is an HTML page, not a photo", "",
    ]  # fmt: skip
    assert rows[0].top == rows[1].top == rows[4].top


def test_a_server_that_is_busy_is_asked_again(site: Site) -> None:
    site.files["a"] = b"abc"
    site.faults = [status(503), cut(site, 1)]
    assert Remote(site.address + "a")() == b"abc"
    site.faults = [status(503)] * 3
    assert error_of(site.address + "a") == (
        "cannot be downloaded: the server answered 503 Service Unavailable"
    )
    site.faults = [cut(site, 1)] * 3
    assert error_of(site.address + "a") == "cannot be downloaded: the connection broke off"


def moved(to: str) -> Any:
    def fault(request: Any) -> bool:
        request.send_response(302)
        request.send_header("Location", to)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    return fault


@pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:text/plain,a"])
def test_no_redirect_leads_out_of_the_web(site: Site, to: str) -> None:
    site.faults = [moved(to)]
    assert error_of(site.address).startswith("cannot be downloaded: ")


def test_a_redirect(site: Site) -> None:
    site.files["a"] = b"abc"
    site.faults = [moved("/a")]
    assert Remote(site.address)() == b"abc"


def test_a_photo_that_is_too_large(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_BYTES", 1 << 20)
    site.files["a"] = bytes((1 << 20) + 1)
    message = "is larger than 1 MiB, the most that is downloaded for one photo"
    assert error_of(site.address + "a") == message
    site.headers["Content-Length"] = ""  # so that it shows only as it comes
    assert error_of(site.address + "a") == message
    site.files["a"] = bytes(1 << 20)
    assert len(Remote(site.address + "a")()) == 1 << 20


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a.jpg"
        assert error_of(url) == "cannot be downloaded: nothing came for 0.2 s"


def test_a_server_that_takes_all_the_time_there_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "DEADLINE", -1.0)
    site.files["a"] = b"abc"
    assert error_of(site.address + "a") == "takes longer than -1 s to download"


@pytest.mark.parametrize("line", ["HTTP/1.1 100 Continue\r\n\r\n", "", "HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("drip", ["HTTP/1.1 100 Continue\r\n\r\n", "x"])
def test_a_server_that_never_comes_to_an_end(
    line: str, drip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "DEADLINE", 0.5)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=dripping, args=(server, line.encode(), drip.encode())).start()
        started = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg"
        assert error_of(url) == "takes longer than 0.5 s to download"
        assert time.monotonic() - started < 5


def dripping(server: socket.socket, line: bytes, drip: bytes) -> None:
    with suppress(OSError), server.accept()[0] as connection:
        connection.sendall(line)
        for _ in range(200):
            connection.sendall(drip)
            time.sleep(0.05)


def test_an_encrypted_server_that_never_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "DEADLINE", 0.5)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    record = bytes([22, 3, 3, 64, 0])  # the head of a handshake record of 16 KiB
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=dripping, args=(server, record, b"x")).start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/a.jpg"
        assert error_of(url) == "takes longer than 0.5 s to download"


def test_what_a_server_says_is_cut_to_a_line(site: Site) -> None:
    def talks(request: Any) -> bool:
        request.send_response(404, "no\x1b[2J \x00" + "x" * 60_000)
        request.end_headers()
        return True

    site.faults = [talks]
    message = error_of(site.address + "a")
    assert message == f"cannot be downloaded: the server answered 404 no [2J {'x' * 193}"


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES", ())
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/a.jpg"
    assert error_of(url) == "cannot be downloaded: Connection refused"


@pytest.mark.parametrize("url", ["http://", "http://a:b/c.jpg", "http://[::1/c.jpg"])
def test_a_url_that_is_none(url: str) -> None:
    assert error_of(url).startswith("cannot be downloaded: ")


def test_fsspec(predictor: Predictor, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setattr(MemoryFileSystem, "store", {})
    MemoryFileSystem().pipe("/bucket/a.png", png)
    rows = predictor.predict([Remote("memory://bucket/a.png"), Remote("memory://bucket/b.png")])
    assert [(row.path, row.error) for row in rows] == [
        ("memory://bucket/a.png", ""), ("memory://bucket/b.png", "does not exist"),
    ]  # fmt: skip
    monkeypatch.setattr(remote, "MAX_BYTES", 4)
    assert error_of("memory://bucket/a.png").startswith("is larger than 0 MiB")


def test_a_file_system_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Forbidden")

    monkeypatch.setattr(MemoryFileSystem, "open", refuse)
    assert error_of("memory://a.png") == "cannot be read: Forbidden"


def test_a_url_in_a_list_that_nothing_here_can_read() -> None:
    assert error_of("s3://b/a.jpg") == (
        "cannot be read yet. Install s3fs to access S3; that is: pip install s3fs"
    )
    assert error_of("file:///etc/passwd") == "is a file of this machine; give its path instead"


def test_what_a_path_stands_for() -> None:
    assert photo_at("http://x/a.jpg") == Remote("http://x/a.jpg")
    assert photo_at(str(Path("http://x/a.jpg"))) == Path("http:/x/a.jpg")
