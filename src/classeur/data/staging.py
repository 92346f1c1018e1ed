"""A folder of prepared photos is there whole or not at all.

It is made beside its place, under another name, and moved there when it is whole. What stands in
its place with a `store.json` can be trusted.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from classeur.errors import StoreError

FILES = (
    "photos.npy", "labels.npy", "class_names.json", "manifest.csv", "facts.csv",
    "near_duplicates.csv", "unreadable.csv", "store.json",
)  # fmt: skip
"""All that a store and `prepare` write, and so all that may be replaced."""


@contextmanager
def staged(to: Path, done_by_another: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """Give a folder beside `to` that becomes `to` if the block ends well, and goes if not.

    Args:
        to: the folder to make; resolved. One that is there keeps its place and loses its files.
        done_by_another: whether another process has meanwhile put the same there; then that stays,
            for others may have it open.

    Raises:
        StoreError: if the disk is full or may not be written, or `to` holds something else.
    """
    _check_target(to)
    staging = to.with_name(f".{to.name}.{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(to)
        staging.mkdir()
        yield staging
        if not done_by_another():
            _put(staging, to)
    except OSError as error:
        if not done_by_another():
            raise _disk_error(to, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _put(staging: Path, to: Path) -> None:
    if not to.is_dir():
        staging.rename(to)
        return
    # Its place is kept, since it may be somebody's working directory.
    for name in reversed(FILES):
        (to / name).unlink(missing_ok=True)
    for name in FILES:
        if (staging / name).exists():
            (staging / name).rename(to / name)


def _check_target(to: Path) -> None:
    if to.exists() and not to.is_dir():
        raise StoreError(f"{to} is a file; expected a folder to make.")
    names = {entry.name for entry in to.iterdir()} if to.is_dir() else set()
    if names and "store.json" not in names:
        raise StoreError(f"{to} is not empty and holds no prepared photos. Choose another folder.")
    others = sorted(names - set(FILES))
    if others:
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        raise StoreError(
            f"{to} holds prepared photos, and something else beside them: {shown}. Move that away, "
            "or choose another folder."
        )


def _remove_stale(to: Path) -> None:
    """Remove what a killed process of this machine left of the same store."""
    start = f".{to.name}.{_host()}-"
    for left in to.parent.glob(f"{glob.escape(start)}*.partial"):
        pid = left.name.removeprefix(start).partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _host() -> str:
    """Return the machine's name: on a shared disk, the process numbers of another mean nothing."""
    return socket.gethostname().replace("/", "_")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _disk_error(to: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(
            f"the disk is full while preparing photos at {to}: nothing was left there. Free some "
            "space, choose a smaller size, or set CLASSEUR_CACHE to a folder on another disk."
        )
    return StoreError(
        f"cannot write prepared photos at {to}: {error.strerror or error}. Choose a folder that "
        "may be written, by --to or the environment variable CLASSEUR_CACHE."
    )
