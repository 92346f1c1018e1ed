"""What the pages for users say is so: options exist, links lead somewhere, help is current."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from classeur.cli.main import classeur

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "README.fr.md", "docs/how-to.md")),
    *sorted((ROOT / "docs" / "studies").glob("*.md")),
    ROOT / "benchmarks/README.md",
]


def commands_in(page: Path) -> list[str]:
    """Return the lines of a page's shell blocks that call classeur."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("classeur")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("line", [line for page in PAGES for line in commands_in(page)])
def test_commands_are_understood(line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)[1:]
    whole = click.Context(classeur, **classeur.context_settings)
    command = classeur.get_command(whole, name)
    assert command is not None
    command.make_context(name, arguments, whole)  # raises where an option or a value is unknown


def test_both_languages_show_the_same_commands() -> None:
    english, french = ([line.split()[1] for line in commands_in(page)] for page in PAGES[:2])
    assert english == french
    assert {"inspect", "study", "predict"} <= set(english)


def test_the_reference_is_what_the_code_says() -> None:
    path = ROOT / "docs" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = module.TARGET.read_text(encoding="utf-8")
    assert module.reference() == written, "run `make reference`"
