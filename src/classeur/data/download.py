"""One file over HTTP, into its place only when it is whole and has its checksum.

What has come so far stands beside it as `<name>.part`, and is gone on with by a Range request.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from classeur.data.public import PublicFile
from classeur.errors import FetchError

TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt; they begin anew when an attempt has brought something."""

_BLOCK = 1 << 20
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_log = logging.getLogger("classeur")


class _BrokenConnectionError(Exception):
    """It may hold next time; the message is the reason."""


def download(file: PublicFile, to: Path) -> None:
    """Download a file, going on from what is there of it.

    Args:
        file: of known URL, size and checksum.
        to: where it is put, in a folder that exists.

    Raises:
        FetchError: if it cannot be had, or is another file than expected.
        OSError: if it cannot be written.
    """
    part = _beside(to, ".part")
    with tqdm(
        desc=file.name, total=file.size, unit="B", unit_scale=True, leave=False, disable=None
    ) as bar:
        received = _with_patience(file, part, bar)
    _beside(part, ".version").unlink(missing_ok=True)
    if received != file.sha256:
        wrong = _beside(to, ".wrong")
        part.replace(wrong)
        raise FetchError(
            f"{file.url} is not the file it was: expected the SHA-256 {file.sha256}, received "
            f"{received}. It is kept as {wrong}. The same command downloads it anew; if that is no "
            "better, the site has changed it."
        )
    part.replace(to)


def sha256(path: Path) -> str:
    """Return the checksum of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _with_patience(file: PublicFile, part: Path, bar: tqdm[Any]) -> str:
    """Receive a file in as many attempts as it takes; return its checksum."""
    most, attempt = _size(part), 0
    while True:
        try:
            return _receive(file, part, bar)
        except _BrokenConnectionError as error:
            if _size(part) > most:
                most, attempt = _size(part), 0
            if attempt == len(PAUSES):
                raise FetchError(
                    f"{file.url} cannot be reached: {error}. {_size(part):,} of {file.size:,} "
                    "bytes are here; the same command goes on from there."
                ) from error
            pause = PAUSES[attempt]
            _log.info("%s: %s; trying again in %g s", file.name, error, pause)
            time.sleep(pause)
            attempt += 1


def _receive(file: PublicFile, part: Path, bar: tqdm[Any]) -> str:
    size = file.size or 0
    if _size(part) >= size:
        return sha256(part)
    with _answer(file, part) as response:
        goes_on = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if not goes_on:
            _check_size(file, response)
            if _size(part):
                _log.info("%s: the server cannot go on with it; from the start", file.name)
            _remember_version(part, response)
        start = _size(part) if goes_on else 0
        with part.open("r+b" if goes_on else "w+b") as out:
            digest = hashlib.file_digest(out, "sha256")  # and stands at the end then
            bar.n = start
            for block in _blocks(response, size - start):
                out.write(block)
                digest.update(block)
                bar.update(len(block))
    if _size(part) < size:
        raise _BrokenConnectionError("the connection broke off")
    return digest.hexdigest()


def _answer(file: PublicFile, part: Path) -> http.client.HTTPResponse:
    """Ask for what is missing, or for all of it if the server has another file by now."""
    have = _size(part)
    response = _ask(file, _range(part, have))
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return response
    if re.match(rf"bytes {have}-\d+/({file.size}|\*)$", response.headers["Content-Range"] or ""):
        return response
    response.close()
    return _ask(file, {})


def _ask(file: PublicFile, headers: dict[str, str]) -> http.client.HTTPResponse:
    headers = {"User-Agent": "classeur", **headers}
    request = urllib.request.Request(file.url, headers=headers)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        answer = f"{error.code} {error.reason}"
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
            return _ask(file, {})
        if error.code in _PASSING:
            raise _BrokenConnectionError(f"the server answered {answer}") from error
        raise FetchError(
            f"{file.url} cannot be downloaded: the server answered {answer}. It may have moved."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise FetchError(
                f"{file.url} cannot be trusted: {reason.verify_message}. Install the certificates "
                "of this machine, or set SSL_CERT_FILE."
            ) from error
        raise _BrokenConnectionError(_words(reason)) from error
    return response


def _range(part: Path, have: int) -> dict[str, str]:
    """Ask for the rest, provided that the file is the one that was begun."""
    if not have:
        return {}
    version = _beside(part, ".version")
    known = {"If-Range": version.read_text("latin-1")} if version.is_file() else {}
    return {"Range": f"bytes={have}-", **known}


def _remember_version(part: Path, response: http.client.HTTPResponse) -> None:
    tag = response.headers["ETag"] or ""
    version = response.headers["Last-Modified"] if tag[:2] in ("", "W/") else tag
    if version:
        _beside(part, ".version").write_text(version, "latin-1")
    else:
        _beside(part, ".version").unlink(missing_ok=True)


def _check_size(file: PublicFile, response: http.client.HTTPResponse) -> None:
    if response.length not in (None, file.size):
        raise FetchError(
            f"{file.url} is not the file it was: expected {file.size:,} bytes, the server offers "
            f"{response.length:,}. The site has changed it, or a page stands in its place."
        )


def _blocks(response: http.client.HTTPResponse, most: int) -> Iterator[bytes]:
    """Yield what comes, as it comes; no more than was expected, and one byte to tell."""
    while most >= 0:
        try:
            block = response.read1(min(_BLOCK, most + 1))
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenConnectionError(_words(error)) from error
        if not block:
            return
        most -= len(block)
        yield block


def _words(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return f"nothing came for {TIMEOUT:g} s"
    strerror = reason.strerror if isinstance(reason, OSError) else None
    return strerror or " ".join(str(reason).split()) or type(reason).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
