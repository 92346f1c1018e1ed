"""What every request passes: token, origin, headers; and a last look at bodies nobody read."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = frozenset({"/", "/healthz", "/readyz", "/openapi.json"})
"""What needs no token, beside the files of the page."""

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
    """

    def __init__(self, app: ASGIApp, token: str, origins: Sequence[str]) -> None:
        self._app, self._origins = app, frozenset(origins)
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
        path, site = scope["path"], headers.get("sec-fetch-site", "none")
        if (
            scope["method"] not in ("GET", "HEAD")
            and site not in ("same-origin", "none")
            and headers.get("origin") not in self._origins
        ):
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
