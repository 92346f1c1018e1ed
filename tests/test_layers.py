"""Promises about the whole of the source, checked by tools and by reading it."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import classeur

SOURCE = Path(classeur.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def name_of(node: ast.AST) -> str:
    """`torch.load` for the call torch.load(…)."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def test_an_arrow_never_points_back() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [tool, "--no-cache"], check=False, cwd=SOURCE.parents[1], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


def test_every_room_is_in_the_contract() -> None:
    contract = (SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in SOURCE.glob("*/__init__.py")]
    assert [room for room in rooms if f"classeur.{room}" not in contract] == []


def test_every_function_lives_in_the_room_whose_word_it_uses() -> None:
    banned = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert [path for path in MODULES if path.stem in banned] == []


def test_asserts_are_for_tests() -> None:
    found = [path for path in MODULES if any(isinstance(n, ast.Assert) for n in nodes(path))]
    assert found == []


def test_no_pickle_is_executed() -> None:
    for path in MODULES:
        for node in nodes(path):
            if name_of(node) in ("pickle.load", "pickle.loads", "joblib.load", "eval", "exec"):
                raise AssertionError(f"{path}: {ast.unparse(node)}")
            if isinstance(node, ast.Call) and name_of(node) in ("torch.load", "np.load"):
                safe = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
                keyword, value = safe[name_of(node)]
                given = {
                    k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)
                }
                assert given.get(keyword) is value, f"{path}: {ast.unparse(node)}"


def test_prints_are_for_the_command_line() -> None:
    printing = [p for p in MODULES if any(name_of(node) == "print" for node in nodes(p))]
    assert printing == []
