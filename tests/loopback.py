"""A site on this machine, which can be told to misbehave."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from classeur.data.public import PublicFile

Misbehave = Callable[[Any], bool]


class Site:
    """Serves `files`, by name; with Range and ETag unless told otherwise.

    `faults` are used up one a request: each is called with the handler, and answers the request
    itself if it returns True.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.faults: list[Misbehave] = []
        self.ranges = True
        self.headers: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, dict(self.headers.items())))
                if not (site.faults and site.faults.pop(0)(self)):
                    site.answer(self)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that hangs up is what some tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Site:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    def file(self, name: str, content: bytes, **changes: Any) -> PublicFile:
        """Put a file on the site, and return what a catalogue says of it."""
        self.files[name] = content
        facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return PublicFile(name, self.address + name, **{**facts, **changes})

    def answer(self, request: BaseHTTPRequestHandler, most: int | None = None) -> None:
        """Answer as servers do; of the body, `most` bytes at most, and then hang up."""
        content = self.files.get(request.path[1:])
        if content is None:
            request.send_error(404)
            return
        tag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        wanted = re.match(r"bytes=(\d+)-$", request.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and self.ranges else 0
        if request.headers.get("If-Range", tag) not in (tag, self.headers.get("Last-Modified")):
            start = 0
        if start and start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        headers = {"ETag": tag, "Content-Length": str(len(content) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        for name, value in {**headers, **self.headers}.items():
            if value:
                request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content[start:][:most])


def status(code: int) -> Misbehave:
    """Answer with a status instead of the file."""

    def fault(request: Any) -> bool:
        request.send_error(code)
        return True

    return fault


def cut(site: Site, after: int) -> Misbehave:
    """Hang up after so many bytes of the body."""

    def fault(request: Any) -> bool:
        site.answer(request, after)
        return True

    return fault
