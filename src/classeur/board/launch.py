"""Listen, show, and end in good order."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from classeur.board.app import Board, create_app
from classeur.board.settings import BoardConfig
from classeur.errors import ServeError
from classeur.inference.serving.launch import (
    Server,
    announcement,
    check_token,
    config_of,
    listen,
    start_log,
)


class BoardServer(Server):
    """Ours, which lets those who follow go before it waits for them."""

    board: Board
    overdue: threading.Timer | None = None
    """Started when it is to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then what uvicorn ends."""
        if self.overdue is not None:
            self.overdue.start()
        self.board.watcher.stopping.set()
        await super().shutdown(sockets)


def serve_board(
    root: Path,
    settings: BoardConfig,
    token: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Show a folder of runs until told to end.

    Args:
        root: the folder.
        settings: where to listen, how often to look.
        token: what clients must show; empty: nothing.
        tell: called with what a person should know, a sentence at a time.

    Raises:
        ServeError: if there is no such folder, the address cannot be had, or the token cannot be
            sent.
    """
    check_token(token)
    if not root.is_dir():
        raise ServeError(f"{root} is no folder. Expected one with runs and studies in it.")
    with listen(settings) as listener:
        start_log()
        server, _ = server_of(root, settings, token)
        for text in announcement(listener.getsockname()[:2], has_token=bool(token)):
            tell(text)
        server.overdue = threading.Timer(settings.stop_seconds, _leave, [tell])
        server.overdue.daemon = True
        try:
            with suppress(KeyboardInterrupt):  # uvicorn repeats the signal once it has ended
                server.run([listener])
        finally:
            server.overdue.cancel()
    tell("stopped")


def _leave(tell: Callable[[str], None]) -> None:
    """End the process although a thread is at work: it only reads, and cannot be ended alone."""
    tell("stopped; what was still being read or sent was given up")
    os._exit(0)


def server_of(root: Path, settings: BoardConfig, token: str = "") -> tuple[BoardServer, Board]:
    """Return a server that is ready to run, and its board."""
    app, board = create_app(root, settings, token)
    server = BoardServer(config_of(app, settings))
    server.board = board
    return server, board
