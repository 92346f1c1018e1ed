"""Photos that lie elsewhere: http and https by the standard library, s3, gs, … by fsspec."""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
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
"""Seconds that one photo may take in all: a server may also send a byte now and then."""

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


def _download(url: str) -> bytes:
    for pause in PAUSES:
        try:
            return _once(url)
        except ConnectionError:
            time.sleep(pause)
    try:
        return _once(url)
    except ConnectionError as error:
        raise UnreadablePhotoError(f"cannot be downloaded: {error}") from error


def _once(url: str) -> bytes:
    """Download a photo. Raises ConnectionError where another attempt may do better."""
    headers = {"User-Agent": "classeur"}
    try:
        request = urllib.request.Request(quote(url, safe=_RESERVED), headers=headers)
        with _opener().open(request, timeout=TIMEOUT) as response:
            return _body(response)
    except urllib.error.HTTPError as error:
        answer = f"the server answered {error.code} {printable(error.reason)}"
        error.close()
        if error.code in _PASSING:
            raise ConnectionError(answer) from error
        raise UnreadablePhotoError(f"cannot be downloaded: {answer}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, (ConnectionError, http.client.IncompleteRead)):
            raise ConnectionError(_words(reason)) from error
        raise UnreadablePhotoError(f"cannot be downloaded: {_words(reason)}") from error


def _opener() -> urllib.request.OpenerDirector:
    """Return what speaks http and https and nothing else, wherever it may be redirected to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _body(response: Any) -> bytes:
    if (response.length or 0) > MAX_BYTES:
        raise _too_large()
    end, content = time.monotonic() + DEADLINE, bytearray()
    while block := response.read1(_BLOCK):
        content += block
        if len(content) > MAX_BYTES:
            raise _too_large()
        if time.monotonic() > end:
            raise UnreadablePhotoError(f"takes longer than {DEADLINE:g} s to download")
    if response.length:
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
    text = " ".join(printable(strerror or str(reason)).split())
    return text[:200] or type(reason).__name__
