"""Photos of runs, small: those that a manifest names, as they were when it was made."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from classeur.board.reading import read_toml
from classeur.data.decode import decode
from classeur.data.manifest import ManifestRow
from classeur.data.reader import PhotoReader
from classeur.data.records import Record
from classeur.data.tables import is_table, list_table
from classeur.errors import ClasseurError, UnreadablePhotoError
from classeur.report.photos import is_small
from classeur.run_folder import RunFolder

SIDE = 320
"""Longest side of a photo in a gallery, in pixels."""

_HASH = re.compile("[0-9a-f]{64}")


def root_of(run: RunFolder) -> Path:
    """Return the folder that the paths of a run's manifest are relative to.

    Raises:
        ClasseurError: if its config does not say.
    """
    values: Any = read_toml(run.config)
    try:
        photos = Path(values["data"]["photos"])
        column = str(values["data"].get("group_column", ""))
    except (KeyError, TypeError, AttributeError) as error:
        raise ClasseurError("the config of this run does not say where its photos are.") from error
    if photos.is_dir():
        return photos
    return list_table(photos, column).root if is_table(photos) else photos.parent


def picture(reader: PhotoReader, row: ManifestRow) -> tuple[bytes, str]:
    """Return a photo made small, and its type. It is drawn anew: no byte of the file goes out.

    Raises:
        UnreadablePhotoError: if the photo is gone, is another by now, or cannot be decoded.
    """
    if not _HASH.fullmatch(row.sha256):
        raise UnreadablePhotoError("has no hash in the manifest to know it by")
    content = reader.read_same(Record(row.path, row.label, sha256=row.sha256))
    image = decode(content, enough=SIDE).image
    stream = io.BytesIO()
    if is_small(image):
        image.save(stream, "PNG")
        return stream.getvalue(), "image/png"
    image.thumbnail((SIDE, SIDE))
    image.convert("RGB").save(stream, "JPEG", quality=80)
    return stream.getvalue(), "image/jpeg"
