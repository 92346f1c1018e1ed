"""Archives that others made: ordinary ones, broken ones, and those that mean harm."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from classeur.data import unpack as room
from classeur.data.unpack import take_out, unpack
from classeur.errors import FetchError

FILES = {"Images/n01-Élan/1.jpg": b"one", "Images/n01-Élan/2.jpg": b"two", "readme[1].txt": b""}


def as_zip(files: dict[str, bytes], to: Path) -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("Images")
        for name, content in files.items():
            archive.writestr(name, content)
    return to


def as_tar(files: dict[str, bytes], to: Path) -> Path:
    with tarfile.open(to, "w") as archive:
        folder = tarfile.TarInfo("Images")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o4777
            archive.addfile(member, io.BytesIO(content))
    return to


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "down" / "into"
    folder.mkdir(parents=True)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_files_come_out_as_they_were(tmp_path: Path, into: Path, pack: Callable[..., Path]) -> None:
    unpack(pack(FILES, tmp_path / "a file of any name"), into, 6)
    assert content_of(into) == FILES
    assert not (into / "Images/n01-Élan/1.jpg").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)


@pytest.mark.parametrize("pack", [as_zip, as_tar])
@pytest.mark.parametrize(
    "name", ["../out.jpg", "Images/../../out.jpg", "{outside}/out.jpg", "..", "../../../out"]
)
def test_names_that_lead_out(
    tmp_path: Path, into: Path, pack: Callable[..., Path], name: str
) -> None:
    name = name.format(outside=tmp_path)
    archive = pack({"1.jpg": b"1", name: b"2"}, tmp_path / "x")
    before = set(tmp_path.rglob("*"))
    with pytest.raises(FetchError) as caught:
        unpack(archive, into, 100)
    assert str(caught.value) == (
        f'{archive} holds "{name}", which leads out of its folder. It was not unpacked.'
    )
    assert set(tmp_path.rglob("*")) - before == {into / "1.jpg"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_a_tar(tmp_path: Path, into: Path, kind: bytes) -> None:
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("Images")
        member.type, member.linkname = kind, str(tmp_path)
        tar.addfile(member)
    with pytest.raises(FetchError) as caught:
        unpack(archive, into, 100)
    assert str(caught.value) == (
        f'{archive} holds "Images", which is a link or a device and no file. It was not unpacked.'
    )
    assert list(into.iterdir()) == []


def test_links_in_a_zip(tmp_path: Path, into: Path) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        link = zipfile.ZipInfo("Images")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, str(tmp_path))
        file.writestr("Images/1.jpg", b"out")
    with pytest.raises(FetchError, match='holds "Images", which is a link or a device'):
        unpack(archive, into, 100)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_more_than_was_promised(tmp_path: Path, into: Path, pack: Callable[..., Path]) -> None:
    archive = pack({"1.jpg": b"1", "bomb.jpg": bytes(10_000_000)}, tmp_path / "x")
    with pytest.raises(FetchError) as caught:
        unpack(archive, into, 1_000_000)
    assert str(caught.value) == (
        f"{archive} is larger than it should be: expected at most 1,000,000 bytes in 100,000 "
        "files. It was not unpacked."
    )
    assert content_of(into) == {"1.jpg": b"1"}


def test_a_zip_that_belittles_its_content(tmp_path: Path, into: Path) -> None:
    """What comes out is no more than the archive's own table says."""
    archive = as_zip({"bomb.jpg": bytes(5_000_000)}, tmp_path / "x")
    content = archive.read_bytes()
    size = (5_000_000).to_bytes(4, "little")
    assert content.count(size) == 2
    archive.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(FetchError, match="cannot be unpacked: Bad CRC-32"):
        unpack(archive, into, 100)
    assert sum(map(len, content_of(into).values())) <= 100


def test_too_many_files(tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_FILES", 2)
    with pytest.raises(FetchError, match="expected at most 100 bytes in 2 files"):
        unpack(as_zip(FILES, tmp_path / "x"), into, 100)


def test_a_name_twice_replaces_nothing(tmp_path: Path, into: Path) -> None:
    archive = as_tar({"1.jpg": b"1"}, tmp_path / "x.tar")
    (into / "1.jpg").write_bytes(b"before")
    with pytest.raises(FileExistsError):
        unpack(archive, into, 100)
    assert (into / "1.jpg").read_bytes() == b"before"


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_an_archive_that_is_broken(tmp_path: Path, into: Path, pack: Callable[..., Path]) -> None:
    archive = pack({"1.jpg": bytes(range(256)) * 40}, tmp_path / "x")
    content = archive.read_bytes()
    middle = 100 if pack is as_zip else 5_000
    if pack is as_zip:
        archive.write_bytes(content[:middle] + b"\xff" * 8 + content[middle + 8 :])
    else:
        archive.write_bytes(content[:middle])
    with pytest.raises(FetchError) as caught:
        unpack(archive, into, 100_000)
    assert str(caught.value).startswith(f"{archive} cannot be unpacked: ")
    assert str(caught.value).endswith(" Download it again.")


def test_no_archive_at_all(tmp_path: Path, into: Path) -> None:
    page = tmp_path / "images.tar"
    page.write_text("<html>Log in first</html>")
    with pytest.raises(FetchError) as caught:
        unpack(page, into, 100)
    assert str(caught.value) == f"{page} is no zip or tar archive. Download it again."


def test_a_file_is_taken_out(tmp_path: Path) -> None:
    archive = as_zip({"all/train.zip": b"inner", "test1.zip": b"other"}, tmp_path / "x")
    assert take_out(archive, "train.zip", tmp_path / "out", 100)
    assert (tmp_path / "out").read_bytes() == b"inner"
    assert not take_out(archive, "gone.zip", tmp_path / "gone", 100)
    assert not take_out(archive, "train.zip", tmp_path / "gone", 3)
    assert not (tmp_path / "gone").exists()
