"""What every request passes: name, origin, token, headers; and a last look at unread bodies."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classeur.inference.serving.names import Names

OPEN = frozenset({"/", "/healthz", "/readyz", "/openapi.json"})
"""What needs no token, beside the files of the page."""

PROBES = frozenset({"/healthz", "/readyz"})
"""What may be asked by any name: they say nothing of photos or the network."""

LINGER = 2.0
"""Seconds in which what is left of a refused body is thrown away. Who is still sending when the
connection closes would not see the reason."""

SEND_SECONDS = 30.0
"""Time for a client to take what it was sent."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets a request through, or answers it.

    Args:
        app: what is guarded.
        token: what a client must show; empty: nothing.
        origins: web sites whose pages may ask.
        names: of this machine, beside its own. Without a token, only requests to these or to an
            address are answered.
    """

    def __init__(
        self, app: ASGIApp, token: str, origins: Sequence[str], names: Sequence[str] = ()
    ) -> None:
        self._app, self._origins, self._names = app, frozenset(origins), Names(names)
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = _Body(receive, headers)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.drain()
                own = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    own.setdefault(name, value)
            with suppress(TimeoutError):  # who does not read is not waited for
                await asyncio.wait_for(send(message), SEND_SECONDS)

        refusal = self._refusal(scope, headers)
        await (refusal or self._app)(scope, body.receive, answer)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        path, host = scope["path"], headers.get("host", "")
        if not self._token and path not in PROBES and host not in self._names:
            return JSONResponse({"error": "this server is not known by that name."}, 403)
        if scope["method"] not in ("GET", "HEAD") and not self._may_ask(headers):
            return JSONResponse({"error": "pages of other web sites may not ask here."}, 403)
        if not self._token or path in OPEN or path.startswith("/web/"):
            return None
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(
            shown.strip().encode("latin-1"), self._token
        ):
            return None
        return JSONResponse(
            {"error": "expected the header Authorization: Bearer TOKEN with this server's token."},
            401,
            {"WWW-Authenticate": "Bearer"},
        )

    def _may_ask(self, headers: Headers) -> bool:
        """Whether no page of another web site asks, or one that may.

        Browsers send `Sec-Fetch-Site` to addresses that speak TLS and to this machine, and else
        only the origin.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin in self._origins or site == "same-origin":
            return True
        own = [f"{scheme}://{headers.get('host', '')}".lower() for scheme in ("http", "https")]
        return site == "none" and (origin is None or origin.lower() in own)


class _Body:
    """Knows how much of a request's body is still to come."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._is_over = not has_body
        # who waits for a "100 Continue" has sent nothing yet
        self._is_held = headers.get("expect", "").lower() == "100-continue"

    async def receive(self) -> Message:
        self._is_held = False
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            self._is_over = True
        return message

    async def drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while not (self._is_over or self._is_held):
                    await self.receive()
