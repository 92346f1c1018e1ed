"""How much memory this process has needed."""

from __future__ import annotations

import resource
import sys

import torch


def peak_memory() -> int:
    """Return the largest resident set of this process so far, and what CUDA held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, kibibytes here
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    on_device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return resident + on_device
