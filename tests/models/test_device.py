"""Which device and number format."""

from __future__ import annotations

import ctypes
import platform

import pytest
import torch

from classeur.errors import ConfigError
from classeur.models.device import (
    autocast,
    choose_device,
    choose_number_format,
    keep_freed_memory,
)


@pytest.fixture
def hardware(monkeypatch: pytest.MonkeyPatch) -> object:
    """Pretend that CUDA and MPS are there or not."""

    def pretend(cuda: bool = False, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "chosen"),
    [
        (True, True, "auto", "cuda"),
        (False, True, "auto", "mps"),
        (False, False, "auto", "cpu"),
        (True, True, "mps", "mps"),
        (True, False, "cpu", "cpu"),
        (True, False, "cuda", "cuda"),
    ],
)
def test_device(hardware, cuda: bool, mps: bool, name: str, chosen: str) -> None:
    hardware(cuda, mps)
    assert choose_device(name) == torch.device(chosen)


@pytest.mark.parametrize(
    ("mps", "name", "message"),
    [
        (False, "cuda", "device cuda is not there. This machine has: cpu."),
        (True, "cuda", "device cuda is not there. This machine has: mps, cpu."),
        (False, "gpu", "device gpu is not there. This machine has: cpu."),
    ],
)
def test_a_device_that_is_not_there(hardware, mps: bool, name: str, message: str) -> None:
    hardware(mps=mps)
    with pytest.raises(ConfigError) as raised:
        choose_device(name)
    assert raised.value.problems == [message]


@pytest.mark.parametrize(
    ("machine", "amx", "expected"),
    [
        ("x86_64", True, "bfloat16"),
        ("AMD64", True, "bfloat16"),
        ("x86_64", False, "float32"),
        ("aarch64", True, "float32"),
    ],
)
def test_number_format_of_processors(
    monkeypatch: pytest.MonkeyPatch, machine: str, amx: bool, expected: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert choose_number_format("auto", torch.device("cpu")) == expected


@pytest.mark.parametrize(("supported", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_number_format_of_cuda(
    monkeypatch: pytest.MonkeyPatch, supported: bool, expected: str
) -> None:
    asked: list[bool] = []

    def is_bf16_supported(including_emulation: bool = True) -> bool:
        asked.append(including_emulation)
        return supported

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    assert choose_number_format("auto", torch.device("cuda")) == expected
    assert asked == [False]


def test_number_format_elsewhere() -> None:
    assert choose_number_format("auto", torch.device("mps")) == "float32"
    assert choose_number_format("bfloat16", torch.device("mps")) == "bfloat16"
    assert choose_number_format("float32", torch.device("cuda")) == "float32"


@pytest.mark.parametrize(
    ("number_format", "dtype"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)]
)
def test_autocast(number_format: str, dtype: torch.dtype) -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast(torch.device("cpu"), number_format):
        assert layer(torch.zeros(2, 4)).dtype == dtype
    assert layer(torch.zeros(2, 4)).dtype == torch.float32


def test_keep_freed_memory_says_whether_it_did() -> None:
    assert isinstance(keep_freed_memory(), bool)


def test_keep_freed_memory_does_nothing_with_another_c_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert keep_freed_memory() is False
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # has no mallopt
    assert keep_freed_memory() is False
