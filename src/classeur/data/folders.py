"""Photos in folders: class folders, split folders, or labels in the file names."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from classeur.data.decode import OTHER_SUFFIXES, SUFFIXES
from classeur.data.records import Listing, Record, Unreadable, split_of
from classeur.errors import DataError
from classeur.run_folder import printable

_DEEPEST = 16
"""Folders within folders that an archive may put around its photos."""

_JUNK = {"thumbs.db", "desktop.ini", "icon\r", "__macosx"}
_WNID = re.compile(r"^n\d{8}[-_ ](?P<name>.+)$")
_FLAT = re.compile(r"^(?P<label>[^\W\d_][^\d.]*?)[._\- ]*\(?\d+\)?(?:[._\- ]\w*)?$")
_DIGITS = re.compile(r"(\d{1,300})")  # Python reads no number of more than 4,300 digits


def recognise(folder: Path) -> str | None:
    """Return the layout of a folder of photos, or None if there is none that we know."""
    folder = _unwrapped(folder)
    inside = [sub for sub in _subfolders(folder) if _has_photo(sub)]
    if _are_splits(inside):
        return "split-folders"
    if len(inside) == 1 and len(_flat_labels(inside[0])) > 1:
        return "flat"
    if inside:
        return "class-folders"
    if any(map(_is_photo, _files(folder))):
        return "flat"
    return None


def list_folders(root: Path, layout: str, label_from: str = "") -> Listing:
    """List the photos of a folder in one of the folder layouts."""
    if not root.is_dir():
        raise DataError(f"{root} is a file; the layout {layout} expects a folder.")
    listing = Listing(root, layout)
    if layout == "flat":
        _take_flat(listing, root, "", label_from)
    elif layout == "split-folders":
        _take_splits(listing, _unwrapped(root), label_from)
    else:
        folder = _unwrapped(root)
        _take_classes(listing, folder, "", _labels(_subfolders(folder)))
    return listing


def natural(path: str) -> list[tuple[int, int, str]]:
    """Sort key under which cat.2.jpg comes before cat.10.jpg; equal for equal paths only."""
    parts = _DIGITS.split(path)
    numbered = [(0, int(p), p) if i % 2 else (1, 0, p) for i, p in enumerate(parts)]
    return [part for part in numbered if part[2]]


def class_name(folder: str) -> str:
    """Return the label for a class folder: `n02085620-Chihuahua` -> `Chihuahua`."""
    name = _text(folder).strip()
    match = _WNID.match(name)
    return match["name"] if match else name


def walk_photos(folder: Path, listing: Listing) -> Iterator[str]:
    """Yield the photos below a folder, as paths relative to the listing's root.

    Symbolic links are followed, but no folder is entered twice: links among a few folders make more
    paths than could ever be walked. What is passed over is counted, and a folder that may not be
    read is a finding.
    """
    above = {*folder.absolute().parents, *folder.resolve().parents}
    seen = {_identity(parent.stat()) for parent in above}
    waiting: list[Path | os.DirEntry[str]] = [folder]  # no recursion: folders may lie very deep
    while waiting:
        item = waiting.pop()
        if isinstance(item, os.DirEntry) and not _is_folder(item):
            if _is_taken(item, listing):
                yield _relative(Path(item.path), listing.root)
            continue
        try:
            here = _identity(item.stat())
            entries = sorted(os.scandir(item), key=lambda entry: natural(entry.name), reverse=True)
        except OSError as error:
            reason = f"folder cannot be read: {error.strerror}"
            listing.unreadable.append(Unreadable(_relative(Path(item), listing.root), reason))
            continue
        if here in seen:
            listing.passed_over["links to a folder they lie in, or that was read before"] += 1
            continue
        seen.add(here)
        waiting += [entry for entry in entries if not _is_passed_over(entry, listing)]


def _is_passed_over(entry: os.DirEntry[str], listing: Listing) -> bool:
    if _is_hidden(entry.name):
        listing.passed_over["hidden or system files"] += 1
    return _is_hidden(entry.name)


def _is_taken(entry: os.DirEntry[str], listing: Listing) -> bool:
    """Whether an entry is a photo by its name; anything else is counted, or is a finding."""
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
    if suffix in OTHER_SUFFIXES:
        reason = f"is {suffix[1:].upper()}, which is not read here; convert it to JPEG"
        listing.unreadable.append(Unreadable(_relative(Path(entry.path), listing.root), reason))
        return False
    if not _is_photo(entry.name):
        listing.passed_over[_non_photo(entry.name)] += 1
        return False
    if _is_special(entry):
        listing.passed_over["no regular files"] += 1
        return False
    return True


def _take_classes(listing: Listing, folder: Path, split: str, labels: dict[str, str]) -> None:
    for sub in _subfolders(folder):
        for path in walk_photos(sub, listing):
            listing.records.append(Record(path, labels[sub.name], split))
    _count_files(listing, folder, "photos outside any class folder")


def _labels(folders: list[Path]) -> dict[str, str]:
    """Return the label of each class folder by its name.

    Two wnids may share a name (ImageNet has two cranes): then both keep theirs.
    """
    whole = {sub.name: _text(sub.name).strip() for sub in folders}
    times = Counter(class_name(name) for name in set(whole.values()))
    return {
        folder: class_name(name) if times[class_name(name)] == 1 else name
        for folder, name in whole.items()
    }


def _take_splits(listing: Listing, root: Path, label_from: str) -> None:
    splits = [(sub, _unwrapped(sub), split_of(sub.name)) for sub in _subfolders(root)]
    labels = _labels([c for _, inner, split in splits if split for c in _subfolders(inner)])
    for sub, inner, split in splits:
        if split is None:
            for _ in walk_photos(sub, Listing(listing.root, "")):
                listing.passed_over["photos outside the split folders"] += 1
        elif _subfolders(inner) and not label_from:
            _take_classes(listing, inner, split, labels)
        else:
            _take_flat(listing, inner, split, label_from)
    _count_files(listing, root, "photos outside the split folders")
    if not any(record.split == "train" for record in listing.records):
        raise DataError(
            f"{root} has no training folder with labelled photos; expected a folder named train, "
            "training, train_set or training_set. "
            f"Found: {', '.join(sub.name for sub in _subfolders(root)) or 'no folders'}."
        )
    folders_of = {(r.split, r.label) for r in listing.records}
    everywhere = {label for _, label in folders_of}
    for split in sorted({split for split, _ in folders_of} - {"train"}):
        extra = sorted(label for label in everywhere if (split, label) in folders_of
                       and ("train", label) not in folders_of)  # fmt: skip
        if extra:
            raise DataError(
                f"{split} has classes that train has not: {', '.join(extra)}. Class folders must "
                "have the same names in every split."
            )


def _take_flat(listing: Listing, folder: Path, split: str, label_from: str) -> None:
    pattern = compiled(label_from, "label_from") if label_from else None
    for path in walk_photos(folder, listing):
        label = _label_in_name(PurePosixPath(path), pattern)
        if label is None:
            listing.passed_over["photos without a label in their name"] += 1
        else:
            listing.records.append(Record(path, label, split))


def compiled(expression: str, option: str) -> re.Pattern[str]:
    """Return a regular expression that an option gave. Raises DataError if it is none."""
    try:
        return re.compile(expression)
    except re.error as error:
        raise DataError(
            f"{option} must be a regular expression, received {expression!r}: {error}."
        ) from error


def _label_in_name(path: PurePosixPath, pattern: re.Pattern[str] | None) -> str | None:
    if pattern is None:
        match = _FLAT.match(unicodedata.normalize("NFC", path.stem))
        return printable(match["label"].strip(" ._-")) if match else None
    match = pattern.search(unicodedata.normalize("NFC", path.name))
    if match is None:
        return None
    return printable((match[1] if pattern.groups else match[0]) or "") or None


def _text(name: str) -> str:
    """Return a name as a label may hold it: in one way of composing accents, and all of it text."""
    return unicodedata.normalize("NFC", printable(name))


def _are_splits(folders: list[Path]) -> bool:
    """Whether the folders are splits; bus, car and train are three classes."""
    splits = {split_of(folder.name): folder for folder in folders}
    if "train" not in splits:
        return False
    classes = any(_has_photo(sub) for sub in _subfolders(_unwrapped(splits["train"])))
    return classes or "val" in splits or "test" in splits or len(folders) == 1


def _flat_labels(folder: Path) -> set[str]:
    """Return the labels in the names of the photos that lie in a folder itself."""
    photos = filter(_is_photo, _files(folder))
    labels = {_label_in_name(PurePosixPath(name), None) for name in photos}
    return {label for label in labels if label} if None not in labels else set()


def _unwrapped(folder: Path) -> Path:
    """Descend through folders that hold photos in one folder only, as archives often do.

    It stops above a folder of class folders: `photos/cats/1.jpg` alone is the class `cats`. What
    stands beside without photos (`docs/`, `labels/`) does not matter.
    """
    for _ in range(_DEEPEST):
        inside = [sub for sub in _subfolders(folder) if _has_photo(sub)]
        if len(inside) != 1 or any(map(_is_photo, _files(folder))):
            return folder
        if split_of(inside[0].name) is not None:
            if not _nested(folder):
                return folder
        elif any(map(_is_photo, _files(inside[0]))):
            return folder
        folder = inside[0]
    return folder


def _nested(folder: Path) -> bool:
    """Whether a folder is itself a split folder, as in training_set/training_set."""
    return split_of(folder.name) is not None


def _has_photo(folder: Path) -> bool:
    return next(walk_photos(folder, Listing(folder, "")), None) is not None


def _subfolders(folder: Path) -> list[Path]:
    found = [entry for entry in _entries(folder) if not _is_hidden(entry.name)]
    return [Path(entry.path) for entry in found if _is_folder(entry)]


def _files(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder) if not _is_folder(entry)]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder; nothing if it may not be read, which is for the walk to say."""
    try:
        return sorted(os.scandir(folder), key=lambda entry: natural(entry.name))
    except OSError:
        return []


def _count_files(listing: Listing, folder: Path, photos: str) -> None:
    """Count the files that lie in a folder itself, beside the folders that were taken."""
    for name in _files(folder):
        kind = "hidden or system files" if _is_hidden(name) else _non_photo(name)
        listing.passed_over[photos if _is_photo(name) else kind] += 1


def _non_photo(name: str) -> str:
    return f"non-photos ({PurePosixPath(name).suffix.lower() or 'no ending'})"


def _identity(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that goes round in circles: reading it gives the reason


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK


def _is_photo(name: str) -> bool:
    return not _is_hidden(name) and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Whether opening the entry could block: a pipe, a socket, a device."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False  # a broken link: reading it gives the reason


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
