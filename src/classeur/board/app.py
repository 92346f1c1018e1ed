"""The routes: what is in the folder, as it changes, and what lies in it to be seen."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, unquote_to_bytes

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from classeur.board.comparing import (
    CELLS,
    PAGE,
    SPLITS,
    Comparison,
    Scored,
    check_same_split,
    compare_runs,
    photos_of,
    read_scored,
)
from classeur.board.finding import Found
from classeur.board.guard import SHEET_POLICY, Guard
from classeur.board.pictures import picture, root_of
from classeur.board.reading import check_files
from classeur.board.settings import BoardConfig
from classeur.board.states import finite, why
from classeur.board.watcher import Watcher
from classeur.data.manifest import ManifestRow, read_manifest
from classeur.data.reader import PhotoReader
from classeur.errors import ClasseurError, UnreadablePhotoError
from classeur.run_folder import RunFolder, printable, read_json
from classeur.training.history import read_history

WEB = Path(__file__).with_name("web")
SHARED = Path(__file__).parents[1] / "inference" / "web"
"""The style of the page that classifies photos, which is ours, too."""

SHEETS = {
    "index.html": "text/html; charset=utf-8",
    "report.html": "text/html; charset=utf-8",
    "report.md": "text/plain; charset=utf-8",
    "README.md": "text/plain; charset=utf-8",
}
"""The files of a run, study or search that are sent, and as what."""

Result = TypeVar("Result")


class Refused(Exception):  # noqa: N818 - nothing went wrong here
    """A status, and its reason in one sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Board:
    """What the routes share: the watcher, and what is kept of what was read."""

    def __init__(self, root: Path, settings: BoardConfig) -> None:
        self.watcher = Watcher(root, settings)
        self.settings = settings
        self._reading = asyncio.Semaphore(2)
        self.scored = functools.lru_cache(4)(_scored)
        self.comparison = functools.lru_cache(8)(self._compared)
        self.photos = functools.lru_cache(8)(_photos)
        self.picture = functools.lru_cache(1000)(self._picture)

    async def one(self, id_: str, kind: str = "") -> Found:
        """Return a folder by its id. Raises Refused (404) for any other."""
        await self.watcher.look()
        found = self.watcher.found.get(id_)
        if found is None or kind not in ("", found.kind):
            raise Refused(404, "there is no such run in this folder.")
        return found

    async def reading(self, work: Callable[[], Result]) -> Result:
        """Return what reading files gives, two at a time. Raises Refused with the reason."""
        async with self._reading:
            try:
                return await asyncio.to_thread(work)
            except Refused:
                raise
            except UnreadablePhotoError as error:
                raise Refused(404, f"this photo {printable(str(error))}.") from error
            except ClasseurError as error:
                raise Refused(409, why(error)) from error
            except Exception as error:  # a folder may hold anything
                raise Refused(409, why(error)) from error

    def _compared(self, first: Kept, second: Kept, split: str) -> Comparison:
        names = (printable(first.one.path.name), printable(second.one.path.name))
        scored = (self.scored(first), self.scored(second))
        check_same_split(names, scored)
        return compare_runs(names, scored, split)

    def _picture(self, kept: Kept, row: int) -> tuple[bytes, str]:
        rows, reader = self.photos(kept)
        if not 0 <= row < len(rows):
            raise Refused(404, "there is no such photo in this run.")
        return picture(reader, rows[row])


class Following(StreamingResponse):
    """The events for one follower, who has a place from here to the end, however it ends."""

    def __init__(self, board: Board, mark: str) -> None:
        super().__init__(board.watcher.follow(mark), media_type="text/event-stream")
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the follower goes or the board ends. Raises Refused (503): no place left."""
        watcher = self._board.watcher
        if watcher.followers >= self._board.settings.max_followers:
            raise Refused(503, "too many pages follow this board; ask again now and then.")
        watcher.followers += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            watcher.followers -= 1


class Kept:
    """A run as it was when it was found: the same as long as its files have not changed."""

    def __init__(self, one: Found) -> None:
        self.one = one
        self._key = (str(one.path), tuple(sorted(one.files.items())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _scored(kept: Kept) -> Scored:
    return read_scored(kept.one)


def _photos(kept: Kept) -> tuple[list[ManifestRow], PhotoReader]:
    check_files(kept.one)
    run = RunFolder(kept.one.path)
    return read_manifest(run.manifest).rows, PhotoReader(root_of(run))


def create_app(root: Path, settings: BoardConfig, token: str = "") -> tuple[Guard, Board]:
    """Return the application that shows a folder, and what stops it.

    Args:
        root: the folder of runs.
        settings: how often to look, and for how many.
        token: what a client must show; empty: nothing.
    """
    board = Board(root, settings)
    app = FastAPI(title="Classeur board", docs_url=None, redoc_url=None, openapi_url=None)
    _handle_errors(app)
    _add_pages(app)
    _add_states(app, board)
    _add_comparison(app, board)
    _add_files(app, board)
    app.mount("/web", StaticFiles(directory=WEB), "web")
    app.mount("/shared", StaticFiles(directory=SHARED), "shared")
    return Guard(app, token, [settings.host]), board


def _add_pages(app: FastAPI) -> None:
    async def page() -> FileResponse:
        return FileResponse(WEB / "board.html")

    for path in ("/", "/run", "/study", "/compare"):
        app.get(path)(page)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}


def _add_states(app: FastAPI, board: Board) -> None:
    watcher = board.watcher

    @app.get("/api/runs")
    async def runs(since: str = "") -> Response:
        await watcher.look()
        return Response(watcher.since(since), media_type="application/json")

    @app.get("/api/events")
    async def events(
        since: str = "", last_event_id: Annotated[str, Header()] = ""
    ) -> StreamingResponse:
        return Following(board, last_event_id or since)

    @app.get("/api/run")
    async def run(id_: Annotated[str, Query(alias="id")]) -> JSONResponse:
        one = await board.one(id_, "run")
        told = await board.reading(lambda: _histories(one))
        return JSONResponse({"run": asdict(watcher.states[id_]), **told})

    @app.get("/api/study")
    async def study(id_: Annotated[str, Query(alias="id")]) -> JSONResponse:
        one = await board.one(id_)
        told = await board.reading(lambda: _study_facts(one))
        runs = [f for f in watcher.found.values() if f.kind == "run" and f.group == id_]
        return JSONResponse({**told, "curves": await asyncio.to_thread(_curves, runs)})


def _add_comparison(app: FastAPI, board: Board) -> None:
    @app.get("/api/compare")
    async def compare(
        first: str, second: str, split: str = "test", cell: str = "first",
        page: Annotated[int, Query(ge=0, le=100_000)] = 0,
    ) -> JSONResponse:  # fmt: skip
        if split not in SPLITS or cell not in CELLS:
            raise Refused(422, f"split is one of {', '.join(SPLITS)}; cell of {', '.join(CELLS)}.")
        one, other = Kept(await board.one(first, "run")), Kept(await board.one(second, "run"))
        found = await board.reading(lambda: board.comparison(one, other, split))
        photos = photos_of(found, cell, page)
        return JSONResponse({**found.facts, "photos_of": photos, "page_size": PAGE})

    @app.get("/photo")
    async def photo(run: str, row: int) -> Response:
        one = Kept(await board.one(run, "run"))
        content, kind = await board.reading(lambda: board.picture(one, row))
        return Response(content, media_type=kind, headers={"Cache-Control": "private, no-cache"})


def _add_files(app: FastAPI, board: Board) -> None:
    @app.get("/files/{path:path}")
    async def file(request: Request) -> FileResponse:
        raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
        parts = [_canonical(part) for part in raw.decode("ascii").split("/")[2:]]
        if len(parts) > 1 and parts[-2] == "figures" and parts[-1].endswith(".svg"):
            one, below = await board.one("/".join(parts[:-2])), "figures"
            kind: str | None = "image/svg+xml"
        else:
            one, below, kind = await board.one("/".join(parts[:-1])), "", SHEETS.get(parts[-1])
        path = one.path / below / os.fsdecode(unquote_to_bytes(parts[-1]))
        if kind is None or "%2F" in parts[-1] or not _is_own_file(path):
            raise Refused(404, "there is no such page in this folder.")
        return FileResponse(
            path, media_type=kind, headers={"Content-Security-Policy": SHEET_POLICY}
        )


def _is_own_file(path: Path) -> bool:
    """Whether there is such a file, and no link on the way to it."""
    try:
        return path.resolve() == path and path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a zero byte
        return False


def _canonical(part: str) -> str:
    return quote(unquote_to_bytes(part), safe="")


def _histories(one: Found) -> dict[str, Any]:
    """Return what each epoch brought, of the run and of its head where that learned first."""
    check_files(one)
    return {
        "history": _history(one.path / "history.csv") if "history.csv" in one.files else [],
        "head": _history(one.path / "head" / "history.csv") if one.head else [],
    }


def _history(path: Path) -> list[dict[str, Any]]:
    return [
        {name: finite(value) for name, value in vars(row).items()} for row in read_history(path)
    ]


def _curves(runs: list[Found]) -> dict[str, Any]:
    """Return id -> its history; a run whose history cannot be read has none."""
    found: dict[str, Any] = {}
    for one in runs:
        try:
            found[one.id] = _histories(one)["history"]
        except Exception:
            continue
    return found


def _study_facts(one: Found) -> dict[str, Any]:
    """Return the sentences of a finished study."""
    check_files(one)
    told = read_json(one.path / "comparison.json") if "comparison.json" in one.files else {}
    conclusion = told.get("conclusion", []) if isinstance(told, dict) else []
    return {"conclusion": [printable(str(text)) for text in conclusion][:20]}


def _handle_errors(app: FastAPI) -> None:
    """Give every error the same shape."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        headers = {"Retry-After": "5"} if error.status == 503 else None
        return JSONResponse({"error": error.reason}, error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        texts = [f"{one['loc'][-1]}: {one['msg'].lower()}." for one in error.errors()]
        return JSONResponse({"error": " ".join(texts)}, 422)

    @app.exception_handler(HTTPException)
    async def no_route(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": f"{error.detail.lower()}."}, error.status_code)
