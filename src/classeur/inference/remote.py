"""Photos that lie elsewhere: http and https by the standard library, s3, gs, … by fsspec."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from classeur.errors import InferenceError, UnreadablePhotoError
from classeur.run_folder import printable

MAX_BYTES = 64 << 20
"""Largest photo that is downloaded, in bytes. It is less than of a file, since every thread holds
one in memory, and a stranger's server may send without end."""

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as gone."""

DEADLINE = 120.0
"""Seconds that one photo may take in all, attempts and redirects included."""

PAUSES = (1.0, 3.0)
"""Seconds before each further attempt, where the server is busy or the connection breaks."""

_BLOCK = 1 << 20
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_NOT_LISTED = {"file", "local"}
_RESERVED = "%/:=&?~#+!$,;'@()*[]"


@dataclass(frozen=True)
class Remote:
    """A photo at a URL, to give to a predictor; downloaded when its turn comes."""

    url: str

    def __str__(self) -> str:
        return self.url

    def __call__(self) -> bytes:
        """Return the bytes. Raises UnreadablePhotoError with the reason."""
        return _download(self.url) if _protocol(self.url) in ("http", "https") else _open(self.url)


def is_url(text: str) -> bool:
    """Whether a text begins as a URL does; no path does so once it is a `Path`."""
    return _SCHEME.match(text) is not None


def photo_at(path: str) -> Path | Remote:
    """Return what the path of a prediction stands for."""
    return Remote(path) if is_url(path) else Path(path)


def check_url(url: str) -> None:
    """Raise InferenceError, saying what to do, if no photo can be had from such a URL."""
    protocol = _protocol(url)
    if protocol in _NOT_LISTED:
        raise InferenceError(f"{printable(url)} is a file of this machine; give its path instead.")
    if protocol not in ("http", "https"):
        try:
            _file_system(protocol)
        except UnreadablePhotoError as error:
            raise InferenceError(f"{printable(url)} {error}.") from error


def _protocol(url: str) -> str:
    found = _SCHEME.match(url)
    return found[1].lower() if found else ""


class _Clock:
    """Ends all connections of a download when its time is up, whatever they are at.

    A server may send a byte now and then, of its head too, or `100 Continue` without end.
    """

    def __init__(self) -> None:
        self.is_up = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(DEADLINE, 0.0), self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Clock:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for twin in self._sockets:
                twin.close()

    def watch(self, connected: socket.socket) -> None:
        """End this connection too, at once if the time is up."""
        with self._lock:  # of its own: encryption takes the first one away
            self._sockets.append(connected.dup())
        if self.is_up:
            self._end()

    def _end(self) -> None:
        self.is_up = True
        with self._lock:
            for twin in self._sockets:
                with suppress(OSError):
                    twin.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    clock: _Clock

    def connect(self) -> None:
        super().connect()
        self.clock.watch(self.sock)


class _SafeConnection(http.client.HTTPSConnection, _Connection):
    """Watched before its handshake: connecting it connects a `_Connection` first."""


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Speaks http and https over connections that a clock ends."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(self._connect, _Connection), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(self._connect, _SafeConnection), req)

    def _connect(self, kind: type[_Connection], host: str, **options: Any) -> _Connection:
        connection = kind(host, **options)
        connection.clock = self._clock
        return connection


def _download(url: str) -> bytes:
    with _Clock() as clock:
        for pause in (*PAUSES, None):
            try:
                return _once(url, clock)
            except (ConnectionError, UnreadablePhotoError) as error:
                if clock.is_up:
                    raise UnreadablePhotoError(
                        f"takes longer than {DEADLINE:g} s to download"
                    ) from error
                if isinstance(error, UnreadablePhotoError):
                    raise
                if pause is None:
                    raise UnreadablePhotoError(f"cannot be downloaded: {error}") from error
                time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _once(url: str, clock: _Clock) -> bytes:
    """Download a photo. Raises ConnectionError where another attempt may do better."""
    headers = {"User-Agent": "classeur"}
    try:
        request = urllib.request.Request(quote(url, safe=_RESERVED), headers=headers)
        with _opener(clock).open(request, timeout=TIMEOUT) as response:
            return _body(response, clock)
    except urllib.error.HTTPError as error:
        answer = f"the server answered {error.code} {_line(str(error.reason))}".rstrip()
        error.close()
        if error.code in _PASSING:
            raise ConnectionError(answer) from error
        raise UnreadablePhotoError(f"cannot be downloaded: {answer}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, (ConnectionError, http.client.IncompleteRead)):
            raise ConnectionError(_words(reason)) from error
        raise UnreadablePhotoError(f"cannot be downloaded: {_words(reason)}") from error


def _opener(clock: _Clock) -> urllib.request.OpenerDirector:
    """Return what speaks http and https and nothing else, wherever it may be redirected to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Handler(clock),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _body(response: Any, clock: _Clock) -> bytes:
    if (response.length or 0) > MAX_BYTES:
        raise _too_large()
    content = bytearray()
    while block := response.read1(_BLOCK):
        content += block
        if len(content) > MAX_BYTES:
            raise _too_large()
    if response.length or clock.is_up:
        raise ConnectionError("the connection broke off")
    return bytes(content)


def _open(url: str) -> bytes:
    """Read a photo through fsspec, which knows the file systems of clouds and others."""
    _file_system(_protocol(url))
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(url)
        with system.open(path, "rb") as file:
            content: bytes = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadablePhotoError("does not exist") from error
    except Exception as error:  # each file system has classes of its own
        raise UnreadablePhotoError(f"cannot be read: {_words(error)}") from error
    if len(content) > MAX_BYTES:
        raise _too_large()
    return content


def _file_system(protocol: str) -> None:
    """Raise UnreadablePhotoError, saying what to install, unless fsspec can read such URLs."""
    from fsspec.registry import get_filesystem_class, known_implementations

    if protocol in _NOT_LISTED:
        raise UnreadablePhotoError("is a file of this machine; give its path instead")
    try:
        get_filesystem_class(protocol)
    except ValueError as error:
        raise UnreadablePhotoError(
            f"begins with {protocol}://, which is none of http, https, s3, gs, … that fsspec knows"
        ) from error
    except ImportError as error:
        known = known_implementations[protocol]
        package = known["class"].partition(".")[0]
        how = "" if package == "fsspec" else f"; that is: pip install {package}"
        raise UnreadablePhotoError(
            f"cannot be read yet. {_words(known.get('err', error))}{how}"
        ) from error


def _too_large() -> UnreadablePhotoError:
    return UnreadablePhotoError(
        f"is larger than {MAX_BYTES >> 20} MiB, the most that is downloaded for one photo"
    )


def _words(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return f"nothing came for {TIMEOUT:g} s"
    strerror = reason.strerror if isinstance(reason, OSError) else None
    return _line(strerror or str(reason)) or type(reason).__name__


def _line(text: str) -> str:
    """Return what a stranger says as one short line, without control characters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in printable(text))
    return " ".join(shown.split())[:200]
