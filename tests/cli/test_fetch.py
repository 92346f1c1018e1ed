"""`classeur fetch`, against a site on loopback."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.data.test_unpack import as_zip
from tests.loopback import Site

from classeur.data import download as transport
from classeur.data import public

PETS = {f"PetImages/{animal}/{n}.jpg": b"x" for animal in ("Cat", "Dog") for n in range(2)}


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """Cats and dogs in small, on a site of our own."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transport, "PAUSES", ())
    with Site() as site:
        content = as_zip(PETS, tmp_path / "pets.zip").read_bytes()
        pets = dataclasses.replace(
            public.DATA_SETS["cats-vs-dogs"],
            files=(site.file("pets.zip", content),),
            holds={"PetImages/Cat/*.jpg": 2, "PetImages/Dog/*.jpg": 2},
        )
        monkeypatch.setattr(public, "DATA_SETS", {**public.DATA_SETS, "cats-vs-dogs": pets})
        monkeypatch.setattr("classeur.data.fetch._check_space", lambda *_: None)
        yield site


@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_the_list(classeur: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    shown = classeur("fetch", *arguments)
    assert (shown.code, shown.err) == (0, "")
    header, _, *rows = shown.out.splitlines()
    assert header.split() == ["data", "set", "what", "it", "is", "photos", "download", "licence"]
    assert [row.split()[0] for row in rows] == list(public.DATA_SETS)
    assert rows[0].split()[-4:] == ["70,000", "31", "MB", "MIT"]
    assert "by hand" in rows[-1]


@pytest.mark.parametrize(
    "arguments",
    [("--to", "x"), ("--from", "x"), ("--list", "cats-vs-dogs")],
)
def test_options_that_would_do_nothing(
    classeur: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    shown = classeur("fetch", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert "Error: --to and --from need a NAME, and --list goes without them." in shown.err


def test_from_a_name_to_a_folder(classeur: Callable[..., Any], site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "chats et chiens, été"
    shown = classeur("fetch", "cats-vs-dogs", "--to", folder)
    assert shown.code == 0
    assert shown.out == f'photos: {folder}\ngo on with: classeur study "{folder}"\n'
    pets = public.DATA_SETS["cats-vs-dogs"]
    assert shown.err == f"{pets.title}\n{pets.home}\nterms: {pets.terms}\n"
    assert sum(1 for _ in folder.rglob("*.jpg")) == 4
    again = classeur("fetch", "cats-vs-dogs", "--to", folder)
    assert (again.code, again.out) == (0, shown.out)
    assert again.err == f"cats-vs-dogs is there already: {folder}\n"


def test_a_name_that_is_unknown(classeur: Callable[..., Any]) -> None:
    shown = classeur("fetch", "fashion-mnits")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith('error: unknown data set "fashion-mnits". Did you mean "fashion-m')


def test_a_file_by_hand(classeur: Callable[..., Any], site: Site, tmp_path: Path) -> None:
    shown = classeur("fetch", "cats-vs-dogs", "--from", tmp_path / "pets.zip")
    assert shown.code == 0
    assert site.asked == []
    assert (Path.cwd() / "cats-vs-dogs" / "PetImages" / "Cat").is_dir()


def test_ctrl_c(classeur: Callable[..., Any], site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transport, "_blocks", lambda *_: iter(interrupted, None))
        shown = classeur("fetch", "cats-vs-dogs")
    assert (shown.code, shown.out) == (130, "")
    assert shown.err.splitlines()[-1] == "interrupted; the same command goes on where it stopped"
    assert (Path.cwd() / "cats-vs-dogs.download" / "pets.zip.part").is_file()
    assert classeur("fetch", "cats-vs-dogs").code == 0
    assert [path.name for path in Path.cwd().iterdir()] == ["cats-vs-dogs"]
