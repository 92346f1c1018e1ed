"""A learning-rate range test: a short training whose learning rate rises at every step.

Smith, 2017, "Cyclical learning rates for training neural networks"; the smoothing and the place
to stop are those of fastai's `lr_find`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classeur.data.store import Store
from classeur.errors import TrainingError
from classeur.run_folder import RunFolder
from classeur.training.checkpoint import Progress
from classeur.training.loop import Trainer, batches, make_trainer, train_step
from classeur.training.seeding import seed_all
from classeur.training.session import train_run

LOWEST, HIGHEST = 1e-6, 10.0
"""Learning rates of the first and of the last step."""

STEPS = 120

_STILL = STEPS // 6
"""First steps, in which the rates are too low for the loss to move."""

_FALL = 0.02
"""Least fall of the loss, as a fraction, that is one."""

_MEMORY = 0.9
"""Share of the smoothed loss that a step keeps."""

_DIVERGED = 4
"""The test ends when the smoothed loss is so many times its smallest value."""


@dataclass(frozen=True)
class RangeTest:
    """What the loss was at each learning rate."""

    rates: list[float]
    losses: list[float]
    """Training loss, smoothed over the steps before."""

    @property
    def suggestion(self) -> float | None:
        """The learning rate at which the loss has fallen half of the way to its smallest value.

        There the curve is steep, and neither the noise of the first steps nor the edge of
        divergence is near. None: the loss falls at no learning rate.
        """
        before, lowest = float(np.mean(self.losses[:_STILL])), min(self.losses)
        if not lowest < (1 - _FALL) * before:
            return None
        half = (before + lowest) / 2
        return next(r for r, x in zip(self.rates, self.losses, strict=True) if x <= half)


def find_learning_rate(run: RunFolder, store: Store) -> RangeTest:
    """Return what the loss is at learning rates from low to high, for a run as it is begun.

    With `fine-tune` the head learns first, as it would in training. What is left in the run
    folder is of no use to anybody.

    Raises:
        TrainingError: if the network has nothing to learn, or memory runs out.
    """
    found: list[RangeTest] = []

    def probe(*what: Any, **how: Any) -> Progress:
        network, inputs, config, _ = what
        how.pop("begin_epoch", lambda _: None)(1)  # what learns in the first epoch
        found.append(range_test(make_trainer(network, inputs, config, **how)))
        how["keep"]()
        return Progress(stopped="the range test was done")

    train_run(run, store, probe)
    if not found:
        raise TrainingError("the majority class has no learning rate: nothing is trained.")
    return found[0]


def range_test(trainer: Trainer, steps: int = STEPS) -> RangeTest:
    """Train while the learning rate rises from LOWEST to HIGHEST, or until the loss diverges.

    Raises:
        TrainingError: if the loss is not finite from the first step on.
    """
    generator = seed_all(trainer.config.seed, "range test")
    trainer.network.train()
    rates = np.geomspace(LOWEST, HIGHEST, steps).tolist()
    epochs = itertools.chain.from_iterable(batches(trainer, epoch) for epoch in itertools.count(1))
    losses: list[float] = []
    for rate, (batch, labels) in zip(rates, epochs, strict=False):
        trainer.set_learning_rate(rate)
        loss, _ = train_step(trainer, batch, labels, generator)
        if not math.isfinite(float(loss)):
            break
        losses.append(float(loss))
        smoothed = smooth(losses)
        if smoothed[-1] > _DIVERGED * min(smoothed):
            break
    if not losses:
        raise TrainingError("the loss is not finite before anything is learned.")
    return RangeTest(rates[: len(losses)], smooth(losses))


def smooth(losses: Sequence[float]) -> list[float]:
    """Return the exponential moving average, corrected for its start."""
    mean, result = 0.0, []
    for step, loss in enumerate(losses, 1):
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        result.append(mean / (1 - _MEMORY**step))
    return result
