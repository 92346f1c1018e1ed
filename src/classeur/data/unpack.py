"""Unpack an archive that somebody else made: files only, in the folder, and no more than promised.

Nothing but the bytes of regular files is taken from it: no links, owners, modes or devices.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from classeur.errors import FetchError

MOST_FILES = 100_000


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    """Bytes, unpacked; reading gives no more."""
    is_regular: bool
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Path, into: Path, most: int) -> None:
    """Unpack a zip or tar archive into a folder that is there.

    Args:
        archive: the file.
        into: the folder; what was in it before stays, and nothing in it is replaced.
        most: bytes that all files together may have.

    Raises:
        FetchError: if it is no archive, is broken, or holds what does not belong in one of photos.
    """
    total = count = 0
    with _members(archive) as members:
        for member in tqdm(members, "unpacking", unit=" files", leave=False, disable=None):
            target = _target(archive, member, into)
            total, count = total + member.size, count + 1
            if total > most or count > MOST_FILES:
                raise FetchError(
                    f"{archive} is larger than it should be: expected at most {most:,} bytes in "
                    f"{MOST_FILES:,} files. It was not unpacked."
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(member, target)


def take_out(archive: Path, name: str, to: Path, most: int) -> bool:
    """Copy the file of that name out of an archive; return whether there is one."""
    with _members(archive) as members:
        for member in members:
            if PurePosixPath(member.name).name == name and member.size <= most:
                _target(archive, member, to.parent)
                _write(member, to)
                return True
    return False


def _write(member: _Member, target: Path) -> None:
    content = member.open()
    if content is not None:
        with content, target.open("xb") as out:
            shutil.copyfileobj(content, out)


def _target(archive: Path, member: _Member, into: Path) -> Path:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise FetchError(
            f'{archive} holds "{member.name}", which leads out of its folder. It was not unpacked.'
        )
    if not member.is_regular:
        raise FetchError(
            f'{archive} holds "{member.name}", which is a link or a device and no file. It was not '
            "unpacked."
        )
    return into / path


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    """Give the files of an archive; what is wrong with it meanwhile is a FetchError."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as as_zip:
                yield _of_zip(as_zip)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as as_tar:
                yield _of_tar(as_tar)
        else:
            raise FetchError(f"{archive} is no zip or tar archive. Download it again.")
    except (
        zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError, ValueError
    ) as error:  # fmt: skip
        raise FetchError(f"{archive} cannot be unpacked: {error}. Download it again.") from error


def _of_zip(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if not info.is_dir():
            yield _Member(
                info.filename,
                info.file_size,
                kind in (0, stat.S_IFREG),
                partial(archive.open, info),
            )


def _of_tar(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        if not info.isdir():
            yield _Member(
                info.name,
                info.size,
                info.isreg(),
                partial(archive.extractfile, info),
            )
