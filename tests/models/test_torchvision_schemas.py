"""torchvision and timm can be imported wherever classeur can."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from classeur.models import torchvision_schemas
from classeur.models.torchvision_schemas import declare_missing_schemas


@pytest.fixture
def undeclared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """As in a fresh process, with every schema that is declared noted and none registered."""
    noted: list[tuple[str, ...]] = []

    def library(*about: str) -> SimpleNamespace:
        noted.append(about)
        return SimpleNamespace(define=lambda schema: noted.append((schema,)))

    monkeypatch.setattr(torchvision_schemas, "_declared", [])
    monkeypatch.setattr(torch.library, "Library", library)
    return noted


def test_torchvision_and_timm_work_in_this_environment() -> None:
    code = (
        "import classeur.models, torch, torchvision.transforms.v2 as v2, timm\n"
        "photo = v2.functional.horizontal_flip(torch.arange(3.0).view(1, 1, 3))\n"
        "print(photo.flatten().tolist(), timm.create_model('resnet18').num_classes)\n"
        "from classeur.models.torchvision_schemas import declare_missing_schemas\n"
        "print(declare_missing_schemas())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert result.stdout.split("\n")[:2] == ["[2.0, 1.0, 0.0] 1000", "False"], result.stderr


def test_both_schemas_are_declared_where_the_library_is_broken(
    undeclared: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: str) -> None:
        raise OSError("libcudart.so.13: cannot open shared object file")

    monkeypatch.setattr(torch.ops, "load_library", broken)
    assert declare_missing_schemas() is True
    assert undeclared[0] == ("torchvision", "FRAGMENT")
    assert [schema.partition("(")[0] for (schema,) in undeclared[1:]] == ["nms", "qnms"]
    assert declare_missing_schemas() is False
    assert len(undeclared) == 3


def test_nothing_is_declared_where_the_library_loads(
    undeclared: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(torch.ops, "load_library", loaded.append)
    assert declare_missing_schemas() is False
    assert undeclared == []
    assert "torchvision" in loaded[0]


def test_nothing_is_declared_without_torchvision(
    undeclared: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert declare_missing_schemas() is False
    assert undeclared == []
