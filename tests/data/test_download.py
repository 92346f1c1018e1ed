"""Downloads from a site on loopback: whole, broken off, gone on with, changed, refused."""

from __future__ import annotations

import dataclasses
import hashlib
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.loopback import Site, cut, status

from classeur.data import download as room
from classeur.data.download import download
from classeur.errors import FetchError

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "photos.tar"


def ranges(site: Site) -> list[str | None]:
    return [headers.get("Range") for _, headers in site.asked]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file(site: Site, to: Path) -> None:
    download(site.file("photos.tar", CONTENT), to)
    assert to.read_bytes() == CONTENT
    assert left(to.parent) == ["photos.tar"]
    (path, headers), *others = site.asked
    assert (path, others) == ("/photos.tar", [])
    assert headers["User-Agent"] == "classeur"
    assert "Range" not in headers


def test_what_was_interrupted_is_gone_on_with(site: Site, to: Path) -> None:
    """Ctrl-C leaves the part; the same call later asks for the rest of the same file only."""
    file = site.file("photos.tar", CONTENT)

    def interrupt(stop: int) -> Any:
        blocks = room._blocks

        def some(response: Any, most: int) -> Iterator[bytes]:
            for block in blocks(response, most):
                yield block[:stop]
                raise KeyboardInterrupt

        return some

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_blocks", interrupt(50_000))
        with pytest.raises(KeyboardInterrupt):
            download(file, to)
    part = to.with_name("photos.tar.part")
    have = part.stat().st_size
    assert part.read_bytes() == CONTENT[:have]
    assert 0 < have < len(CONTENT)
    download(file, to)
    assert to.read_bytes() == CONTENT
    assert ranges(site) == [None, f"bytes={have}-"]
    tag = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    assert site.asked[1][1]["If-Range"] == f'"{tag}"'
    assert left(to.parent) == ["photos.tar"]


def test_a_connection_that_breaks_off_is_taken_up_again(
    site: Site, to: Path, messages: list[str]
) -> None:
    """More often than there are pauses: an attempt that brings something begins them anew."""
    site.faults = [cut(site, 40_000)] * 5
    download(site.file("photos.tar", CONTENT), to)
    assert to.read_bytes() == CONTENT
    assert ranges(site) == [None, *(f"bytes={n * 40_000}-" for n in range(1, 6))]
    assert "photos.tar: the connection broke off; trying again in 0 s" in messages


def test_a_server_that_does_not_know_ranges(site: Site, to: Path) -> None:
    site.ranges = False
    site.faults = [cut(site, 100_000)]
    download(site.file("photos.tar", CONTENT), to)
    assert to.read_bytes() == CONTENT
    assert ranges(site) == [None, "bytes=100000-"]


def test_without_ranges_an_endless_row_of_breaks_ends(site: Site, to: Path) -> None:
    site.ranges = False
    site.faults = [cut(site, 100_000)] * 50
    with pytest.raises(FetchError, match=r"100,000 of 300,000 bytes are here"):
        download(site.file("photos.tar", CONTENT), to)
    assert len(site.asked) == 3  # the first, which brought something, and one after each pause


@pytest.mark.parametrize(
    "headers",
    [{}, {"ETag": 'W/"1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, {"ETag": ""}],
    ids=["tag", "date", "neither"],
)
def test_a_file_that_changed_meanwhile(site: Site, to: Path, headers: dict[str, str]) -> None:
    """Where the server can tell, the new one is taken from its start; else the checksum tells."""
    old = bytes(len(CONTENT))
    site.headers = headers
    site.file("photos.tar", old)
    part = to.with_name("photos.tar.part")
    site.faults = [cut(site, 1000), status(404)]
    with pytest.raises(FetchError, match="404"):
        download(site.file("photos.tar", old), to)
    site.asked.clear()
    assert part.read_bytes() == old[:1000]
    file = site.file("photos.tar", CONTENT)
    if "Last-Modified" in headers:
        site.headers = {**headers, "Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}
    if headers == {"ETag": ""}:
        with pytest.raises(FetchError, match="is not the file it was: expected the SHA-256"):
            download(file, to)
        assert "If-Range" not in site.asked[0][1]
        download(file, to)
    else:
        download(file, to)
        assert "If-Range" in site.asked[0][1]
        assert len(site.asked) == 1
    assert to.read_bytes() == CONTENT


def test_a_range_of_something_else(site: Site, to: Path) -> None:
    to.with_name("photos.tar.part").write_bytes(CONTENT[:1000])
    site.headers = {"Content-Range": "bytes 0-4/5"}
    download(site.file("photos.tar", CONTENT), to)
    assert to.read_bytes() == CONTENT
    assert ranges(site) == ["bytes=1000-", None]


def test_a_range_that_is_refused(site: Site, to: Path) -> None:
    to.with_name("photos.tar.part").write_bytes(CONTENT[:1000])
    site.faults = [status(416)]
    download(site.file("photos.tar", CONTENT), to)
    assert to.read_bytes() == CONTENT
    assert ranges(site) == ["bytes=1000-", None]


def test_a_part_that_is_whole_needs_no_site(to: Path) -> None:
    with Site() as site:
        file = site.file("photos.tar", CONTENT)
    to.with_name("photos.tar.part").write_bytes(CONTENT)
    download(file, to)
    assert to.read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT[:1000], CONTENT + b"more"], ids=["begun", "too long"])
def test_a_wrong_checksum(site: Site, to: Path, part: bytes) -> None:
    """Nothing is thrown away, and the next call begins anew."""
    file = site.file("photos.tar", CONTENT, sha256="0" * 64)
    to.with_name("photos.tar.part").write_bytes(part)
    with pytest.raises(FetchError) as caught:
        download(file, to)
    wrong = to.with_name("photos.tar.wrong")
    whole = part if len(part) > len(CONTENT) else CONTENT
    assert str(caught.value) == (
        f"{file.url} is not the file it was: expected the SHA-256 {'0' * 64}, received "
        f"{hashlib.sha256(whole).hexdigest()}. It is kept as {wrong}. The same command downloads "
        "it anew; if that is no better, the site has changed it."
    )
    assert wrong.read_bytes() == whole
    assert left(to.parent) == ["photos.tar.wrong"]
    site.asked.clear()
    download(site.file("photos.tar", CONTENT), to)
    assert ranges(site) == [None]
    assert to.read_bytes() == CONTENT


def test_another_size_is_refused_before_it_is_downloaded(site: Site, to: Path) -> None:
    file = site.file("photos.tar", b"<html>Log in first</html>", size=300_000)
    with pytest.raises(FetchError) as caught:
        download(file, to)
    assert str(caught.value) == (
        f"{file.url} is not the file it was: expected 300,000 bytes, the server offers 25. The "
        "site has changed it, or a page stands in its place."
    )
    assert left(to.parent) == []


def test_no_more_is_taken_than_was_promised(site: Site, to: Path) -> None:
    """A server that does not say how much will come may send for ever."""
    site.headers = {"Content-Length": ""}
    file = site.file("photos.tar", CONTENT)
    with pytest.raises(FetchError, match="expected the SHA-256"):
        download(dataclasses.replace(file, size=100_000), to)
    assert to.with_name("photos.tar.wrong").stat().st_size == 100_001


def test_a_file_that_is_gone(site: Site, to: Path) -> None:
    file = site.file("photos.tar", CONTENT)
    site.files.clear()
    with pytest.raises(FetchError) as caught:
        download(file, to)
    assert str(caught.value) == (
        f"{file.url} cannot be downloaded: the server answered 404 Not Found. It may have moved."
    )
    assert len(site.asked) == 1
    assert left(to.parent) == []


def test_a_server_that_is_busy_is_asked_again(site: Site, to: Path, messages: list[str]) -> None:
    site.faults = [status(500), status(503)]
    download(site.file("photos.tar", CONTENT), to)
    assert to.read_bytes() == CONTENT
    assert messages == [
        "photos.tar: the server answered 500 Internal Server Error; trying again in 0 s",
        "photos.tar: the server answered 503 Service Unavailable; trying again in 0 s",
    ]


def test_a_server_that_stays_busy(site: Site, to: Path) -> None:
    site.faults = [status(503)] * 3
    file = site.file("photos.tar", CONTENT)
    with pytest.raises(FetchError) as caught:
        download(file, to)
    assert str(caught.value) == (
        f"{file.url} cannot be reached: the server answered 503 Service Unavailable. 0 of 300,000 "
        "bytes are here; the same command goes on from there."
    )


def test_a_server_that_falls_silent(site: Site, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "TIMEOUT", 1.0)
    monkeypatch.setattr(room, "PAUSES", ())

    def stall(request: Any) -> bool:
        site.answer(request, 1000)
        request.wfile.flush()
        request.rfile.read(1)  # until the other side has had enough
        return True

    site.faults = [stall]
    with pytest.raises(FetchError, match=r"nothing came for 1 s\. 1,000 of 300,000 bytes"):
        download(site.file("photos.tar", CONTENT), to)


def test_pauses_grow(site: Site, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(room.time, "sleep", waited.append)
    site.faults = [status(502)] * 4
    download(site.file("photos.tar", CONTENT), to)
    assert waited == [1, 2, 4, 8]


def test_nobody_is_there(to: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/photos.tar"
        with pytest.raises(FetchError, match="cannot be reached: Connection refused"):
            download(room.PublicFile("photos.tar", url, 10, "0" * 64), to)


def test_a_certificate_that_nobody_knows(to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "unable to get local issuer certificate"
        raise urllib.error.URLError(error)

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(FetchError) as caught:
        download(room.PublicFile("photos.tar", "https://x/photos.tar", 10, "0" * 64), to)
    assert str(caught.value) == (
        "https://x/photos.tar cannot be trusted: unable to get local issuer certificate. Install "
        "the certificates of this machine, or set SSL_CERT_FILE."
    )


def test_a_full_disk_is_not_a_broken_connection(
    site: Site, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(self))

    file = site.file("photos.tar", CONTENT)
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left on device"):
        download(file, to)
    assert len(site.asked) == 1
