"""Bring a public data set: download, check, unpack, and only then put the folder in its place.

All that is on the way lies in `<folder>.download` beside it, so that the same command goes on.
"""

from __future__ import annotations

import csv
import logging
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from classeur.data.download import download, sha256
from classeur.data.folders import class_name
from classeur.data.public import OFFICIAL_SPLIT, DataSet, PublicFile, find_data_set
from classeur.data.unpack import take_out, unpack
from classeur.errors import FetchError, system_error
from classeur.run_folder import LOCK, locked, replacing, write_json

_log = logging.getLogger("classeur")


def fetch(
    data_set: str | DataSet,
    to: Path | str | None = None,
    downloaded: Sequence[Path | str] = (),
) -> Path:
    """Bring a public data set into a folder that `run_study` takes.

    Called again, it goes on where it stopped; where all is there, it does nothing.

    Args:
        data_set: its name; see `classeur fetch --list`.
        to: the folder to make. Default: the name of the data set, in the current folder.
        downloaded: files that were downloaded by hand. They are checked, and left where they are.

    Returns:
        The folder, absolute.

    Raises:
        FetchError: if the data set is unknown, or cannot be had, checked or written.
        RunFolderError: if another process is fetching it to the same folder.
    """
    wanted = find_data_set(data_set) if isinstance(data_set, str) else data_set
    folder = Path(to or wanted.name).expanduser().absolute()
    if is_complete(wanted, folder):
        _log.info("%s is there already: %s", wanted.name, folder)
        return folder
    _check_target(wanted, folder)
    given = _given(wanted, [Path(path).expanduser() for path in downloaded])
    _log.info("%s\n%s\nterms: %s", wanted.title, wanted.home, wanted.terms)
    by_hand = [file.name for file in wanted.files if not file.url and file not in given]
    if by_hand:
        raise FetchError(
            f"{wanted.name} is for registered users of its site only. Log in at {wanted.home}, "
            f"download {' and '.join(by_hand)}, and give it: "
            f"{_command(wanted, folder, by_hand[0])}"
        )
    try:
        _bring(wanted, folder, given)
    except OSError as error:
        raise FetchError(f"{folder} cannot be made: {system_error(error)}") from error
    return folder


def is_complete(data_set: DataSet, folder: Path) -> bool:
    """Whether a folder has what the data set should; files are counted, not read."""
    return folder.is_dir() and not list(_missing(data_set, folder))


def _bring(data_set: DataSet, folder: Path, given: dict[PublicFile, Path]) -> None:
    downloads = _downloads(folder)
    downloads.mkdir(parents=True, exist_ok=True)
    staging = downloads / "unpacked"
    try:
        with locked(downloads):
            shutil.rmtree(staging, ignore_errors=True)
            _check_space(data_set, downloads, given)
            files = {file: _at_hand(data_set, file, folder, given) for file in data_set.files}
            staging.mkdir()
            _assemble(data_set, files, staging)
            staging.rename(folder)  # an empty folder may be there
            shutil.rmtree(downloads)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if downloads.is_dir() and {path.name for path in downloads.iterdir()} <= {LOCK}:
            shutil.rmtree(downloads)


def _downloads(folder: Path) -> Path:
    """Return where files lie until they are unpacked."""
    return folder.with_name(f"{folder.name}.download")


def _command(data_set: DataSet, folder: Path, file: str) -> str:
    """Return the command that takes a file which was downloaded by hand."""
    is_default = folder == Path(data_set.name).absolute()
    to = "" if is_default else f" --to {shlex.quote(str(folder))}"
    return f"classeur fetch {data_set.name}{to} --from {file}"


def _at_hand(
    data_set: DataSet, file: PublicFile, folder: Path, given: dict[PublicFile, Path]
) -> Path:
    """Return where the file is, whole and checked."""
    path = given.get(file, _downloads(folder) / file.name)
    if path.is_file():
        _check_file(data_set, file, path)
    else:
        try:
            download(file, path)
        except FetchError as error:
            raise FetchError(
                f"{error} Or download it by hand from {data_set.home} and give it: "
                f"{_command(data_set, folder, file.name)}"
            ) from error
    return path


def _assemble(data_set: DataSet, files: dict[PublicFile, Path], folder: Path) -> None:
    for file, path in files.items():
        inner = folder / "inner archive"
        if file.inside and take_out(path, file.inside, inner, data_set.unpacked):
            unpack(inner, folder, data_set.unpacked)
            inner.unlink()
        elif file.is_archive:
            unpack(path, folder, data_set.unpacked)
        else:
            shutil.copyfile(path, folder / file.name)
    if data_set.class_names:
        write_json(folder / "class_names.json", data_set.class_names)
    if data_set.split_lists:
        _write_split(data_set, folder)
    for pattern, count, found in _missing(data_set, folder):
        raise FetchError(
            f"{', '.join(map(str, files.values()))} is not {data_set.title}: expected {count:,} "
            f"files {pattern}, found {found:,}. Download it again from {data_set.home}"
        )


def _missing(data_set: DataSet, folder: Path) -> Iterator[tuple[str, int, int]]:
    """Yield (pattern, expected, found) where there are fewer files than there should be."""
    for pattern, count in data_set.holds.items():
        found = sum(1 for _ in folder.glob(pattern))
        if found < count:
            yield pattern, count, found


def _write_split(data_set: DataSet, folder: Path) -> None:
    """Turn the lists of MATLAB, cells of `n02085620-Chihuahua/1.jpg`, into a table of photos."""
    from scipy.io import loadmat

    with (
        replacing(folder / OFFICIAL_SPLIT) as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("path", "label", "split"))
        for split, name in data_set.split_lists.items():
            for cell in loadmat(folder / name)["file_list"].ravel():
                photo = str(cell.item())
                rows.writerow((f"Images/{photo}", class_name(photo.partition("/")[0]), split))


def _given(data_set: DataSet, paths: Sequence[Path]) -> dict[PublicFile, Path]:
    """Tell which file of the data set each one is: by its name, or as the only one."""
    known = {file.name: file for file in data_set.files}
    given = {}
    for path in paths:
        if path.is_dir():
            raise FetchError(
                f"{path} is a folder; expected {' or '.join(known)} as it was downloaded. What was "
                f'unpacked already can be used as it is: classeur study "{path}"'
            )
        if not path.is_file():
            raise FetchError(f"{path} does not exist. Expected {' or '.join(known)}.")
        file = data_set.files[0] if len(known) == 1 else known.get(path.name)
        if file is None:
            raise FetchError(
                f"{path} is none of the files of {data_set.name}: expected {', '.join(known)}."
            )
        given[file] = path.absolute()
    return given


def _check_file(data_set: DataSet, file: PublicFile, path: Path) -> None:
    size, again = path.stat().st_size, f"Download it again from {data_set.home}"
    if file.size is not None and size != file.size:
        raise FetchError(
            f"{path} is not the whole {file.name}: expected {file.size:,} bytes, received "
            f"{size:,}. {again}"
        )
    if file.sha256 is not None and sha256(path) != file.sha256:
        raise FetchError(
            f"{path} is not {file.name} of {data_set.name}: expected the SHA-256 {file.sha256}, "
            f"received {sha256(path)}. {again}"
        )


def _check_target(data_set: DataSet, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FetchError(f"{folder} is a file; expected a folder to make. Choose another by --to.")
    if folder.is_dir() and any(folder.iterdir()):
        pattern, count, found = next(_missing(data_set, folder))
        raise FetchError(
            f"{folder} is there, but it is not the whole of {data_set.name}: expected {count:,} "
            f"files {pattern}, found {found:,}. Move it away, or choose another folder by --to."
        )


def _check_space(data_set: DataSet, downloads: Path, given: dict[PublicFile, Path]) -> None:
    here = sum(path.stat().st_size for path in downloads.iterdir())
    to_come = sum(file.size or 0 for file in data_set.files if file not in given)
    needed = max(to_come - here, 0) + data_set.unpacked
    free = shutil.disk_usage(downloads).free
    if free < needed:
        raise FetchError(
            f"{downloads.parent} has too little space: expected {needed / 1e9:,.2f} GB, free are "
            f"{free / 1e9:,.2f} GB. Free some, or choose a folder on another disk by --to."
        )
