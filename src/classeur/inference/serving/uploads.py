"""The body of a request -> photos, counted and cut while it arrives; no byte touches the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from classeur.inference.serving.refusal import Place, Refusal
from classeur.inference.serving.settings import MIB, ServeConfig

_OF_CURL = b"application/x-www-form-urlencoded"
"""What curl says of `--data-binary`, unless it is told otherwise."""

FIELD = "photos"
"""Name of the form's only field."""


@dataclass
class Upload:
    """One photo as it arrived."""

    content: bytes
    name: str | None = None
    """As the sender calls it."""


async def read_photos(request: Request, settings: ServeConfig, place: Place) -> list[Upload]:
    """Return the photos of a request: the files of a form, or the whole body as one.

    Raises:
        Refusal: 408 if it is too slow, 413 too large, 415 of another type, 400 no form, 422 none
            or too many photos, 503 if there is no room for it.
        ClientDisconnect: if nobody is there any more.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    is_form = kind == b"multipart/form-data"
    if not (is_form or kind.startswith(b"image/") or kind == b"application/octet-stream"):
        hint = ' Tell curl: -H "Content-Type: image/jpeg".' if kind == _OF_CURL else ""
        raise Refusal(
            415,
            "expected the Content-Type multipart/form-data, image/… or application/octet-stream, "
            f"received {kind.decode('latin-1') or 'none'!s}.{hint}",
        )
    try:
        async with asyncio.timeout(settings.receive_seconds):
            body = _counted(request, settings, place)
            photos = (
                await _form(body, options.get(b"boundary", b""), settings, place)
                if is_form
                else await _whole(body, place)
            )
    except TimeoutError:
        raise Refusal(
            408, f"the request did not arrive within {settings.receive_seconds:g} seconds."
        ) from None
    if not photos:
        raise Refusal(422, f'expected at least one file in the field "{FIELD}", received none.')
    return photos


async def _counted(request: Request, settings: ServeConfig, place: Place) -> AsyncIterator[bytes]:
    """Yield the body as it arrives, as long as it is within all limits."""
    most = settings.max_request_mb * MIB
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and int(stated) > most:
        raise _too_large(settings)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > most:
            raise _too_large(settings)
        place.take(size=len(chunk))
        yield chunk


def _too_large(settings: ServeConfig) -> Refusal:
    return Refusal(413, f"the request is larger than {settings.max_request_mb} MiB.")


async def _whole(body: AsyncIterator[bytes], place: Place) -> list[Upload]:
    place.take(photos=1)
    content = bytearray()
    async for chunk in body:
        content += chunk
    return [Upload(bytes(content))]


async def _form(
    body: AsyncIterator[bytes], boundary: bytes, settings: ServeConfig, place: Place
) -> list[Upload]:
    form = _Form(settings.max_files, place)
    try:
        if not boundary:
            raise FormParserError("it has no boundary")
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
        async for chunk in body:
            parser.write(chunk)
        parser.finalize()
        if not form.is_complete:
            raise FormParserError("its end is missing")
    except FormParserError as error:
        raise Refusal(400, f"the form cannot be read: {error}.") from error
    return [Upload(bytes(content), name) for content, name in form.photos]


class _Form:
    """Collects the files of a form while it is parsed."""

    def __init__(self, max_files: int, place: Place) -> None:
        self.photos: list[tuple[bytearray, str | None]] = []
        self.is_complete = False
        self._max_files, self._place = max_files, place
        self._header, self._value = b"", b""
        self._disposition = b""

    def callbacks(self) -> dict[str, object]:
        """Return what the parser calls, by its names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._worth,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition = b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _worth(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FIELD:
            raise Refusal(
                422, f'unknown field {field!r:.100}. Expected files in the field "{FIELD}".'
            )
        if len(self.photos) == self._max_files:
            raise Refusal(422, f"a request may hold at most {self._max_files} files.")
        self._place.take(photos=1)
        name = options.get(b"filename")
        self.photos.append((bytearray(), name.decode("utf-8", "replace") if name else None))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.photos[-1][0].extend(data[start:end])

    def _end(self) -> None:
        self.is_complete = True
