"""What is to be classified: files, folders, patterns, URLs, and lists on standard input."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO

from classeur.data.folders import walk_photos
from classeur.data.records import Listing
from classeur.errors import InferenceError
from classeur.inference.remote import Remote, check_url, is_url, photo_at

STDIN = "-"
"""The argument that stands for a list on standard input."""

_LONGEST = 1 << 14
"""Longest path or URL of a list, in bytes; more is no list."""

_BLOCK = 1 << 16


Listed = tuple[Path, list[str]] | Remote | BinaryIO
"""A folder and names below it, a photo at a URL, or a list that is still to be read."""


@dataclass(frozen=True)
class Sources:
    """Photos in the order of the arguments; standard input is read as they are asked for."""

    listed: Sequence[Listed]
    without: Path | None = None
    """A folder; photos in it are left out of lists."""

    @property
    def total(self) -> int | None:
        """How many photos; None: nobody knows, some are on standard input."""
        if not all(isinstance(item, (tuple, Remote)) for item in self.listed):
            return None
        return sum(len(item[1]) if isinstance(item, tuple) else 1 for item in self.listed)

    @property
    def known(self) -> Sources:
        """All but what is on standard input."""
        return Sources([item for item in self.listed if isinstance(item, (tuple, Remote))])

    def __iter__(self) -> Iterator[Path | Remote]:
        inside = lru_cache(partial(_is_in, folder=self.without))
        for item in self.listed:
            if isinstance(item, tuple):
                folder, names = item
                yield from (folder / name for name in names)
            elif isinstance(item, Remote):
                yield item
            else:
                for photo in map(photo_at, read_list(item)):
                    if isinstance(photo, Remote) or not inside(photo.parent):
                        yield photo


def find_sources(
    arguments: Iterable[Path | str], stdin: BinaryIO | None = None, without: Path | None = None
) -> Sources:
    """Return the photos that arguments stand for.

    A folder stands for all photos below it, and one that may not be read for itself, so that it
    becomes an error row. A name with `*`, `?` or `[` that does not exist is a pattern, as in a
    shell, with `**` for folders of any depth. `-` is a list on standard input, and what begins
    with `http://`, `s3://` or the like a URL.

    Args:
        arguments: as on the command line.
        stdin: what `-` stands for. None: a file of that name.
        without: a folder whose photos are left out of folders and lists, wherever it lies.

    Raises:
        InferenceError: if something is not there, an argument lies in `without`, or there are no
            photos at all.
    """
    given = [str(argument) for argument in arguments]
    if stdin is not None and given.count(STDIN) > 1:
        raise InferenceError(f"{STDIN} stands for standard input, which can be read only once.")
    missing = [text for text in given if not (text == STDIN and stdin) and not _is_there(text)]
    if missing:
        raise InferenceError(
            f"{', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist. Expected "
            "photos, folders of photos, patterns, URLs, or - for a list on standard input."
        )
    listed: list[Listed] = []
    for text in given:
        if text == STDIN and stdin is not None:
            listed.append(stdin)
        elif is_url(text) and not os.path.exists(text):  # noqa: PTH110
            listed.append(Remote(text))
        else:
            for path in _matches(text):
                _add(listed, path, without)
    if not any(item[1] if isinstance(item, tuple) else True for item in listed):
        raise InferenceError(f"no photos in {', '.join(given)}.")
    return Sources(listed, without)


def read_list(stream: BinaryIO) -> Iterator[str]:
    """Yield the entries of a list as it comes: one a line, or between NULs if it begins with any.

    Raises:
        InferenceError: if an entry is longer than any path.
    """
    rest, separator = b"", b""
    while block := _some(stream):
        rest += block
        if not separator and (b"\0" in rest or b"\n" in rest):
            separator = b"\0" if b"\0" in rest else b"\n"
        *entries, rest = rest.split(separator) if separator else [rest]
        longest = max(map(len, (*entries, rest)))
        if longest > _LONGEST:
            raise InferenceError(
                f"standard input holds no list: expected a path or URL a line, received "
                f"{longest:,} bytes without an end."
            )
        yield from _entries(entries, separator)
    yield from _entries([rest], separator)


def _some(stream: BinaryIO) -> bytes:
    """Return what is there by now, and not only once a block is full."""
    read = getattr(stream, "read1", stream.read)
    block: bytes = read(_BLOCK)
    return block


def _entries(entries: Iterable[bytes], separator: bytes) -> Iterator[str]:
    for entry in entries:
        name = entry if separator == b"\0" else entry.removesuffix(b"\r")
        if name:
            yield os.fsdecode(name)


def _is_there(text: str) -> bool:
    """Whether an argument stands for anything. Raises InferenceError if it is no URL for us."""
    if is_url(text) and not os.path.exists(text):  # noqa: PTH110
        check_url(text)
        return True
    return any(True for _ in _matches(text))


def _matches(text: str) -> Iterator[Path]:
    """Yield the path that a text is; if there is none, those that it matches as a pattern."""
    if os.path.exists(text):  # noqa: PTH110 - Path takes an empty text for this folder
        yield Path(text)
    elif glob.has_magic(text):
        folders: set[Path] = set()
        for path in map(Path, glob.iglob(text, recursive=True)):  # noqa: PTH207 - it hides .files
            if folders.isdisjoint(path.parents):  # `**` also names what lies in a folder it names
                folders |= {path} if path.is_dir() else set()
                yield path


def _add(listed: list[Listed], path: Path, without: Path | None) -> None:
    """Add a file, or the photos below a folder."""
    if _is_in(path, without):
        raise InferenceError(
            f"{path} lies in {without}, which the photos are sorted into. Give other photos, or "
            "another folder to sort into."
        )
    if path.is_dir():
        listing = Listing(path, "")
        names = list(walk_photos(path, listing)) + [item.path for item in listing.unreadable]
        inside = lru_cache(partial(_is_in, folder=without))
        listed.append((path, [name for name in names if not inside((path / name).parent)]))
    elif listed and isinstance(listed[-1], tuple) and listed[-1][0] == Path():
        listed[-1][1].append(str(path))
    else:
        listed.append((Path(), [str(path)]))


def _is_in(path: Path, folder: Path | None) -> bool:
    """Whether a path is a folder or lies in it, by whatever links it is named."""
    try:
        return folder is not None and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a circle of links, or no path at all
        return False
