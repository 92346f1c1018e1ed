"""Randomness that depends on the seed and the epoch alone.

Each epoch starts from its own seed, so there is no random state to save: a resumed run draws what
the uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib
import os

import numpy as np
import torch
from numpy.typing import NDArray


def seed_all(seed: int, *purpose: object) -> torch.Generator:
    """Seed torch for one purpose, and return a CPU generator of its own for it."""
    number = derived(seed, *purpose)
    torch.manual_seed(number)
    return torch.Generator().manual_seed(derived(seed, *purpose, "generator"))


def derived(seed: int, *purpose: object) -> int:
    """Return a number of 63 bits that depends on the seed and the purpose."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def epoch_order(indices: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the indices in the order of an epoch, the same for every network."""
    return np.random.default_rng(derived(seed, "order", epoch)).permutation(indices)


def be_deterministic() -> None:
    """Ask torch for the same result from the same seed on the same machine.

    Operations that have no deterministic version on a GPU warn once and go on.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    # We read no memory that nothing wrote; filling every new tensor would cost a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
