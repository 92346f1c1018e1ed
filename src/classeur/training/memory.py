"""How much memory this process has needed."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Return the largest resident set of this process so far, and what CUDA held, in bytes."""
    on_device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return _resident() + on_device


def _resident() -> int:
    # On Linux ru_maxrss survives exec: a rung would start with the peak of the study's process.
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
