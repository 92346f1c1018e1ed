"""Prepared pixels on disk: every photo decoded once, memory-mapped ever after.

    photos.npy          (N, H, W, C) uint8, openable with numpy.load(mmap_mode="r")
    facts.csv           a row a photo, in the order of photos.npy: what the pixels say of it
    near_duplicates.csv pairs of photos that look the same
    unreadable.csv      the files that are not in it, and why
    store.json          geometry, key and a hash of photos.npy; there when the rest is

Labels and splits are not part of it, so that one store serves every way of naming and splitting
the same photos.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from classeur.data.decode import DECODER_VERSION, to_pixels
from classeur.data.facts import (
    PhotoFacts,
    prepared_hash,
    read_facts,
    read_paths,
    read_unreadable,
    settle_content,
    write_facts,
    write_unreadable,
)
from classeur.data.geometry import Geometry
from classeur.data.manifest import Manifest
from classeur.data.near_duplicates import (
    NearPair,
    find_near_duplicates,
    grouped,
    read_near_duplicates,
    write_near_duplicates,
)
from classeur.data.parallel import in_parallel
from classeur.data.reader import PhotoReader, file_size
from classeur.data.records import Listing, Record, Unreadable
from classeur.data.staging import staged
from classeur.errors import ConfigError, DataError, StoreError, UnreadablePhotoError

STORE_VERSION = 6

_SHARED = ("photos.npy", "facts.csv", "near_duplicates.csv")
"""What does not depend on the files that cannot be read."""

Add = Callable[[Path, list[PhotoFacts]], None]


@dataclass(frozen=True)
class Store:
    """A finished store on disk."""

    path: Path

    @cached_property
    def photos(self) -> NDArray[np.uint8]:
        """All pixels, (N, H, W, C) uint8, memory-mapped."""
        return np.load(self.path / "photos.npy", mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    def facts(self, listing: Listing) -> list[PhotoFacts]:
        """Return a row a photo, in the order of `photos`, with the listing's labels and splits."""
        return read_facts(self.path / "facts.csv", listing.records)

    def facts_in(self, manifest: Manifest) -> list[PhotoFacts]:
        """Return the same with a manifest's labels and splits."""
        return read_facts(self.path / "facts.csv", manifest.records())

    def paths(self) -> list[str]:
        """Return the path of each photo, in the order of `photos`."""
        return read_paths(self.path / "facts.csv")

    @cached_property
    def near_duplicates(self) -> list[NearPair]:
        """The pairs of photos that look the same but are not equal."""
        return read_near_duplicates(self.path / "near_duplicates.csv")

    @cached_property
    def unreadable(self) -> list[Unreadable]:
        """The files that are not in the store, and why."""
        return read_unreadable(self.path / "unreadable.csv")

    @cached_property
    def geometry(self) -> Geometry:
        """Size, colour, resize and filters of the pixels."""
        return Geometry.from_dict(self._about["geometry"])

    @cached_property
    def key(self) -> str:
        """Hash of the photos' content and the geometry."""
        return str(self._about["key"])

    @cached_property
    def _about(self) -> dict[str, Any]:
        return self._read_about()

    @property
    def pixels_hash(self) -> str:
        """Hash of photos.npy as it was written."""
        return str(self._about["pixels"])

    def _read_about(self) -> dict[str, Any]:
        return json.loads((self.path / "store.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    @property
    def is_whole(self) -> bool:
        """Whether the store is finished, of this version, and its files agree, now."""
        try:
            about = self._read_about()
            rows, geometry = int(about["photos"]), Geometry.from_dict(about["geometry"])
            photos = np.load(self.path / "photos.npy", mmap_mode="r", allow_pickle=False)
            return bool(
                about["version"] == STORE_VERSION
                and photos.shape == (rows, *geometry.shape)
                and len(self.paths()) == rows
                and (self.path / "near_duplicates.csv").is_file()
                and (self.path / "unreadable.csv").is_file()
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, ConfigError):
            return False

    @property
    def is_intact(self) -> bool:
        """Whether it is whole and holds the very pixels that were written: reads them all, once."""
        written = self._read_about()["pixels"] if self.is_whole else None
        return written is not None and written == _file_hash(self.path / "photos.npy")


def cache_root() -> Path:
    """Return where stores are kept between commands: $CLASSEUR_CACHE, or the user's cache."""
    named = os.environ.get("CLASSEUR_CACHE")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "classeur"


def cached_store(listing: Listing, geometry: Geometry) -> Store:
    """Return the store of these photos in the cache, built if it is not there yet.

    Raises:
        StoreError: if the disk is full or may not be written.
        DataError: if no photo can be read.
    """
    store = _in_cache(listing, geometry)
    if not store.is_intact:
        build_store(listing, geometry, store.path, reuse=True)
        _register_readable(store, listing)
    return store


def copy_cached(listing: Listing, geometry: Geometry, to: Path, add: Add) -> Store | None:
    """Copy the store of these photos from the cache to `to`; None if it is not there.

    Takes and raises what `build_store` does.
    """
    cached, store = _in_cache(listing, geometry), Store(to.resolve())
    if not cached.is_intact:
        return None
    with staged(store.path) as folder:
        for name in (*_SHARED, "unreadable.csv", "store.json"):
            shutil.copy2(cached.path / name, folder / name)
        add(folder, cached.facts(listing))
    return store


def _in_cache(listing: Listing, geometry: Geometry) -> Store:
    return Store(cache_root() / "stores" / store_key(listing, geometry)[:32])


def _register_readable(store: Store, listing: Listing) -> None:
    """Let a listing of the readable photos alone find the store: a run's manifest names no other.

    It is the same pixels under a second name, not a copy.
    """
    paths = set(store.paths())
    records = [record for record in listing.records if record.path in paths]
    if len(records) == len(listing.records):
        return
    readable = replace(listing, records=records, unreadable=[])
    twin = _in_cache(readable, store.geometry)
    with (
        suppress(StoreError),  # a disk without hard links: they will be decoded once more
        staged(twin.path.resolve(), lambda: twin.is_intact) as folder,
    ):
        for name in _SHARED:
            (folder / name).hardlink_to(store.path / name)
        write_unreadable(folder / "unreadable.csv", [])
        _write_about(folder, readable, store.geometry, len(paths), store.pixels_hash)


def store_key(listing: Listing, geometry: Geometry) -> str:
    """Return the hash under which a store is kept: photos, their content, and geometry."""
    digest = hashlib.sha256()
    about = {"geometry": geometry.to_dict(), "decoder": DECODER_VERSION, "store": STORE_VERSION}
    digest.update(json.dumps(about, sort_keys=True).encode())
    for record in listing.records:
        digest.update(f"{record.path}\0{record.sha256}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def build_store(
    listing: Listing,
    geometry: Geometry,
    to: Path,
    *,
    workers: int | None = None,
    add: Add | None = None,
    reuse: bool = False,
) -> Store:
    """Decode every photo once, in parallel and with bounded memory, into a store at `to`.

    Args:
        listing: the photos, as `scan` found them.
        geometry: size, colour, resize and filters.
        to: the folder to make. One that is there must be empty, or a store and nothing else.
        workers: threads; None: one a processor.
        add: called with the folder and the facts before the store is declared whole, to write
            more of `staging.FILES` into it.
        reuse: if another process has put a whole store at `to` meanwhile, keep that one.

    Raises:
        StoreError: if the disk is full or may not be written, or `to` holds something else.
        DataError: if no photo can be read.
    """
    store = Store(to.resolve())
    with staged(store.path, lambda: reuse and store.is_intact) as folder:
        facts, unreadable = _write_photos(listing, geometry, folder, workers)
        if not facts:
            bad = [*listing.unreadable, *unreadable]
            reason = f" The first: {bad[0].path} {bad[0].reason}." if bad else ""
            raise DataError(f"none of the {len(bad)} photos can be read.{reason}")
        reader = PhotoReader(listing.root)
        facts = settle_content(facts, reader, geometry.color)
        pairs = find_near_duplicates(facts, reader)
        facts = grouped(facts, pairs, reader)
        write_facts(folder / "facts.csv", facts)
        write_near_duplicates(folder / "near_duplicates.csv", pairs)
        write_unreadable(folder / "unreadable.csv", unreadable)
        if add is not None:
            add(folder, facts)
        pixels = _file_hash(folder / "photos.npy")
        _write_about(folder, listing, geometry, len(facts), pixels)
    return store


def _write_about(
    folder: Path, listing: Listing, geometry: Geometry, photos: int, pixels: str
) -> None:
    about = {
        "version": STORE_VERSION,
        "key": store_key(listing, geometry),
        "geometry": geometry.to_dict(),
        "photos": photos,
        "pixels": pixels,
    }
    (folder / "store.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


def _write_photos(
    listing: Listing, geometry: Geometry, folder: Path, workers: int | None
) -> tuple[list[PhotoFacts], list[Unreadable]]:
    reader = PhotoReader(listing.root)

    def prepare(record: Record) -> tuple[NDArray[np.uint8], PhotoFacts] | Unreadable:
        try:
            content = reader.read_same(record)
            decoded = geometry.decode(content)
        except UnreadablePhotoError as error:
            return Unreadable(record.path, str(error))
        small = geometry.shrink(decoded.image)
        # of the photo before the filters: a copy is one whatever they make of it
        content_hash = prepared_hash(decoded, to_pixels(small))
        facts = PhotoFacts.of(record, decoded, content_hash, file_size(content))
        return geometry.finish(small), facts

    facts: list[PhotoFacts] = []
    unreadable: list[Unreadable] = []
    results = in_parallel(prepare, listing.records, workers, chunk=8)
    total = len(listing.records)
    with (folder / "photos.npy").open("w+b") as file:
        _write_header(file, (total, *geometry.shape))
        for result in tqdm(results, "preparing", total, unit=" photos", leave=False, disable=None):
            if isinstance(result, Unreadable):
                unreadable.append(result)
            else:
                file.write(np.ascontiguousarray(result[0]).data)
                facts.append(result[1])
        # The header has room for any number of rows, so it can be put right at the end.
        file.seek(0)
        _write_header(file, (len(facts), *geometry.shape))
    return facts, unreadable


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
