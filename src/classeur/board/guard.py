"""What every request passes: the name it asks for, the site it comes from, the token."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classeur.inference.serving.names import Names

SEND_SECONDS = 30.0
"""Time for a client to take what it was sent."""

COOKIE = "classeur-board"
"""Shows that the token was given. It holds no token, and ends with the board."""

OPEN = ("/web/", "/shared/")
"""What needs no token, beside the page itself, which has nothing in it."""

_PAGES = frozenset({"/", "/run", "/study", "/compare", "/enter", "/healthz"})

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SHEET_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of the pages that lie in the runs: they bring their style and pictures, and no script."""

HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets a request through, or answers it.

    Without a token, only requests to an address or to a name of this machine are answered.

    Args:
        app: what is guarded.
        token: what a client must show; empty: nothing.
        names: of this machine, beside its own.
    """

    def __init__(self, app: ASGIApp, token: str, names: Sequence[str] = ()) -> None:
        self._app, self._token = app, token.encode()
        self._session = secrets.token_urlsafe(32).encode()
        self._names = Names(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    own.setdefault(name, value)
            await asyncio.wait_for(send(message), SEND_SECONDS)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None and scope["path"] == "/enter":
            refusal = self._entered(headers)
        with suppress(TimeoutError):  # uvicorn then closes the connection
            await (refusal or self._app)(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        if not self._token and headers.get("host", "") not in self._names:
            return JSONResponse({"error": "this board is not known by that name."}, 403)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return JSONResponse({"error": "method not allowed."}, 405)
        site = headers.get("sec-fetch-site", "none")
        is_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if site not in ("same-origin", "none") and not is_link:
            return JSONResponse({"error": "pages of other web sites may not ask here."}, 403)
        path = scope["path"]
        if path in _PAGES or path.startswith(OPEN) or self._is_known(headers):
            return None
        return JSONResponse({"error": "expected this board's token."}, 401)

    def _is_known(self, headers: Headers) -> bool:
        if not self._token:
            return True
        cookies = cookie_parser(headers.get("cookie", ""))
        shown = cookies.get(COOKIE, "").encode("utf-8", "replace")
        return hmac.compare_digest(shown, self._session) or self._has_token(headers)

    def _has_token(self, headers: Headers) -> bool:
        kind, _, shown = headers.get("authorization", "").partition(" ")
        is_token = hmac.compare_digest(shown.strip().encode("latin-1"), self._token)
        return kind.lower() == "bearer" and is_token

    def _entered(self, headers: Headers) -> JSONResponse:
        """Answer who shows the token, with a cookie: links and pictures carry no header."""
        if self._token and not self._has_token(headers):
            return JSONResponse({"error": "that is not this board's token."}, 401)
        answer = JSONResponse({})
        session = self._session.decode()
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        return answer
