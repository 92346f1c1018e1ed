"""Which device and number format to compute with, and memory settings that make it fast."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from classeur.errors import ConfigError

_M_MMAP_MAX = -4
_M_TRIM_THRESHOLD = -1


def choose_device(name: str = "auto") -> torch.device:
    """Return the device for `auto`, `cuda`, `mps` or `cpu`.

    Raises:
        ConfigError: if the device that was named is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, present in there.items() if present), "cpu"))
    if not there.get(name, name == "cpu"):
        present = ", ".join([*(kind for kind, here in there.items() if here), "cpu"])
        raise ConfigError([f"device {name} is not there. This machine has: {present}."])
    return torch.device(name)


def choose_number_format(name: str, device: torch.device) -> str:
    """Return `bfloat16` or `float32` for `auto`, by what the hardware multiplies itself.

    Decided from the hardware and not by a race: a stopwatch on a busy machine would give the same
    seed different weights on different days.
    """
    if name != "auto":
        return name
    return "bfloat16" if _multiplies_bfloat16(device) else "float32"


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu" and platform.machine() in ("x86_64", "AMD64"):
        # AMX has a matrix unit for it. AVX512-BF16 alone gains little and loses in the conversions.
        return bool(torch.cpu._is_amx_tile_supported())
    return False


@contextmanager
def autocast(device: torch.device, number_format: str) -> Iterator[None]:
    """Compute with bfloat16 where it is safe, if that is the number format."""
    with torch.autocast(device.type, torch.bfloat16, enabled=number_format == "bfloat16"):
        yield


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next step instead of returning it; whether it did.

    Each pass through a network frees and asks for the same large blocks. By default glibc maps and
    unmaps each one, and the kernel zeroes every page anew: on small networks that can cost more
    than the arithmetic. For programs that end, not for servers: what one huge photo took stays
    taken. Does nothing where the C library is another one.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, -1))
    return False
