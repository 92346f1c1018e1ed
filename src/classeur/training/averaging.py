"""An exponential moving average of the weights: steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class Average:
    """The average of all that a network has been, the last steps most (Polyak and Juditsky, 1992).

    The decay grows from 0.1 to the one asked for as `(1 + steps) / (10 + steps)`, as in
    TensorFlow's and timm's, so that the first weights, drawn at random, are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        # statistics of norms are averaged like weights; their counters are not numbers to average
        self._live = [t for t in network.state_dict().values() if t.is_floating_point()]
        self._mean = [t.detach().clone() for t in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now: after each step."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(self._mean, self._live, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the network has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        aside = [t.clone() for t in self._live]
        torch._foreach_copy_(self._live, self._mean)
        torch._foreach_copy_(self._mean, aside)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` restores."""
        return {"steps": self._steps, "mean": self._mean}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved average. Raises ValueError if it is of another network."""
        if [t.shape for t in state["mean"]] != [t.shape for t in self._mean]:
            raise ValueError("the averaged weights are of another network")
        self._steps = int(state["steps"])
        torch._foreach_copy_(self._mean, state["mean"])
