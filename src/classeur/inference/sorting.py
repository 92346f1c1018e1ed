"""Photos into class folders: copies, links, or the photos themselves.

Nothing is ever written over, and a killed process leaves no half photo: each is copied under a
temporary name, and an original is removed only when its photo is in its place and on the disk.
"""

from __future__ import annotations

import errno
import filecmp
import logging
import os
import re
import shutil
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from classeur.errors import InferenceError, UnreadablePhotoError
from classeur.inference.predictor import Prediction
from classeur.inference.remote import Remote, photo_at
from classeur.run_folder import locked, printable

How = Literal["copy", "link", "move"]

UNREADABLE, STRANGE, UNSURE = "unreadable", "strange", "unsure"
"""Folders that stand beside those of the classes; a class of such a name has ` (2)` after it."""

_ENDING = ".unfinished"
_LONGEST = 200
"""Longest name of a folder or a photo, in bytes; file systems take 255."""
_LONGEST_SUFFIX = 32
"""Longest ending of a photo, in bytes; what is longer is part of its name."""

_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]|^[. ]|[. ]$')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

log = logging.getLogger(__name__)


class Sorter:
    """Puts photos into `folder/class`, by what was predicted.

    A photo that cannot be read goes to `unreadable`, one that resembles nothing the run has seen
    to `strange`, one that the run is unsure of to `unsure`, in that order. One at a URL is
    downloaded again. What is there already, with the same name, bytes and time, is not brought
    twice: moving then removes the original.

    Args:
        folder: made if it is not there; one process at a time, see `alone`.
        class_names: all classes of the run.
        how: `copy`; `link`, a symbolic link to the absolute path; or `move`.

    Raises:
        InferenceError: if the folder cannot be made.
    """

    def __init__(self, folder: Path, class_names: Sequence[str], how: How = "copy") -> None:
        self.folder = folder
        self.how = how
        self.counts: Counter[str] = Counter()
        """Photos in each folder, those included that were there already."""
        self.failed = 0
        """Photos that could not be brought."""
        self.folders = folder_names(class_names)
        self._next: dict[tuple[str, str], int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InferenceError(f"cannot make {folder}: {error.strerror or error}.") from error

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes out while a block lasts, before anything else is begun.

        Raises:
            RunFolderError: if another process is sorting into the folder.
        """
        return locked(self.folder)

    def sorted(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Bring each photo to its place, and pass its prediction on.

        Raises:
            InferenceError: if the folder cannot be written to.
        """
        for prediction in predictions:
            self.place(prediction)
            yield prediction

    def place(self, prediction: Prediction) -> None:
        """Bring one photo to its place. Raises InferenceError if that cannot be written to."""
        photo = photo_at(prediction.path)
        if prediction.error and (isinstance(photo, Remote) or not photo.is_file()):
            return
        name = self._folder_of(prediction)
        try:
            (self.folder / name).mkdir(exist_ok=True)
            self._bring(photo, name)
        except (UnreadablePhotoError, _GoneError) as error:
            self.failed += 1
            log.warning("%s is not sorted: it %s", printable(prediction.path), error)
        except OSError as error:
            raise InferenceError(
                f"cannot sort {printable(prediction.path)} into {self.folder / name}: "
                f"{error.strerror or error}."
            ) from error
        else:
            self.counts[name] += 1

    def _folder_of(self, prediction: Prediction) -> str:
        if prediction.error:
            return UNREADABLE
        if prediction.is_strange:
            return STRANGE
        return UNSURE if prediction.unsure else self.folders[prediction.label]

    def _bring(self, photo: Path | Remote, folder: str) -> None:
        """Give a photo the first free name in a folder, unless it is there already."""
        temporary = self.folder / f".photo{_ENDING}"
        try:
            if isinstance(photo, Remote):
                temporary.write_bytes(photo())
                self._put(
                    folder, _file_name(photo.url), partial(_has_bytes_of, temporary),
                    partial(_give_name, temporary),
                )  # fmt: skip
            else:
                _check_source(photo, is_moved=self.how == "move")
                if self.how == "link":
                    photo = photo.absolute()
                    is_there, put = partial(_is_link_to, photo), partial(os.symlink, photo)
                elif self.how == "copy":
                    is_there, put = partial(_is_copy_of, photo), partial(_copy, photo, temporary)
                else:
                    is_there, put = partial(_was_moved, photo), partial(_move, photo, temporary)
                self._put(folder, photo.name, is_there, put)
        finally:
            temporary.unlink(missing_ok=True)

    def _put(
        self, folder: str, name: str, is_there: Callable[[Path], bool],
        put: Callable[[Path], None],
    ) -> None:  # fmt: skip
        """Put a photo under the first name that is free, or find that it is there."""
        key = (folder, name)
        for number in count(self._next.get(key, 1)):
            if number > 1:  # a million photos called main.jpg should not ask each for all others
                self._next[key] = number
            target = self.folder / folder / _numbered(name, number)
            if not os.path.lexists(target):
                with suppress(FileExistsError):  # somebody else was faster: the next name
                    put(target)
                    return
            elif is_there(target):
                return


class _GoneError(Exception):
    """An original that is not there any more, or may not be read or moved."""


def folder_names(class_names: Sequence[str]) -> dict[str, str]:
    """Return a folder for each class, its name if file systems everywhere allow it.

    `/ \\ : * ? " < > |`, control characters, and a dot or space at either end become `_`; an empty
    name and those of devices (CON, NUL, …) have `_` after them; names are cut at 200 bytes. Names
    that are then alike, be it but for capitals, or like one of ours, have ` (2)` after them.
    """
    taken = {UNREADABLE, STRANGE, UNSURE}
    folders: dict[str, str] = {}
    for name in sorted(class_names, key=lambda name: safe_name(name) != name):
        numbered = (_numbered(safe_name(name), number, "") for number in count(1))
        folders[name] = next(text for text in numbered if text.casefold() not in taken)
        taken.add(folders[name].casefold())
    return folders


def safe_name(text: str) -> str:
    """Return a text as the name of a file or folder that any file system takes."""
    whole = unicodedata.normalize("NFC", text).encode("utf-8", "replace")
    safe = _FORBIDDEN.sub("_", whole[:_LONGEST].decode("utf-8", "ignore"))
    return f"{safe}_" if not safe or _DEVICES.fullmatch(safe) else safe


def _file_name(url: str) -> str:
    return safe_name(unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2] or "photo")


def _numbered(name: str, number: int, ending: str | None = None) -> str:
    """`1.jpg`, 2 -> `1 (2).jpg`; the stem is cut where that becomes too long."""
    if number == 1:
        return name
    suffix = Path(name).suffix if ending is None else ending
    if len(os.fsencode(suffix)) > _LONGEST_SUFFIX:
        suffix = ""
    stem = os.fsencode(name.removesuffix(suffix))[:_LONGEST]
    whole = stem.decode("utf-8", "ignore") if len(stem) == _LONGEST else os.fsdecode(stem)
    return f"{whole} ({number}){suffix}"


def _check_source(photo: Path, *, is_moved: bool) -> None:
    """Raise _GoneError if an original cannot be had: only that photo stays behind then."""
    try:
        photo.open("rb").close()
    except OSError as error:
        raise _GoneError(f"cannot be read any more: {error.strerror or error}") from error
    if is_moved and not os.access(photo.parent, os.W_OK):
        raise _GoneError("may not be removed from its folder")


def _has_bytes_of(source: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(source, target, shallow=False)


def _is_link_to(source: Path, target: Path) -> bool:
    return target.is_symlink() and target.readlink() == source


def _is_copy_of(source: Path, target: Path) -> bool:
    """Whether a file has the bytes and the time of another; two seconds are what FAT knows."""
    there, here = target.lstat(), source.stat()
    if not stat.S_ISREG(there.st_mode) or there.st_size != here.st_size:
        return False
    return abs(there.st_mtime - here.st_mtime) <= 2 and _has_bytes_of(source, target)


def _was_moved(source: Path, target: Path) -> bool:
    """Whether a process was killed between the two halves of moving; the second is done now."""
    if not _is_copy_of(source, target):
        return False
    if not _is_same_entry(source, target):
        source.unlink()
    return True


def _is_same_entry(one: Path, other: Path) -> bool:
    """Whether two paths are one entry of one folder; capitals are one where folders ignore them."""
    is_alike = safe_name(one.name).casefold() == safe_name(other.name).casefold()
    return is_alike and one.parent.samefile(other.parent)


def _copy(source: Path, temporary: Path, target: Path) -> None:
    shutil.copyfile(source, temporary)
    with suppress(OSError):  # not every file system keeps times and rights
        shutil.copystat(source, temporary)
    _give_name(temporary, target)


def _move(source: Path, temporary: Path, target: Path) -> None:
    """Move a photo; of a symbolic link, what it leads to is copied and the link removed."""
    if not source.is_symlink():
        try:
            return _give_name(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    _copy(source, temporary, target)
    for path in (target, target.parent):
        _to_disk(path)
    return source.unlink()


def _give_name(file: Path, target: Path) -> None:
    """Rename a file, but never over another one. Raises FileExistsError."""
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        file.rename(target)
    else:
        file.unlink()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
