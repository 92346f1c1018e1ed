"""The command, as a process of its own: address, token, signals, slow clients, workers."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from classeur.cli.access import chosen_token, require_server
from classeur.errors import ClasseurError, ConfigError, RunFolderError, ServeError
from classeur.inference.serving import launch
from classeur.inference.serving.launch import announcement
from classeur.inference.serving.settings import ServeConfig, Served
from classeur.run_folder import RunFolder

LATE = (
    "import time\n"
    "from classeur.inference.predictor import Predictor\n"
    "answers = Predictor.answers\n"
    "def late(self, *a, **k):\n"
    "    time.sleep(1)\n"
    "    return answers(self, *a, **k)\n"
    "Predictor.answers = late\n"
)
MAIN = "from classeur.cli.main import main\nmain()\n"


def post(address: str, png: bytes, **headers: str) -> httpx2.Response:
    headers = {"Content-Type": "image/png", **headers}
    return httpx2.post(f"{address}predict", content=png, headers=headers, timeout=60)


class Running:
    """A server in a process of its own."""

    def __init__(self, run: RunFolder, *options: str, before: str = "", **environment: str) -> None:
        arguments = ["serve", str(run.path), "--port", "0", *options]
        self.process = subprocess.Popen(
            [sys.executable, "-c", before + MAIN, *arguments],
            stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0
        for _ in range(3600):
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", "".join(self.lines)):
                self.port = int(found[1])
                break
            if self.process.poll() is not None:
                break
            time.sleep(0.05)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def end(self, how: int = signal.SIGTERM) -> int:
        """Ask the server to end; return its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(60)
        self._reader.join(10)
        return code


@pytest.fixture
def serving(run: RunFolder) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def serve(*options: str, **settings: str) -> Running:
        started.append(Running(run, *options, **settings))
        return started[-1]

    yield serve
    for one in started:
        one.process.kill()
        one.process.wait()
        if one.process.stderr:
            one._reader.join(10)
            one.process.stderr.close()


@pytest.mark.slow
def test_what_was_accepted_is_answered_before_the_end(
    serving: Callable[..., Running], png: bytes
) -> None:
    server = serving(before=LATE)
    answers: list[Any] = []
    asking = [
        threading.Thread(target=lambda: answers.append(post(server.address, png))) for _ in range(4)
    ]
    for one in asking:
        one.start()
    metrics = f"{server.address}metrics"
    while not re.search(r"waiting_photos{.*} 4\.0", httpx2.get(metrics, timeout=60).text):
        time.sleep(0.02)
    assert server.end() == 0
    for one in asking:
        one.join()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert server.lines[0].startswith("serving on http://127.0.0.1:")
    assert server.lines[-1] == "stopped\n"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port))


def ask(address: str) -> socket.socket:
    """Return a connection to a server; whoever waits on it gives up after a while."""
    connection = socket.create_connection(("127.0.0.1", int(address.rsplit(":")[2][:-1])))
    connection.settimeout(30)
    return connection


def test_a_client_that_never_says_what_it_wants_is_sent_away(
    address: Callable[..., str], png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "HEAD_SECONDS", 0.5)
    served = address()
    began = time.monotonic()
    with ask(served) as silent, ask(served) as slow, ask(served) as second:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        second.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while b'"ok"' not in answer:
            answer += second.recv(1000)
        second.sendall(b"GET /hea")
        for one in (silent, slow, second):
            assert one.recv(1000) == b""
    assert 0.4 < time.monotonic() - began < 5  # uvicorn's own limit is 5 seconds


def test_a_slow_body_and_one_that_ends_early(address: Callable[..., str], png: bytes) -> None:
    served = address(receive_seconds=0.5)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    with ask(served) as slow:
        slow.sendall(head + b"Content-Length: 1000\r\n\r\n" + png[:10])
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
    with ask(served) as gone:
        gone.sendall(head + b"Content-Length: 1000\r\n\r\n" + png[:10])
    assert post(served, png).status_code == 200
    for _ in range(100):
        text = httpx2.get(f"{served}metrics", timeout=60).text
        if 'status="400"' in text:
            break
        time.sleep(0.05)
    counted = re.findall(r'requests_total{path="/predict",status="(\d+)"', text)
    assert sorted(counted) == ["200", "400", "408"]
    assert re.search(r"waiting_bytes{.*} 0\.0", text)


@pytest.mark.slow
def test_several_workers(serving: Callable[..., Running], png: bytes) -> None:
    server = serving("--workers", "2", CLASSEUR_TOKEN="secret")
    assert post(server.address, png).status_code == 401
    headers = {"Authorization": "Bearer secret"}
    seen: set[str] = set()
    for _ in range(60):
        assert post(server.address, png, **headers).status_code == 200
        text = httpx2.get(f"{server.address}metrics", headers=headers, timeout=60).text
        seen |= set(re.findall(r'worker="(\d+)"', text))
        if len(seen) == 2:
            break
    assert len(seen) == 2
    listed = Path(f"/proc/{next(iter(seen))}/cmdline")
    assert not listed.exists() or b"secret" not in listed.read_bytes()
    os.kill(int(min(seen)), signal.SIGKILL)  # another takes its place
    for _ in range(5):
        assert post(server.address, png, **headers).status_code == 200
    assert server.end() == 0


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_cannot_be_loaded_is_said_once(tmp_path: Path, workers: int) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ClasseurError) as raised:
        launch.serve(Served(gone), ServeConfig(port=0, workers=workers))
    assert isinstance(raised.value, RunFolderError if workers == 1 else ServeError)
    assert str(raised.value).startswith(f"{gone} is no run folder: it does not exist.")


def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServeError) as raised:
            launch.serve(Served(Path("run")), ServeConfig(port=port))
    assert str(raised.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --port (0: any "
        "that is free) or --host."
    )


def test_a_token_that_no_header_can_carry() -> None:
    for token in ("two words", "clé", "=", "a\nb"):
        with pytest.raises(ServeError) as raised:
            launch.serve(Served(Path("run")), ServeConfig(port=0), token)
        assert str(raised.value) == (
            "the token has characters that no header can carry; expected letters, digits and "
            "-._~+/=, for example what this prints: openssl rand -hex 32"
        )


@pytest.mark.parametrize(
    ("address", "has_token", "warns"),
    [
        (("127.0.0.1", 80), False, False),
        (("::1", 80), False, False),
        (("0.0.0.0", 80), False, True),
        (("::", 80), False, True),
        (("0.0.0.0", 80), True, False),
    ],
)
def test_a_warning_where_others_can_reach_it(
    address: tuple[str, int], has_token: bool, warns: bool
) -> None:
    first, *rest = announcement(address, has_token=has_token)
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    assert first == f"serving on http://{host}:80/ (end with Ctrl-C)"
    warning = (
        f"warning: {address[0]} can be reached from other machines, and no token is asked for. Set "
        "CLASSEUR_TOKEN or --token-file, or leave out --host."
    )
    assert rest == ([warning] if warns else [])


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ConfigError) as raised:
        ServeConfig(
            port=70000, workers=0, batch_size=0, max_megapixels=500, receive_seconds=0,
            max_files=200, max_request_mb=512, allow_origin=("example.org", "https://a.org/x"),
        )  # fmt: skip
    assert raised.value.problems == [
        "port must be from 0 to 65535, received 70000.",
        "workers must be at least 1, received 0.",
        "batch_size must be at least 1, received 0.",
        "max_megapixels must be from 1 to 150, received 500.",
        "receive_seconds must be at least 0.1, received 0.",
        "max_waiting must be at least max_files (200), received 128.",
        "max_waiting_mb must be at least max_request_mb (512), received 256.",
        "allow_origin takes sites such as https://example.org, received 'example.org'.",
        "allow_origin takes sites such as https://example.org, received 'https://a.org/x'.",
    ]


def test_the_token_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  secret\n")
    assert chosen_token("other", tmp_path / "token") == "secret"
    assert chosen_token("other", None) == "other"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\n", "is empty; expected a token."),
        (b"\xff\x00", "is not text; expected a token."),
    ],
)
def test_a_file_that_holds_no_token(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ServeError) as raised:
        chosen_token("", tmp_path / "token")
    assert str(raised.value) == f"{tmp_path / 'token'} {reason}"


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ServeError) as raised:
        require_server()
    assert str(raised.value) == (
        'a server needs prometheus_client. Install it with: pip install "classeur[serve]"'
    )
