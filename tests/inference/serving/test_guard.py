"""Who may ask, what the answer's head says, and what becomes of bodies that nobody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from classeur.inference.serving import guard
from classeur.inference.serving.guard import Guard

Start = Callable[..., TestClient]


@pytest.fixture(scope="module")
def secured(start: Start) -> TestClient:
    return start(token="sesam+0/=")


def bearer(token: str) -> dict[bytes, bytes]:
    return {b"Authorization": f"Bearer {token}".encode()}


def test_a_token_is_asked_for(secured: TestClient, png: bytes) -> None:
    for path in ("/predict", "/explain"):
        headers = {b"Content-Type": b"image/png"}
        assert secured.post(path, content=png, headers=headers).status_code == 401
        headers |= bearer("sesam+0/=")
        assert secured.post(path, content=png, headers=headers).status_code == 200
    for path in ("/model", "/metrics", "/nothing", "/web", "/Healthz"):
        response = secured.get(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json() == {
            "error": "expected the header Authorization: Bearer TOKEN with this server's token."
        }
    for path in ("/", "/healthz", "/readyz", "/openapi.json", "/web/page.js"):
        assert secured.get(path).status_code == 200


@pytest.mark.parametrize(
    "shown",
    ["Bearer", "Bearer sesam", "Bearer sesam+0/= ?", "Basic sesam+0/=", "sesam+0/=", "Bearer \xff"],
)
def test_what_is_not_the_token(secured: TestClient, shown: str) -> None:
    headers = {b"Authorization": shown.encode()}
    assert secured.get("/model", headers=headers).status_code == 401


def test_tokens_are_compared_in_constant_time(
    secured: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def compare(*both: bytes) -> bool:
        seen.append(both)
        return False

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    assert secured.get("/model", headers=bearer("sesam+0/=")).status_code == 401
    assert seen == [(b"sesam+0/=", b"sesam+0/=")]


def test_every_answer_has_the_headers(secured: TestClient) -> None:
    for path in ("/", "/model", "/healthz", "/nothing", "/web/page.js"):
        headers = secured.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_pages_of_other_sites_may_not_ask(client: TestClient, png: bytes) -> None:
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        headers = {"Content-Type": "image/png", "Sec-Fetch-Site": site, "Origin": "https://b.org"}
        response = client.post("/predict", content=png, headers=headers)
        assert response.status_code == status
    assert client.get("/healthz", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/predict", headers=headers).json() == {
        "error": "pages of other web sites may not ask here."
    }


def test_pages_of_a_site_that_was_named(start: Start, png: bytes) -> None:
    named = start(allow_origin=("https://a.org",))
    asks = {"Content-Type": "image/png", "Sec-Fetch-Site": "cross-site"}
    good = named.post("/predict", content=png, headers=asks | {"Origin": "https://a.org"})
    assert good.status_code == 200
    assert good.headers["access-control-allow-origin"] == "https://a.org"
    bad = named.post("/predict", content=png, headers=asks | {"Origin": "https://b.org"})
    assert bad.status_code == 403
    assert "access-control-allow-origin" not in bad.headers
    first = {"Origin": "https://a.org", "Access-Control-Request-Method": "POST"}
    assert named.options("/predict", headers=first).status_code == 200


def test_only_names_of_this_machine_are_answered_without_a_token(
    start: Start, client: TestClient, png: bytes
) -> None:
    asks = {"Content-Type": "image/png"}
    for host in (
        "127.0.0.1:8000",
        "localhost:1",
        "LOCALHOST",
        "[::1]:8000",
        "10.0.0.1",
        "a.localhost",
    ):
        assert client.get("/model", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
        for answer in (
            client.get("/model", headers={"Host": host}),
            client.post("/predict", content=png, headers={**asks, "Host": host}),
        ):
            assert (answer.status_code, answer.json()) == (
                403, {"error": "this server is not known by that name."},
            ), host  # fmt: skip
    named = {"Host": "Photos.example:8000"}
    assert client.get("/healthz", headers=named).status_code == 200
    assert start(host="photos.example").get("/model", headers=named).status_code == 200
    assert start(host="0.0.0.0").get("/model", headers=named).status_code == 403
    shown = {**named, "Authorization": "Bearer sesam"}
    assert start(token="sesam").get("/model", headers=shown).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://10.0.0.1:8000", 200), ("https://10.0.0.1:8000", 200), ("https://a.org", 200),
        ("http://evil", 403), ("http://10.0.0.1:9000", 403), ("http://10.0.0.1", 403),
        ("null", 403), ("", 403),
    ],
)  # fmt: skip
def test_browsers_that_say_only_the_origin(
    start: Start, png: bytes, origin: str, status: int
) -> None:
    asks = {"Content-Type": "image/png", "Host": "10.0.0.1:8000", "Origin": origin}
    served = start(allow_origin=("https://a.org",))
    assert served.post("/predict", content=png, headers=asks).status_code == status


def exchange(headers: dict[str, str], chunks: int, *, endless: bool = False) -> tuple[int, Any]:
    """Send a body in chunks to an application that reads none of it.

    Returns:
        chunks that were taken before the answer, and what was sent.
    """
    taken, sent = 0, []

    async def app(*channels: Any) -> None:
        await PlainTextResponse("no", 413)(*channels)

    async def receive() -> dict[str, Any]:
        nonlocal taken
        await asyncio.sleep(0)
        taken += 1
        return {"type": "http.request", "body": b"x", "more_body": endless or taken < chunks}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in {"host": "[::1]", **headers}.items()]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": raw}
    asyncio.run(Guard(app, "", ())(scope, receive, send))
    return taken, sent


def test_who_is_still_sending_reads_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LINGER", 0.2)
    assert exchange({"content-length": "3"}, 3)[0] == 3
    assert exchange({"transfer-encoding": "chunked"}, 5)[0] == 5
    taken, sent = exchange({"transfer-encoding": "chunked"}, 0, endless=True)
    assert taken > 5
    assert sent[0]["status"] == 413


def test_nothing_is_read_of_who_has_not_begun() -> None:
    assert exchange({}, 1)[0] == 0
    assert exchange({"content-length": "0"}, 1)[0] == 0
    assert exchange({"content-length": "9", "expect": "100-continue"}, 9)[0] == 0


def test_who_does_not_read_the_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SEND_SECONDS", 0.05)

    async def never(_: Any) -> None:
        await asyncio.sleep(60)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(
        asyncio.wait_for(Guard(PlainTextResponse("hello"), "", ())(scope, receive, never), 5)
    )
