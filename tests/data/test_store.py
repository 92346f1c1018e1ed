"""Prepared pixels on disk: whole or not there, decoded once, within bounded memory."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classeur.data import facts as facts_room
from classeur.data import geometry as geometry_room
from classeur.data import staging as staging_room
from classeur.data import store as room
from classeur.data.facts import PhotoFacts
from classeur.data.geometry import Geometry
from classeur.data.quality import COLUMNS
from classeur.data.records import Listing, Unreadable
from classeur.data.scan import scan
from classeur.data.store import Store, build_store, cache_root, cached_store, store_key
from classeur.errors import DataError, StoreError

FULL = (
    "the disk is full while preparing photos at {}: nothing was left there. Free some space, "
    "choose a smaller size, or set CLASSEUR_CACHE to a folder on another disk."
)


@pytest.fixture
def listing(class_folders):
    return scan(class_folders({"cat": 6, "dog": 6}))


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another Python on some code, which finds the arguments in sys.argv."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


class TestContent:
    def test_numpy_alone_opens_it(self, listing, tmp_path):
        geometry = Geometry(16)
        build_store(listing, geometry, tmp_path / "store")
        photos = np.load(tmp_path / "store" / "photos.npy")
        assert photos.shape == (12, 16, 16, 3)
        assert photos.dtype == np.uint8
        for record, pixels in zip(listing.records, photos, strict=True):
            with Image.open(listing.root / record.path) as image:
                assert np.array_equal(pixels, geometry.pixels(image.convert("RGB")))

    @pytest.mark.parametrize(
        "geometry",
        [
            Geometry(8),
            Geometry(20, "grey"),
            Geometry(12, "rgb", "crop", "bicubic", 0.8),
            Geometry(12, "grey", "pad"),
        ],
    )
    def test_every_geometry(self, listing, tmp_path, geometry):
        store = build_store(listing, geometry, tmp_path / "store")
        assert store.photos.shape == (12, *geometry.shape)
        assert store.geometry == geometry
        first = (listing.root / listing.records[0].path).read_bytes()
        assert np.array_equal(store.photos[0], geometry.open(first)[0])

    def test_it_is_memory_mapped(self, listing, tmp_path):
        photos = build_store(listing, Geometry(8), tmp_path / "store").photos
        assert isinstance(photos, np.memmap)
        assert not photos.flags.writeable

    @pytest.mark.parametrize("workers", [1, 4])
    def test_workers_change_nothing(self, listing, tmp_path, workers):
        one = build_store(listing, Geometry(8), tmp_path / "one")
        other = build_store(listing, Geometry(8), tmp_path / "other", workers=workers)
        for name in ("photos.npy", "facts.csv", "store.json"):
            assert (one.path / name).read_bytes() == (other.path / name).read_bytes()

    def test_facts(self, listing, tmp_path):
        store = build_store(listing, Geometry(8), tmp_path / "store")
        facts = store.facts(listing)
        assert [fact.record for fact in facts] == listing.records
        assert store.paths() == [record.path for record in listing.records]
        assert {(f.width, f.height, f.mode, f.format) for f in facts} == {(32, 24, "RGB", "PNG")}
        assert len({fact.content for fact in facts}) == 12
        with (store.path / "facts.csv").open(newline="") as file:
            header = next(csv.reader(file))
        seen = ["path", "sha256", "width", "height", "mode", "format", "content", "hash", "near"]
        assert header == [*seen, *COLUMNS]

    def test_about(self, listing, tmp_path):
        store = build_store(listing, Geometry(8), tmp_path / "store")
        about = json.loads((store.path / "store.json").read_text())
        assert about["photos"] == 12
        assert about["geometry"] == Geometry(8).to_dict()
        assert about["key"] == store.key == store_key(listing, Geometry(8))

    def test_rows_of_arrays(self, tmp_path):
        digits = np.random.default_rng(0).integers(0, 256, (5, 8, 8), np.uint8)
        np.savez(tmp_path / "digits.npz", x=digits, y=np.arange(5))
        listing = scan(tmp_path / "digits.npz")
        store = build_store(listing, Geometry(8, "grey"), tmp_path / "store")
        assert np.array_equal(store.photos[:, :, :, 0], digits)
        assert {fact.format for fact in store.facts(listing)} == {"ARRAY"}

    def test_names_that_are_no_utf8(self, class_folders, tmp_path):
        root = class_folders({"caf\udce9": 2, "b": 2})
        (root / "b" / "\udce9.png").write_bytes(b"no photo")
        listing = scan(root)
        store = build_store(listing, Geometry(8), tmp_path / "store")
        assert [fact.label for fact in store.facts(listing)] == ["b", "b", *[r"caf\xe9"] * 2]
        assert [item.path for item in store.unreadable] == ["b/\udce9.png"]

    def test_names_with_line_breaks(self, class_folders, tmp_path):
        root = class_folders({"a": 3, "b\rb": 2})
        (root / "a" / "0.png").rename(root / "a" / "0\r1\n2.png")
        (root / "a" / "1.png").write_bytes(b"no photo")
        (root / "a" / "1.png").rename(root / "a" / "1\r\n.png")
        listing = scan(root)
        store = build_store(listing, Geometry(8), tmp_path / "store")
        seen = {fact.record for fact in store.facts(listing)}
        assert seen == {record for record in listing.records if record.path != "a/1\r\n.png"}
        assert [item.path for item in store.unreadable] == ["a/1\r\n.png"]


class TestUnreadable:
    def test_left_out_and_named(self, class_folders, tmp_path):
        root = class_folders({"cat": 4, "dog": 4})
        whole = (root / "cat" / "1.png").read_bytes()
        (root / "cat" / "1.png").write_bytes(whole[: len(whole) // 2])
        (root / "dog" / "2.png").write_bytes(b"<html>404</html>")
        (root / "dog" / "9.png").write_bytes(b"")
        listing = scan(root)
        store = build_store(listing, Geometry(16), tmp_path / "store")
        assert store.photos.shape == (6, 16, 16, 3)
        size = (store.path / "photos.npy").stat().st_size
        assert size == 6 * 16 * 16 * 3 + 128  # nothing behind the last photo
        left = ["cat/0.png", "cat/2.png", "cat/3.png", "dog/0.png", "dog/1.png", "dog/3.png"]
        assert store.paths() == left
        for path, pixels in zip(left, store.photos, strict=True):
            assert np.array_equal(pixels, Geometry(16).open((root / path).read_bytes())[0])
        assert [item.path for item in store.unreadable] == ["cat/1.png", "dog/2.png", "dog/9.png"]
        assert store.unreadable[0].reason.startswith("is broken: ")
        assert store.unreadable[1:] == [
            Unreadable("dog/2.png", "is an HTML page, not a photo"),
            Unreadable("dog/9.png", "is empty (0 bytes)"),
        ]

    def test_a_photo_that_changed_since_the_scan(self, listing, tmp_path, draw):
        draw(99).save(listing.root / "cat" / "3.png")
        (listing.root / "dog" / "0.png").unlink()
        store = build_store(listing, Geometry(8), tmp_path / "store")
        assert store.unreadable == [
            Unreadable("cat/3.png", "has changed since it was scanned"),
            Unreadable("dog/0.png", "cannot be read: No such file or directory"),
        ]
        assert len(store.photos) == 10

    def test_none_can_be_read(self, tree, tmp_path):
        listing = scan(tree("a/1.jpg", "b/1.jpg"))
        with pytest.raises(DataError) as caught:
            build_store(listing, Geometry(8), tmp_path / "store")
        assert str(caught.value) == (
            "none of the 2 photos can be read. The first: a/1.jpg is empty (0 bytes)."
        )
        assert list(tmp_path.iterdir()) == [listing.root]

    def test_none_could_be_scanned(self, tmp_path):
        (tmp_path / "photos" / "a").mkdir(parents=True)
        (tmp_path / "photos" / "a" / "1.jpg").symlink_to("nowhere")
        with pytest.raises(DataError) as caught:
            build_store(scan(tmp_path / "photos"), Geometry(8), tmp_path / "store")
        assert str(caught.value) == (
            "none of the 1 photos can be read. The first: a/1.jpg cannot be read: No such file or "
            "directory."
        )

    def test_no_photo_at_all(self, tmp_path):
        with pytest.raises(DataError) as caught:
            build_store(Listing(tmp_path, "flat"), Geometry(8), tmp_path / "store")
        assert str(caught.value) == "none of the 0 photos can be read."


class TestWholeOrNotThere:
    @pytest.fixture
    def fails_in_the_middle(self, monkeypatch):
        def arm(error):
            whole, calls = Geometry.decode, []

            def opened(self, photo):
                calls.append(photo)
                if len(calls) == 7:
                    raise error
                return whole(self, photo)

            monkeypatch.setattr(Geometry, "decode", opened)

        return arm

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
    def test_an_interruption_leaves_nothing(self, listing, tmp_path, fails_in_the_middle, error):
        fails_in_the_middle(error())
        with pytest.raises(error):
            build_store(listing, Geometry(8), tmp_path / "stores" / "one")
        assert list((tmp_path / "stores").iterdir()) == []

    def test_an_error_in_what_is_added_leaves_nothing(self, listing, tmp_path):
        def add(folder, _facts):
            (folder / "labels.npy").write_bytes(b"half")
            raise ValueError("no labels")

        with pytest.raises(ValueError, match="no labels"):
            build_store(listing, Geometry(8), tmp_path / "stores" / "one", add=add)
        assert list((tmp_path / "stores").iterdir()) == []

    def test_an_interruption_keeps_the_old_store(self, listing, tmp_path, fails_in_the_middle):
        build_store(listing, Geometry(8), tmp_path / "store")
        fails_in_the_middle(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            build_store(listing, Geometry(16), tmp_path / "store")
        assert Store(tmp_path / "store").is_whole
        assert Store(tmp_path / "store").photos.shape == (12, 8, 8, 3)

    def test_an_old_store_is_replaced(self, listing, tmp_path):
        build_store(listing, Geometry(8), tmp_path / "store")
        (tmp_path / "store" / "labels.npy").touch()
        store = build_store(listing, Geometry(16), tmp_path / "store")
        assert store.photos.shape == (12, 16, 16, 3)
        assert not (store.path / "labels.npy").exists()

    @pytest.mark.parametrize("name", ["store", "sto[r]e *?"])
    def test_a_killed_process_leaves_no_store_and_the_next_one_cleans_up(
        self, listing, tmp_path, name
    ):
        to = tmp_path / "stores" / name
        code = """
            import itertools, sys, time
            from pathlib import Path
            from classeur.data.geometry import Geometry
            from classeur.data.scan import scan
            from classeur.data.store import build_store
            whole, calls = Geometry.decode, itertools.count()
            def slow(self, photo):
                call = next(calls)
                if call == 6:
                    print("in the middle", flush=True)
                if call >= 6:
                    time.sleep(60)
                return whole(self, photo)
            Geometry.decode = slow
            build_store(scan(sys.argv[1]), Geometry(64), Path(sys.argv[2]), workers=2)
        """
        with python(code, listing.root, to) as process:
            assert process.stdout.readline() == "in the middle\n"
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        assert not to.exists()
        (left,) = to.parent.iterdir()
        assert left.name.endswith(".partial")
        build_store(listing, Geometry(8), to)
        assert list(to.parent.iterdir()) == [to]

    def test_what_another_process_is_still_writing_is_left_alone(self, listing, tmp_path):
        with python("import sys; sys.stdin.read()") as alive:
            host = socket.gethostname()
            left = [
                tmp_path / f".store.{host}-{alive.pid}-0.partial",
                tmp_path / f".store.x.{host}-99999999-0.partial",  # of a store of another name
                tmp_path / f".store.{host}2-99999999-0.partial",  # of another machine
            ]
            for folder in left:
                folder.mkdir()
            build_store(listing, Geometry(8), tmp_path / "store")
            assert all(folder.is_dir() for folder in left)
            alive.kill()

    def test_a_process_of_another_user_is_alive(self, monkeypatch):
        def not_allowed(_pid, _signal):
            raise PermissionError

        monkeypatch.setattr(os, "kill", not_allowed)
        assert staging_room._is_alive(1)


class TestFullDisk:
    def test_no_space_left(self, listing, tmp_path, monkeypatch):
        def full(*_arguments):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(room, "write_facts", full)
        to = tmp_path / "stores" / "one"
        with pytest.raises(StoreError) as caught:
            build_store(listing, Geometry(8), to)
        assert str(caught.value) == FULL.format(to)
        assert list(to.parent.iterdir()) == []

    def test_a_file_may_not_grow_further(self, listing, tmp_path):
        """The system's own limit on the size of a file, as a disk that is full at 20 kB."""
        to = tmp_path / "stores" / "one"
        code = """
            import resource, signal, sys
            from pathlib import Path
            from classeur.data.geometry import Geometry
            from classeur.data.scan import scan
            from classeur.data.store import build_store
            from classeur.errors import StoreError
            listing = scan(sys.argv[1])
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
            try:
                build_store(listing, Geometry(32), Path(sys.argv[2]))
            except StoreError as error:
                print(error)
        """
        with python(code, listing.root, to) as process:
            said, errors = process.communicate(timeout=60)
        assert said == FULL.format(to) + "\n", errors
        assert list(to.parent.iterdir()) == []

    def test_other_troubles_with_the_disk(self, listing, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        to = tmp_path / "file" / "store"
        with pytest.raises(StoreError) as caught:
            build_store(listing, Geometry(8), to)
        assert str(caught.value) == (
            f"cannot write prepared photos at {to}: File exists. Choose a folder that may be "
            "written, by --to or the environment variable CLASSEUR_CACHE."
        )

        def read_only(*_arguments, **_options):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(Path, "mkdir", read_only)
        with pytest.raises(StoreError) as caught:
            build_store(listing, Geometry(8), tmp_path / "store")
        assert str(caught.value) == (
            f"cannot write prepared photos at {tmp_path}/store: Read-only file system. Choose a "
            "folder that may be written, by --to or the environment variable CLASSEUR_CACHE."
        )


class TestTarget:
    def test_a_file(self, listing, tmp_path):
        (tmp_path / "store").touch()
        with pytest.raises(StoreError) as caught:
            build_store(listing, Geometry(8), tmp_path / "store")
        assert str(caught.value) == f"{tmp_path}/store is a file; expected a folder to make."

    def test_a_folder_of_something_else(self, listing):
        with pytest.raises(StoreError) as caught:
            build_store(listing, Geometry(8), listing.root)
        assert str(caught.value) == (
            f"{listing.root} is not empty and holds no prepared photos. Choose another folder."
        )
        assert len(scan(listing.root).records) == 12

    def test_a_store_with_something_of_the_users_in_it(self, listing, tmp_path):
        store = build_store(listing, Geometry(8), tmp_path / "store")
        (store.path / "notes.txt").write_text("mine")
        (store.path / "figures").mkdir()
        with pytest.raises(StoreError) as caught:
            build_store(listing, Geometry(16), store.path)
        assert str(caught.value) == (
            f"{store.path} holds prepared photos, and something else beside them: figures, "
            "notes.txt. Move that away, or choose another folder."
        )
        assert (store.path / "notes.txt").read_text() == "mine"
        assert Store(store.path).photos.shape == (12, 8, 8, 3)

    def test_the_folder_one_is_in(self, listing, tmp_path, monkeypatch):
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        for size in (8, 16):
            store = build_store(listing, Geometry(size), Path())
            assert store.photos.shape == (12, size, size, 3)
            assert np.load("photos.npy").shape == store.photos.shape  # still the same folder
        assert [entry.name for entry in tmp_path.iterdir() if entry != listing.root] == ["here"]

    def test_an_empty_folder(self, listing, tmp_path):
        (tmp_path / "store").mkdir()
        assert build_store(listing, Geometry(8), tmp_path / "store").is_whole

    def test_a_store_of_another_version_is_not_whole(self, listing, tmp_path):
        store = build_store(listing, Geometry(8), tmp_path / "store")
        assert Store(store.path).is_whole
        file = store.path / "store.json"
        for text in ('{"version": 0}', "{}", "[]", "{", ""):
            file.write_text(text)
            assert not Store(store.path).is_whole, text
        file.unlink()
        assert not Store(store.path).is_whole


class TestMemory:
    def test_it_stays_bounded_however_many_photos_there_are(self, tmp_path, draw):
        """2,500 photos of 96×96×3 are a store of 69 MB, prepared within 25 MB."""
        first = tmp_path / "photos" / "a" / "0.png"
        for label in "ab":
            (tmp_path / "photos" / label).mkdir(parents=True)
        draw(1).save(first)
        for n in range(1, 2500):
            os.link(first, tmp_path / "photos" / "ab"[n % 2] / f"{n}.png")
        code = """
            import resource, sys
            from pathlib import Path
            from classeur.data.geometry import Geometry
            from classeur.data.scan import scan
            from classeur.data.store import build_store
            def peak():
                return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            to = Path(sys.argv[2])
            listing = scan(sys.argv[1], limit_per_class=20)
            build_store(listing, Geometry(96), to, workers=2)
            before = peak()
            build_store(scan(sys.argv[1]), Geometry(96), to, workers=2)
            print(peak() - before, (to / "photos.npy").stat().st_size)
        """
        with python(code, tmp_path / "photos", tmp_path / "store") as process:
            said, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        grown, size = map(int, said.split())
        assert size > 69e6
        assert grown < 25e6


class TestCache:
    def test_decoded_once(self, listing, monkeypatch):
        store = cached_store(listing, Geometry(8))

        def decoded_again(*_arguments, **_options):
            raise AssertionError("decoded again")

        monkeypatch.setattr(geometry_room, "decode", decoded_again)
        monkeypatch.setattr(facts_room, "decode", decoded_again)
        again = cached_store(scan(listing.root), Geometry(8))
        assert again == store
        assert np.array_equal(again.photos, store.photos)

    def test_a_listing_without_the_unreadable_photos_finds_it(self, listing, cache, monkeypatch):
        """As the manifest of a run is: one that is resumed decodes nothing again."""
        (listing.root / "cat" / "2.png").write_bytes(b"no photo")
        whole = scan(listing.root)
        store = cached_store(whole, Geometry(8))
        readable = replace(whole, records=[r for r in whole.records if r.path != "cat/2.png"])
        monkeypatch.setattr(geometry_room, "decode", None)
        again = cached_store(readable, Geometry(8))
        assert np.array_equal(again.photos, store.photos)
        assert again.facts(readable) == store.facts(whole)
        assert again.key == store_key(readable, Geometry(8))
        assert (len(store.unreadable), again.unreadable) == (1, [])
        assert (again.path / "photos.npy").samefile(store.path / "photos.npy")
        assert cached_store(whole, Geometry(8)).path == store.path
        assert len(list((cache / "stores").iterdir())) == 2

    def test_a_disk_without_hard_links(self, listing, cache, monkeypatch):
        def no_links(*_arguments):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", no_links)
        (listing.root / "cat" / "2.png").write_bytes(b"no photo")
        store = cached_store(scan(listing.root), Geometry(8))
        assert list((cache / "stores").iterdir()) == [store.path]

    def test_the_slower_of_two_processes_uses_the_store_of_the_faster(self, listing, monkeypatch):
        whole, inodes = Geometry.decode, []

        def opened(self, photo):
            if not inodes:  # another process begins now, and ends first
                inodes.append(0)
                inodes[0] = (cached_store(listing, self).path / "photos.npy").stat().st_ino
            return whole(self, photo)

        monkeypatch.setattr(Geometry, "decode", opened)
        store = cached_store(listing, Geometry(8))
        assert (store.path / "photos.npy").stat().st_ino == inodes[0]
        assert list(store.path.parent.iterdir()) == [store.path]

    def test_the_slower_one_loses_by_a_moment(self, listing, monkeypatch):
        whole, inodes = Path.rename, []

        def rename(self, target):
            if not inodes:  # another process puts its store there just before
                inodes.append(0)
                inodes[0] = (cached_store(listing, Geometry(8)).path / "photos.npy").stat().st_ino
            return whole(self, target)

        monkeypatch.setattr(Path, "rename", rename)
        store = cached_store(listing, Geometry(8))
        assert (store.path / "photos.npy").stat().st_ino == inodes[0]
        assert list(store.path.parent.iterdir()) == [store.path]

    def test_where_it_is(self, listing, cache, monkeypatch, tmp_path):
        key = store_key(listing, Geometry(8))
        assert cached_store(listing, Geometry(8)).path == cache / "stores" / key[:32]
        monkeypatch.setenv("CLASSEUR_CACHE", "~/somewhere")
        assert cache_root() == Path.home() / "somewhere"
        monkeypatch.delenv("CLASSEUR_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_root() == tmp_path / "classeur"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_root() == tmp_path / ".cache" / "classeur"

    def test_a_store_of_another_version_is_made_anew(self, listing):
        store = cached_store(listing, Geometry(8))
        (store.path / "store.json").write_text('{"version": 0}')
        assert cached_store(listing, Geometry(8)).is_whole

    def test_the_key_is_of_content_and_geometry(self, listing, monkeypatch):
        def key(geometry=Geometry(8), **changes):  # noqa: B008
            first = replace(listing.records[0], **changes)
            return store_key(replace(listing, records=[first, *listing.records[1:]]), geometry)

        before = key()
        assert before == store_key(scan(listing.root), Geometry(8))
        assert key(label="z", split="test", group="g") == before
        others = [
            key(sha256="0"),
            key(path="z.png"),
            key(Geometry(9)),
            key(Geometry(8, "grey")),
            key(Geometry(8, resize="pad")),
            key(Geometry(8, interpolation="bicubic")),
            key(Geometry(8, crop_pct=0.9)),
            store_key(replace(listing, records=listing.records[1:]), Geometry(8)),
            store_key(replace(listing, records=listing.records[::-1]), Geometry(8)),
        ]
        monkeypatch.setattr(room, "DECODER_VERSION", 99)
        others.append(key())
        assert len({*others, before}) == len(others) + 1

    def test_one_store_serves_every_naming_and_splitting(self, listing):
        store = cached_store(listing, Geometry(8))
        renamed = replace(
            listing,
            records=[
                replace(record, label="bird", split="test", group="g") for record in listing.records
            ],
        )
        assert cached_store(renamed, Geometry(8)).path == store.path
        facts = store.facts(renamed)
        assert {(fact.label, fact.split, fact.group) for fact in facts} == {("bird", "test", "g")}

    def test_a_photo_that_changes_makes_another_store(self, listing, draw):
        before = cached_store(listing, Geometry(8))
        draw(99).save(listing.root / "cat" / "0.png")
        after = cached_store(scan(listing.root), Geometry(8))
        assert before.path != after.path
        assert not np.array_equal(before.photos[0], after.photos[0])
        assert np.array_equal(before.photos[1:], after.photos[1:])


class TestSameContent:
    """The same picture has the same `content`, also where JPEGs were decoded at a smaller scale."""

    @pytest.fixture
    def large(self, tmp_path, draw, monkeypatch):
        """A large JPEG, a copy of it, and a PNG of its decoded pixels."""
        monkeypatch.setattr("classeur.data.geometry.LARGE_PIXELS", 0)
        for label in "ab":
            (tmp_path / "photos" / label).mkdir(parents=True)
        root = tmp_path / "photos"
        draw(1, (400, 300)).save(root / "a" / "1.jpg", quality=90)
        (root / "b" / "copy.jpg").write_bytes((root / "a" / "1.jpg").read_bytes())
        with Image.open(root / "a" / "1.jpg") as image:
            image.save(root / "b" / "1.png")
        draw(2, (400, 300)).save(root / "a" / "2.jpg")
        draw(3, (400, 320)).save(root / "a" / "3.jpg")
        return root

    def content(self, root, geometry) -> dict[str, str]:
        listing = scan(root)
        return {f.path: f.content for f in cached_store(listing, geometry).facts(listing)}

    @pytest.mark.parametrize("color", ["rgb", "grey"])
    def test_of_a_reduced_jpeg_and_a_png(self, large, color):
        content = self.content(large, Geometry(32, color))
        assert content["a/1.jpg"] == content["b/copy.jpg"] == content["b/1.png"]
        assert len(set(content.values())) == 3
        assert content["a/3.jpg"].startswith("reduced:")  # nothing else has its size
        assert content["a/2.jpg"].startswith("full:")

    def test_of_copies_of_a_reduced_jpeg(self, large):
        (large / "b" / "1.png").unlink()
        content = self.content(large, Geometry(32))
        assert content["a/1.jpg"] == content["b/copy.jpg"]
        assert all(value.startswith("reduced:") for value in content.values())

    def test_only_what_could_be_a_copy_is_decoded_twice(self, large, monkeypatch):
        decoded, whole = [], facts_room.decode
        monkeypatch.setattr(
            facts_room, "decode", lambda *given: decoded.append(given) or whole(*given)
        )
        self.content(large, Geometry(32))
        assert len(decoded) == 4  # all of 400×300 pixels

    def test_a_photo_that_vanishes_or_changes_meanwhile_is_like_no_other(self, large):
        listing = scan(large)
        there = next(record.sha256 for record in listing.records if record.path == "b/1.png")
        facts = [
            PhotoFacts("a/1.jpg", "a", "", "", "", 9, 9, "RGB", "JPEG", "reduced:1"),
            PhotoFacts("b/1.png", "b", "", "", there, 9, 9, "RGB", "PNG", "prepared:2"),
            PhotoFacts("b/copy.jpg", "b", "", "", "of another", 9, 9, "RGB", "JPEG", "reduced:3"),
        ]
        reader = facts_room.PhotoReader(listing.root)
        (large / "a" / "1.jpg").unlink()
        settled = facts_room.settle_content(facts, reader, "rgb")
        assert settled[0] == facts[0]
        assert settled[1].content.startswith("full:")
        assert settled[2] == facts[2]

    def test_of_a_jpeg_without_its_exif(self, tmp_path, draw):
        root = tmp_path / "photos"
        (root / "a").mkdir(parents=True)
        exif = Image.Exif()
        exif[0x010F] = "a camera"
        draw(1, (400, 300)).save(root / "a" / "1.jpg", exif=exif)
        draw(1, (400, 300)).save(root / "a" / "2.jpg")
        assert (root / "a" / "1.jpg").read_bytes() != (root / "a" / "2.jpg").read_bytes()
        content = self.content(root, Geometry(32))
        assert content["a/1.jpg"] == content["a/2.jpg"]

    def test_of_different_pictures_that_look_alike_when_small(self, tmp_path):
        root = tmp_path / "photos"
        (root / "a").mkdir(parents=True)
        board = np.indices((64, 64)).sum(0) % 2 * 255
        for name, pixels in (("1.png", board), ("2.png", 255 - board), ("3.bmp", board)):
            Image.fromarray(pixels.astype(np.uint8)).save(root / "a" / name)
        store = cached_store(scan(root), Geometry(8, "grey", "crop", crop_pct=0.5))
        assert np.array_equal(store.photos[0], store.photos[1])
        content = self.content(root, store.geometry)
        assert content["a/1.png"] == content["a/3.bmp"] != content["a/2.png"]

    def test_size_and_channels_are_part_of_it(self, draw, tmp_path):
        root = tmp_path / "photos"
        (root / "a").mkdir(parents=True)
        Image.new("L", (4, 9)).save(root / "a" / "1.png")
        Image.new("L", (9, 4)).save(root / "a" / "2.png")
        Image.new("RGB", (4, 9)).save(root / "a" / "3.png")
        content = self.content(root, Geometry(8))
        assert content["a/1.png"] == content["a/3.png"] != content["a/2.png"]


@pytest.mark.parametrize("damage", ["shorten", "truncate", "lose", "blacken"])
def test_a_damaged_store_is_built_anew(class_folders, damage):
    listing = scan(class_folders({"cat": 3, "dog": 3}))
    store = cached_store(listing, Geometry(8))
    whole = np.array(store.photos)
    if damage == "shorten":
        rows = (store.path / "facts.csv").read_text().splitlines(keepends=True)
        (store.path / "facts.csv").write_text("".join(rows[:-2]))
    elif damage == "truncate":
        os.truncate(store.path / "photos.npy", 100)
    elif damage == "blacken":
        pixels = np.load(store.path / "photos.npy", mmap_mode="r+")
        pixels[4] = 0
        pixels.flush()
    else:
        (store.path / "unreadable.csv").unlink()
    again = cached_store(listing, Geometry(8))
    assert np.array_equal(again.photos, whole)
    assert again.paths() == [record.path for record in listing.records]


def test_a_damaged_store_is_not_copied(class_folders, tmp_path):
    listing = scan(class_folders({"cat": 2}))
    store = cached_store(listing, Geometry(8))
    pixels = np.load(store.path / "photos.npy", mmap_mode="r+")
    pixels[0] += 1
    pixels.flush()
    assert room.copy_cached(listing, Geometry(8), tmp_path / "copy", lambda *_: None) is None
