"""What a run was computed with: versions, hardware, threads, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from classeur.data.parallel import cpu_count

_PACKAGES = ("classeur", "torch", "torchvision", "timm", "numpy", "pillow", "scikit-learn")


def describe_environment(seed: int, device: torch.device, number_format: str) -> dict[str, Any]:
    """Return the environment as plain values."""
    return {
        "seed": seed,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "commit": _commit(),
        "platform": platform.platform(),
        "processor": _processor(),
        "processors": cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "number_format": number_format,
    }


def _processor() -> str:
    """Return the processor's name; Linux alone tells it in a file."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Return the commit of Classeur's own checkout, or '' for an installed package."""
    checkout = Path(__file__).parents[3]
    if not (checkout / "src" / "classeur").is_dir():
        return ""  # installed, perhaps inside the user's own repository
    try:
        result = subprocess.run(
            ["git", "-C", str(checkout), "rev-parse", "HEAD"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()
