"""Photos into class folders: nothing lost, nothing written over, nothing twice."""

from __future__ import annotations

import errno
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import Site

from classeur.errors import InferenceError, RunFolderError
from classeur.inference import sorting
from classeur.inference.predictor import Prediction
from classeur.inference.sorting import How, Sorter, folder_names, safe_name
from classeur.run_folder import locked

HOWS: list[How] = ["copy", "link", "move"]


def cat(path: object, label: str = "cat", **facts: Any) -> Prediction:
    return Prediction(str(path), label, 0.9, ((label, 0.9),), **facts)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name, content in (("a/1.jpg", "one"), ("b/1.jpg", "two"), ("c/1.JPG", "six")):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(content)
        os.utime(root / name, (1e9, 1e9))
    return root


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "sorted"


def sort(into: Path, how: How, *answers: Prediction) -> Sorter:
    sorter = Sorter(into, ["cat", "dog"], how)
    with sorter.alone():
        assert list(sorter.sorted(answers)) == list(answers)
    return sorter


def there(folder: Path) -> dict[str, str]:
    """Path -> content of all that a person sees in a folder."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {p.relative_to(folder).as_posix(): p.read_text() for p in paths}


@pytest.mark.parametrize("how", HOWS)
def test_photos_of_one_name_stay_apart(photos: Path, into: Path, how: How) -> None:
    before = there(photos)
    answers = [cat(photos / name) for name in before]
    sorter = sort(into, how, *answers)
    assert there(into) == {"cat/1.jpg": "one", "cat/1 (2).jpg": "two", "cat/1.JPG": "six"}
    assert there(photos) == ({} if how == "move" else before)
    assert (sorter.counts, sorter.failed) == ({"cat": 3}, 0)
    sort(into, how, *answers)
    assert len(there(into)) == 3  # nothing is there twice


def test_copies_keep_their_time_and_links_lead_to_the_photo(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sort(into, "copy", cat(photos / "a" / "1.jpg"))
    assert (into / "cat" / "1.jpg").stat().st_mtime == 1e9
    monkeypatch.chdir(photos)
    sort(into, "link", cat("b/1.jpg"))
    assert (into / "cat" / "1 (2).jpg").readlink() == photos / "b" / "1.jpg"


@pytest.mark.parametrize("how", HOWS)
def test_a_stranger_of_the_same_name_is_not_touched(photos: Path, into: Path, how: How) -> None:
    (into / "cat").mkdir(parents=True)
    (into / "cat" / "1.jpg").write_text("mine")
    (into / "cat" / "1 (2).jpg").symlink_to("nowhere")
    sort(into, how, cat(photos / "a" / "1.jpg"))
    assert there(into) == {"cat/1.jpg": "mine", "cat/1 (3).jpg": "one"}
    assert (into / "cat" / "1 (2).jpg").is_symlink()


def test_folders_of_photos_without_a_label(photos: Path, into: Path) -> None:
    one, two, six = (photos / name for name in ("a/1.jpg", "b/1.jpg", "c/1.JPG"))
    sort(
        into, "move",
        Prediction(str(one), error="is cut off"),
        cat(two, unsure=True, strangeness=math.inf), cat(six, unsure=True, strangeness=0.5),
    )  # fmt: skip
    assert there(into) == {"unreadable/1.jpg": "one", "strange/1.jpg": "two", "unsure/1.JPG": "six"}


def test_what_is_no_file_stays_where_it_is(photos: Path, into: Path) -> None:
    answers = [Prediction(str(photos), error="is a folder"), Prediction("gone.jpg", error="gone"),
               Prediction("http://127.0.0.1:1/a.jpg", error="cannot be downloaded")]  # fmt: skip
    sorter = sort(into, "move", *answers)
    assert (there(into), sorter.counts, sorter.failed) == ({}, {}, 0)
    assert len(there(photos)) == 3


def test_one_photo_that_cannot_be_had_is_not_the_end(
    photos: Path, into: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sorter = sort(into, "copy", cat(photos / "gone.jpg"), cat(photos / "a" / "1.jpg"))
    assert (there(into), sorter.failed) == ({"cat/1.jpg": "one"}, 1)
    (message,) = messages
    assert message == (
        f"{photos / 'gone.jpg'} is not sorted: it cannot be read any more: "
        "No such file or directory"
    )
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    sorter = sort(into, "move", cat(photos / "b" / "1.jpg"))
    assert messages[1].endswith("is not sorted: it may not be removed from its folder")
    assert (len(there(photos)), sorter.failed) == (3, 1)


def test_a_folder_that_cannot_be_written_is_the_end(photos: Path, into: Path) -> None:
    into.mkdir(parents=True)
    (into / "cat").write_text("a file")
    with pytest.raises(InferenceError) as raised:
        sort(into, "move", cat(photos / "a" / "1.jpg"))
    assert str(raised.value) == (
        f"cannot sort {photos / 'a' / '1.jpg'} into {into / 'cat'}: File exists."
    )
    assert len(there(photos)) == 3
    with pytest.raises(InferenceError, match=r"cannot make .*cat: File exists\."):
        Sorter(into / "cat", ["cat"])


def test_two_processes_do_not_sort_into_one_folder(photos: Path, into: Path) -> None:
    into.mkdir(parents=True)
    with locked(into), pytest.raises(RunFolderError, match=r"is at work on .*sorted"):
        sort(into, "copy", cat(photos / "a" / "1.jpg"))


class Killed(BaseException):
    """What a kill is to a test."""


def die(patch: pytest.MonkeyPatch, at: int) -> None:
    """Let the process die before the n-th change to the disk."""
    left = [at]
    for module, name in ((os, "link"), (os, "unlink"), (Path, "unlink"), (Path, "rename"),
                         (sorting.shutil, "copyfile"), (sorting.shutil, "copystat")):  # fmt: skip
        real = getattr(module, name)

        def dying(*arguments: Any, _real: Any = real, **options: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return _real(*arguments, **options)

        patch.setattr(module, name, dying)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("at", range(7))
def test_a_move_that_is_killed_anywhere_loses_nothing(
    photos: Path, into: Path, at: int, across: bool
) -> None:
    answer, link = cat(photos / "a" / "1.jpg"), os.link

    def elsewhere(source: Any, *arguments: Any, **options: Any) -> None:
        if Path(source).is_relative_to(photos):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(source, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        if across:
            patch.setattr(os, "link", elsewhere)
        die(patch, at)
        with suppress(Killed):
            sort(into, "move", answer)
    assert "one" in [*there(photos).values(), *there(into).values()]
    if (photos / "a" / "1.jpg").exists():
        sort(into, "move", answer)
    assert there(into) == {"cat/1.jpg": "one"}
    assert there(photos) == {"b/1.jpg": "two", "c/1.JPG": "six"}
    assert sorted(p.name for p in into.iterdir()) == [".lock", "cat"]


def test_moving_after_linking_keeps_the_photo(photos: Path, into: Path) -> None:
    answer = cat(photos / "a" / "1.jpg")
    sort(into, "link", answer)
    sort(into, "move", answer)
    assert not (photos / "a" / "1.jpg").exists()
    assert (into / "cat" / "1 (2).jpg").read_text() == "one"


def test_moving_after_copying_removes_the_original(photos: Path, into: Path) -> None:
    answer = cat(photos / "a" / "1.jpg")
    sort(into, "copy", answer)
    sort(into, "move", answer)
    assert (there(into), len(there(photos))) == ({"cat/1.jpg": "one"}, 2)


def test_the_same_bytes_of_another_time_are_another_photo(photos: Path, into: Path) -> None:
    answer = cat(photos / "a" / "1.jpg")
    sort(into, "copy", answer)
    os.utime(photos / "a" / "1.jpg", (2e9, 2e9))
    sort(into, "move", answer)
    assert there(into) == {"cat/1.jpg": "one", "cat/1 (2).jpg": "one"}


def test_a_photo_that_lies_there_already_stays(photos: Path, into: Path) -> None:
    sort(into, "move", cat(photos / "a" / "1.jpg"))
    sort(into, "move", cat(into / "cat" / "1.jpg"))
    assert there(into) == {"cat/1.jpg": "one"}


@pytest.mark.parametrize("how", HOWS)
def test_a_link_among_the_photos(photos: Path, into: Path, how: How) -> None:
    (photos / "link.jpg").symlink_to("a/1.jpg")
    sort(into, how, cat(photos / "link.jpg"))
    assert (photos / "link.jpg").is_symlink() == (how != "move")
    assert (photos / "a" / "1.jpg").read_text() == (into / "cat" / "link.jpg").read_text() == "one"


def test_where_there_are_no_hard_links(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    sort(into, "copy", cat(photos / "a" / "1.jpg"), cat(photos / "b" / "1.jpg"))
    sort(into, "move", cat(photos / "c" / "1.JPG"))
    assert there(into) == {"cat/1.jpg": "one", "cat/1 (2).jpg": "two", "cat/1.JPG": "six"}
    with pytest.raises(FileExistsError):
        sorting._give_name(into / "cat" / "1.jpg", into / "cat" / "1.JPG")


def test_many_photos_of_one_name_do_not_ask_for_each_other(
    into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for number in range(60):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "main.jpg").write_text(str(number))
        answers.append(cat(tmp_path / str(number) / "main.jpg"))
    asked, lexists = [], os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: asked.append(path) or lexists(path))
    sort(into, "copy", *answers)
    sort(into, "copy", *answers)
    assert len(there(into)) == 60
    assert len(asked) < 4 * 60


def test_photos_at_urls_are_downloaded(into: Path, messages: list[str]) -> None:
    with Site() as site:
        site.files = {"a%20b.jpg?x=1": b"one", "": b"two"}
        answers = [cat(f"{site.address}{name}") for name in ("a%20b.jpg?x=1", "", "gone.jpg")]
        sorter = sort(into, "link", *answers)
        sort(into, "move", *answers[:2])
    assert there(into) == {"cat/a b.jpg": "one", "cat/photo": "two"}
    assert sorter.failed == 1
    assert messages[0].endswith("it cannot be downloaded: the server answered 404 Not Found")


def test_folders_of_classes() -> None:
    names = ["cat", "a/b", "a_b", "..", "", "CON", "nul.txt", "dot.", " x ", "Cat", "unsure", "Été"]
    assert folder_names(names) == {
        "cat": "cat", "a_b": "a_b", "a/b": "a_b (2)", "..": "__", "": "_", "CON": "CON_",
        "nul.txt": "nul.txt_", "dot.": "dot_", " x ": "_x_", "Cat": "Cat (2)",
        "unsure": "unsure (2)", "Été": "Été",
    }  # fmt: skip


def test_names_that_are_too_long() -> None:
    assert len(safe_name("é" * 300).encode()) == 200
    assert len(safe_name("\U0001d160" * 50).encode()) <= 200
    assert len(sorting._numbered("a." + "x" * 252, 2).encode()) < 255
    assert len(sorting._numbered("é" * 120 + ".jpg", 2).encode()) < 255
    assert sorting._numbered("a.b.jpg", 3) == "a.b (3).jpg"


def test_a_photo_with_two_names_is_not_moved_onto_itself(into: Path, tmp_path: Path) -> None:
    photo = into / "cat" / "1.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_text("one")
    (tmp_path / "second.jpg").hardlink_to(photo)
    (tmp_path / "link").symlink_to(into / "cat")
    sort(into, "move", cat(photo), cat(tmp_path / "link" / "1.jpg"))
    assert there(into) == {"cat/1.jpg": "one"}
