"""A headless Chromium in which an exported page answers photos, from the bytes of their files.

The page is served on the loopback interface as any file server would serve it. One more document
beside it, which is in no export, asks for photo after photo and says what the page's own scripts
have answered.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from classeur.errors import InferenceError

START = 60
"""Seconds for a browser to show the page; the network is loaded later."""

PATIENCE = 300
"""Seconds for one photo."""

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_OPTIONS = (
    "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
_PAGE = """<!DOCTYPE html><meta charset="utf-8"><script type="module">
import { classify, model } from "./web/ask.js";
async function said(photo) {
  try {
    await model();
    return { ranked: (await classify(photo, Infinity)).top };
  } catch (error) {
    return { status: error.status ?? 0, reason: error.message };
  }
}
for (;;) {
  const given = await fetch("proof/photo");
  if (given.status !== 200) break;
  const body = JSON.stringify(await said(await given.blob()));
  await fetch("proof/answer", { method: "POST", body });
}
</script>"""


def browser_program() -> str | None:
    """Return the path of a Chromium, Chrome or Edge; None where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    return found or (str(_MAC) if _MAC.is_file() else None)


class Browser:
    """A browser with the page of a folder; a context that ends it."""

    def __init__(self, program: str, folder: Path) -> None:
        self.name = ""
        """What it calls itself, with its version; empty if it does not start."""
        self._photos: Queue[bytes | None] = Queue()
        self._answers: Queue[dict[str, Any]] = Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, folder))
        self._server.daemon_threads = True
        self._profile = tempfile.TemporaryDirectory(
            prefix="classeur-browser-", ignore_cleanup_errors=True
        )
        self._program = program

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{self._server.server_port}/proof.html"
        root = ["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [self._program, *_OPTIONS, *root, f"--user-data-dir={self._profile.name}", address],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + START
        while not self.name and self._process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._photos.put(None)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._server.shutdown()
        self._server.server_close()
        self._profile.cleanup()

    def ask(self, photo: bytes) -> dict[str, float] | None:
        """Return the probability of each class; None if the browser cannot open the photo.

        Raises:
            InferenceError: if it fails at it, or says nothing.
        """
        self._photos.put(photo)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self._answers.get(timeout=1)
                break
            except Empty:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise InferenceError(f"{self.name} said nothing of a photo.") from None
        if "ranked" in answer:
            return {one["label"]: one["probability"] for one in answer["ranked"]}
        if answer["status"] == 422:
            return None
        raise InferenceError(f"the page fails in {self.name}: {answer['reason'] or 'no reason'}.")

    def next_photo(self) -> bytes | None:
        """Wait for the next photo; None if there is none any more."""
        return self._photos.get()

    def answered(self, answer: dict[str, Any]) -> None:
        """Take what the page says of the last photo."""
        self._answers.put(answer)


def _handler(browser: Browser, folder: Path) -> type[SimpleHTTPRequestHandler]:
    """Serve a folder, the page of the proof, and the photos one after the other."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            if self.path == "/proof.html":
                self.reply(_PAGE.encode(), "text/html")
            elif self.path == "/proof/photo":
                browser.name = browser.name or _name(self.headers.get("User-Agent", ""))
                photo = browser.next_photo()
                self.reply(photo or b"", "application/octet-stream", 204 if photo is None else 200)
            else:
                super().do_GET()

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(b"", "text/plain")
            browser.answered(json.loads(said))

        def reply(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _name(agent: str) -> str:
    found = re.search(r"(?:Headless)?Chrome/[\d.]+", agent)
    return found[0] if found else agent or "a browser"
