"""The routes: photos in, labels out. `/openapi.json` is made from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from classeur.errors import ClasseurError, UnreadablePhotoError, unknown
from classeur.inference.predictor import Predictor
from classeur.inference.serving.batching import Batcher
from classeur.inference.serving.guard import Guard
from classeur.inference.serving.heat import SIDE, heat_png
from classeur.inference.serving.refusal import AGAIN, Place, Refusal, Room
from classeur.inference.serving.schemas import Answer, Answers, Limits, Model, Problem, State
from classeur.inference.serving.settings import ServeConfig, Served
from classeur.inference.serving.uploads import FIELD, Upload, read_photos
from classeur.inference.serving.watch import Meter, Watch
from classeur.models.abstention import Rule

WEB = Path(__file__).parents[1] / "web"
"""The page."""

TopK = Annotated[int, Query(ge=1, le=1000, description="Classes to name.")]
Label = Annotated[str, Query(description="The class; empty: the most probable one.")]

Result = TypeVar("Result")

_REASONS = {
    400: "The form cannot be read.",
    401: "The token is missing or wrong.",
    403: "Asked by a page of another web site, or by a name that is not this server's.",
    404: "This network has no heat maps.",
    408: "The request did not arrive in time.",
    413: "Too many bytes.",
    415: "Neither a form nor the bytes of a photo.",
    422: "A photo that cannot be read, too many of them, or an option that cannot be.",
    503: "Busy: try again after `Retry-After` seconds.",
}
_TAKING = (400, 401, 403, 408, 413, 415, 422, 503)


class Service:
    """One loaded run, and what its routes share."""

    def __init__(
        self, served: Served, settings: ServeConfig, predictor: Predictor, rule: Rule | None
    ) -> None:
        self.served, self.settings, self.predictor = served, settings, predictor
        self.abstains = rule is not None
        self.room = Room(settings)
        self.meter = Meter(self.room)
        self.batcher = Batcher(predictor, rule, settings, self.meter.batch)
        self.is_ready = False
        self.why_no_heat = ""
        """Why this network has no heat maps; empty if it has."""

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Answer one blank photo, so that the first one sent is not the slowest; then serve."""
        blank = np.full((32, 32, 3), 128, np.uint8)
        await asyncio.to_thread(lambda: list(self.predictor.predict([blank])))
        try:
            await asyncio.to_thread(self.predictor.explain, blank, "", SIDE)
        except ClasseurError as error:
            self.why_no_heat = str(error)
        self.batcher.start()
        self.is_ready = True
        yield
        self.is_ready = False
        await self.batcher.stop()

    async def within_time(self, work: Coroutine[Any, Any, Result], place: Place) -> Result:
        """Return the result of some work. Raises Refusal (503) if it takes too long.

        What a thread has begun cannot be stopped: it keeps its place until it is done.
        """
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: place.leave())
        try:
            return await asyncio.wait_for(asyncio.shield(task), self.settings.answer_seconds)
        except TimeoutError:
            task.add_done_callback(lambda late: late.cancelled() or late.exception())
            seconds = f"{self.settings.answer_seconds:g}"
            raise Refusal(503, f"no answer within {seconds} seconds; try again.", AGAIN) from None

    async def received(self, request: Request, place: Place) -> list[Upload]:
        """Return the photos of a request. Raises as `read_photos`, and leaves nothing behind."""
        try:
            return await read_photos(request, self.settings, place)
        except BaseException:
            place.leave()
            raise

    async def answers(self, photos: list[Upload], top_k: int) -> list[Answer]:
        """Return what the network says of each photo."""
        said = await asyncio.gather(*(self.batcher.answer(p.content, top_k) for p in photos))
        self.meter.photos(said)
        return [
            Answer.of(
                one, photo.name, abstains=self.abstains,
                names_possible=self.served.max_error is not None,
            )
            for photo, one in zip(photos, said, strict=True)
        ]  # fmt: skip


def create_app(served: Served, settings: ServeConfig, token: str = "") -> ASGIApp:
    """Load a run and return the application that serves it.

    Args:
        served: the run, and how it answers.
        settings: the limits.
        token: what a client must show as `Authorization: Bearer …`. Empty: nothing.

    Raises:
        ClasseurError: as `Served.load`.
    """
    predictor, rule = served.load()
    service = Service(served, settings, predictor, rule)
    app = FastAPI(
        title="Classeur",
        version=version("classeur"),
        description="Classifies photos with one trained network. No photo is stored.",
        docs_url=None,  # its page comes from another server; the routes are in docs/serve.md
        redoc_url=None,
        lifespan=service.running,
    )
    _handle_errors(app)
    _add_answers(app, service, secured=bool(token))
    _add_state(app, service, secured=bool(token))
    app.mount("/web", StaticFiles(directory=WEB), "web")
    if token:
        schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
        app.openapi()["components"]["securitySchemes"] = schemes  # it is made once, and kept
    guarded: ASGIApp = Guard(app, token, settings.allow_origin, [settings.host])
    if settings.allow_origin:
        guarded = CORSMiddleware(
            guarded, settings.allow_origin, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"], expose_headers=["Retry-After"],
        )  # fmt: skip
    return Watch(guarded, service.meter)


def _add_answers(app: FastAPI, service: Service, *, secured: bool) -> None:
    extra = {"requestBody": _body(service.settings.max_files), **_security(secured=secured)}
    one = {"requestBody": _body(1), **_security(secured=secured)}
    codes = [code for code in _TAKING if code != 401 or secured]

    @app.post(
        "/predict", openapi_extra=extra, responses=_responses(*codes),
        dependencies=[Depends(_refuse_unknown)],
    )  # fmt: skip
    async def predict(request: Request, top_k: TopK = 3) -> Answers:
        """Classify one photo or several.

        Several photos have an answer each, with an `error` for those that cannot be read. One
        photo alone that cannot be read is refused with its reason (422).
        """
        place = Place(service.room)
        photos = await service.received(request, place)
        answers = await service.within_time(service.answers(photos, top_k), place)
        if len(answers) == 1 and answers[0].error:
            raise Refusal(422, f"the file {answers[0].error}.")
        return Answers(photos=answers)

    @app.post(
        "/explain", openapi_extra=one, response_class=Response,
        dependencies=[Depends(_refuse_unknown)],
        responses=_responses(404, *codes) | {200: {"content": _png(), "description": "A PNG."}},
    )  # fmt: skip
    async def explain(request: Request, label: Label = "") -> Response:
        """Draw where the network looks in one photo for a class (Grad-CAM).

        The picture is clear where it is cold, has the proportions of the upright photo, and is to
        be laid over it. It holds nothing of the photo itself.
        """
        if service.why_no_heat:
            raise Refusal(404, service.why_no_heat)
        names = service.predictor.class_names
        if label and label not in names:
            raise Refusal(422, unknown("label", label, names))
        place = Place(service.room)
        photos = await service.received(request, place)
        if len(photos) > 1:
            place.leave()
            raise Refusal(422, f"expected one photo, received {len(photos)}.")
        try:
            work = service.batcher.explain(photos[0].content, label, SIDE)
            heat = await service.within_time(work, place)
        except UnreadablePhotoError as error:
            raise Refusal(422, f"the file {error}.") from error
        return Response(await asyncio.to_thread(heat_png, heat), media_type="image/png")


def _add_state(app: FastAPI, service: Service, *, secured: bool) -> None:
    refused = _responses(401 if secured else 403)

    @app.get("/model", responses=refused, openapi_extra=_security(secured=secured))
    async def model() -> Model:
        """Say what is served: classes, preprocessing, limits and the model card."""
        settings, served = service.settings, service.served
        return Model(
            name=served.run.resolve().name,
            version=version("classeur"),
            class_names=service.predictor.class_names,
            preprocessing=service.predictor.preprocessing.to_dict(),
            abstains=service.abstains,
            abstain_below=served.abstain_below,
            max_error=served.max_error,
            tells_strange=service.predictor.tells_strange,
            explains=not service.why_no_heat,
            limits=Limits(
                max_files=settings.max_files,
                max_request_mb=settings.max_request_mb,
                max_megapixels=settings.max_megapixels,
            ),
            card=await asyncio.to_thread(lambda: served.card),
        )

    @app.get("/healthz")
    async def healthz() -> State:
        """Say that the process is alive."""
        return State()

    @app.get("/readyz", responses=_responses(503))
    async def readyz() -> State:
        """Say whether a photo sent now would be taken in."""
        if not service.is_ready or service.room.is_full:
            raise Refusal(503, "not ready: starting, stopping or full.", AGAIN)
        return State()

    @app.get(
        "/metrics", response_class=Response, openapi_extra=_security(secured=secured),
        responses=refused | {200: {"content": {"text/plain": {}}, "description": "Metrics."}},
    )  # fmt: skip
    async def metrics() -> Response:
        """Give figures for Prometheus; with several workers, those of the one that answers."""
        text, kind = service.meter.text()
        return Response(text, headers={"Content-Type": kind})

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html")


def _handle_errors(app: FastAPI) -> None:
    """Give every error the same shape, a `Problem`."""

    def problem(status: int, reason: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse(Problem(error=reason).model_dump(), status, headers)

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return problem(error.status, error.reason, error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong_option(_: Request, error: RequestValidationError) -> Response:
        texts = [f"{one['loc'][-1]}: {one['msg'].lower()}." for one in error.errors()]
        return problem(422, " ".join(texts))

    @app.exception_handler(HTTPException)
    async def no_route(_: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return problem(error.status_code, f"{error.detail.lower()}.", headers)

    @app.exception_handler(ClientDisconnect)
    async def nobody_there(_: Request, __: ClientDisconnect) -> Response:
        return problem(400, "the request ended early.")  # for the count: nobody reads it

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> Response:
        return problem(500, "this is a bug in Classeur; the server's log has its trace.")


def _refuse_unknown(request: Request) -> None:
    """Raise Refusal (422) for an option that the route does not have."""
    known = [option.alias for option in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise Refusal(422, unknown("option", name, known))


def _responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        found[code] = {"model": Problem, "description": _REASONS[code]}
        if code == 503:
            found[code]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return found


def _png() -> dict[str, Any]:
    return {"image/png": {"schema": {"type": "string", "format": "binary"}}}


def _body(most: int) -> dict[str, Any]:
    """Describe a body of at most so many photos."""
    photo = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {FIELD: {"type": "array", "items": photo, "minItems": 1, "maxItems": most}},
        "required": [FIELD],
        "additionalProperties": False,
    }
    raw = {kind: {"schema": photo} for kind in ("image/*", "application/octet-stream")}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}, **raw}}


def _security(*, secured: bool) -> dict[str, Any]:
    return {"security": [{"bearer": []}]} if secured else {}
