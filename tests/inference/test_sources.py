"""What arguments of predict stand for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from classeur.errors import InferenceError
from classeur.inference.remote import Remote
from classeur.inference.sources import Sources, find_sources, read_list

Tree = Callable[..., Path]


def names(sources: Iterable[object], root: Path) -> list[str]:
    return [os.path.relpath(str(source), root) for source in sources]


@pytest.fixture
def photos(tree: Tree) -> Path:
    return tree("1.jpg", "notes.txt", "cats/2.jpg", "cats/deep/3.png", "dogs/4.jpg", ".hidden.jpg")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["1.jpg"]),
        ("**/*.jpg", ["1.jpg", "cats/2.jpg", "dogs/4.jpg"]),
        ("c*", ["cats/2.jpg", "cats/deep/3.png"]),
        ("**", ["1.jpg", "cats/2.jpg", "cats/deep/3.png", "dogs/4.jpg"]),
        ("*/[23].jpg", ["cats/2.jpg"]),
    ],
)
def test_patterns(photos: Path, pattern: str, found: list[str]) -> None:
    sources = find_sources([photos / pattern])
    assert sorted(names(sources, photos)) == found
    assert sources.total == len(found)
    assert names(sources, photos) == names(sources, photos)


def test_a_path_that_is_there_is_no_pattern(tree: Tree) -> None:
    photos = tree("[a].jpg", "a.jpg")
    assert names(find_sources([photos / "[a].jpg"]), photos) == ["[a].jpg"]
    assert names(find_sources([photos / "[ab].jpg"]), photos) == ["a.jpg"]


def test_all_that_is_not_there_is_named_at_once(photos: Path) -> None:
    with pytest.raises(InferenceError) as raised:
        find_sources([photos, "gone/*.jpg", ""])
    assert str(raised.value).startswith("gone/*.jpg,  do not exist. Expected photos, folders of ")


def test_lists_are_read_as_they_come() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin, os.fdopen(writer, "wb", buffering=0) as out:
        sources = find_sources(["-"], stdin)
        assert sources.total is None
        found = iter(sources)
        out.write(b"a.jpg\nhttp://x/b.jpg\nc.")
        assert [next(found), next(found)] == [Path("a.jpg"), Remote("http://x/b.jpg")]
        out.write(b"jpg\n")
        assert next(found) == Path("c.jpg")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (b"", []),
        (b"a\n\nb\r\n  c", ["a", "b", "  c"]),
        (b"a\nb\0c\r\0\0d", ["a\nb", "c\r", "d"]),
        (b"caf\xe9.jpg\n", ["caf\udce9.jpg"]),
    ],
)
def test_what_a_list_holds(text: bytes, entries: list[str]) -> None:
    assert list(read_list(io.BytesIO(text))) == entries


def test_a_list_of_a_million_takes_no_memory_to_speak_of() -> None:
    class Endless(io.RawIOBase):
        blocks = 1000

        def read(self, size: int = -1) -> bytes:
            self.blocks -= 1
            return b"photo.jpg\n" * 1000 if self.blocks >= 0 else b""

    import tracemalloc

    tracemalloc.start()
    assert sum(1 for _ in read_list(Endless())) == 1_000_000  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_what_is_no_list() -> None:
    with pytest.raises(InferenceError, match=r"holds no list: expected a path or URL a line"):
        list(read_list(io.BytesIO(b"x" * 200_000)))
    with pytest.raises(InferenceError, match=r"received 65,530 bytes without an end\."):
        list(read_list(io.BytesIO(b"x" * 65_530 + b"\na.jpg\n")))


def test_standard_input_can_be_read_only_once() -> None:
    with pytest.raises(InferenceError) as raised:
        find_sources(["-", "-"], io.BytesIO())
    assert str(raised.value) == "- stands for standard input, which can be read only once."


def test_urls(photos: Path) -> None:
    sources = find_sources(["HTTPS://x.org/a b.jpg", photos, "memory://b.jpg"])
    first, *_, last = sources
    assert (first, last) == (Remote("HTTPS://x.org/a b.jpg"), Remote("memory://b.jpg"))
    assert sources.total == 6


def test_known_sources_leave_out_standard_input(photos: Path) -> None:
    sources = Sources([(photos, ["1.jpg"]), io.BytesIO(b"x")])
    assert list(sources.known) == [photos / "1.jpg"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "file:///etc/passwd is a file of this machine; give its path "),
        ("nonsense://a.jpg", "nonsense://a.jpg begins with nonsense://, which is none of http, "),
        ("s3://b/a.jpg", "Install s3fs to access S3; that is: pip install s3fs."),
    ],
)
def test_urls_that_nothing_here_can_read(url: str, message: str) -> None:
    with pytest.raises(InferenceError) as raised:
        find_sources([url])
    assert message in str(raised.value)


def test_the_folder_to_sort_into_is_left_out(tree: Tree, tmp_path: Path) -> None:
    photos = tree("1.jpg", "sorted/cats/2.jpg", "sorted2/3.jpg")
    into = photos / "sorted"
    assert names(find_sources([photos], without=into), photos) == ["1.jpg", "sorted2/3.jpg"]
    (photos / "link").symlink_to(into / "cats")
    assert names(find_sources([photos], without=into), photos) == ["1.jpg", "sorted2/3.jpg"]
    listed = [f"{photos}/{name}" for name in ("1.jpg", "link/2.jpg", "sorted/4.jpg")]
    sources = find_sources(["-"], io.BytesIO("\n".join(listed).encode()), without=into)
    assert list(map(str, sources)) == [listed[0]]
    for inside in (into, into / "cats" / "2.jpg", photos / "link"):
        with pytest.raises(InferenceError, match=r"sorted, which the photos are sorted into\. "):
            find_sources([inside], without=into)
