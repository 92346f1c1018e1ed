"""fit -> run_epoch -> train_step."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from classeur.config import RunConfig
from classeur.data.parallel import in_parallel
from classeur.errors import DivergedError, TrainingError
from classeur.models.baselines import Majority
from classeur.models.classifier import Classifier, to_device
from classeur.models.device import autocast
from classeur.models.zca import zca_of
from classeur.run_folder import RunFolder
from classeur.training.averaging import Average
from classeur.training.checkpoint import Progress, load_state, save_state
from classeur.training.history import EpochRow, best_row, write_history
from classeur.training.inputs import Inputs, Pixels, TrainingData
from classeur.training.memory import peak_memory
from classeur.training.optimization import (
    balanced_weights,
    gamma_of,
    learning_rate_at,
    loss_of,
    make_optimizer,
    make_targets,
    predicted,
)
from classeur.training.prior import prior_shift, shifted
from classeur.training.sampling import Sampling, turns_of
from classeur.training.seeding import seed_all
from classeur.training.tracking import tracked

log = logging.getLogger(__name__)


@dataclass
class Trainer:
    """All that a step needs."""

    network: nn.Module
    """What learns: the whole network, or its head."""
    inputs: Inputs
    num_classes: int
    config: RunConfig
    sampling: Sampling
    device: torch.device
    number_format: str
    optimizer: torch.optim.Optimizer
    class_weights: torch.Tensor | None
    keep: Callable[[], None]
    """Called when the weights are the best so far."""
    average: Average | None
    """Of the weights, where it is to be validated and kept in their stead."""
    shift: torch.Tensor | None
    """Of the logits, (num_classes,), in the weights that are validated and kept; None: none."""
    begin_epoch: Callable[[int], None] = lambda _: None
    """Called with the number of an epoch before it begins."""
    deadline: float = math.inf
    """time.monotonic() at which training has to end."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in a full epoch."""
        return math.ceil(self.sampling.size / self.config.training.batch_size)

    @property
    def time_spent(self) -> float:
        """Share of the time budget that is spent, from 0 to 1; 0 without a budget."""
        budget = 60 * self.config.training.max_minutes
        left = max(0.0, self.deadline - time.monotonic())
        return 1 - min(1.0, left / budget) if budget else 0.0

    @contextmanager
    def kept_weights(self) -> Iterator[None]:
        """Inside, the network has the weights that are validated and kept."""
        with ExitStack() as changes:
            if self.average:
                changes.enter_context(self.average.applied())
            if self.shift is not None:
                changes.enter_context(shifted(self.network, self.shift))
            yield

    def set_learning_rate(self, rate: float) -> None:
        """Give every group of parameters its share of a learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]

    @property
    def is_late(self) -> bool:
        """Whether the time budget is spent."""
        return time.monotonic() >= self.deadline


class Learner(Protocol):
    """What trains a network: `learn`, or one that does something else with the same things."""

    def __call__(
        self, network: nn.Module, inputs: Inputs, config: RunConfig, run: RunFolder, *,
        device: torch.device, number_format: str, keep: Callable[[], None],
        begin_epoch: Callable[[int], None] = ..., rates: Mapping[str, float] | None = ...,
    ) -> Progress:  # fmt: skip
        """Train, call `keep` when the weights are the best so far, say how it went."""


def fit(
    classifier: Classifier, data: TrainingData, config: RunConfig, run: RunFolder, *,
    device: torch.device, number_format: str, learner: Learner | None = None,
) -> Progress:  # fmt: skip
    """Train until the epochs, the patience or the time are spent; keep the best weights.

    After every epoch the run folder can be resumed. When it returns, model.safetensors holds the
    weights of the epoch with the highest validation accuracy, and the classifier has them.

    Raises:
        DivergedError: if the loss becomes NaN or infinite.
        TrainingError: if memory runs out, or there are too few photos to whiten by.
    """
    classifier.network.to(device)
    if isinstance(classifier.network, Majority):
        return _fit_majority(classifier.network, classifier, data, run)
    whitening = zca_of(classifier.network)
    if whitening is not None:
        log.info("whitening: the components of the training photos")
        whitening.fit(data.photos, data.train, classifier.preprocessing)
    progress = (learner or learn)(
        classifier.network,
        Pixels(data, classifier.preprocessing, config.augmentation),
        config,
        run,
        device=device,
        number_format=number_format,
        keep=lambda: classifier.save_weights(run),
    )
    classifier.load_weights(run.weights)
    return progress


def learn(
    network: nn.Module, inputs: Inputs, config: RunConfig, run: RunFolder, *,
    device: torch.device, number_format: str, keep: Callable[[], None],
    begin_epoch: Callable[[int], None] = lambda _: None,
    after_epoch: Callable[[EpochRow, str], None] = lambda *_: None,
    rates: Mapping[str, float] | None = None,
) -> Progress:  # fmt: skip
    """Train a network until the epochs, the patience or the time are spent.

    After every epoch the run folder can be resumed. Afterwards the network has the weights of the
    last epoch; those of the best one are where `keep` has put them.

    Args:
        network: what learns, on its device.
        inputs: what it learns from.
        config: how.
        run: where history and state go.
        device: the network's.
        number_format: `bfloat16` or `float32`.
        keep: called when the weights are the best so far.
        begin_epoch: called with the number of an epoch before it begins.
        after_epoch: called when an epoch is written down, with the epoch and why training ends
            there; empty: it goes on. What it raises ends training, which can
            then be resumed.
        rates: parameter -> its learning rate as a fraction of the schedule's; None: all of it.

    Raises:
        DivergedError: if the loss becomes NaN or infinite.
        TrainingError: if memory runs out.
    """
    trainer = make_trainer(
        network, inputs, config,
        device=device, number_format=number_format, keep=keep, rates=rates,
    )  # fmt: skip
    trainer.begin_epoch = begin_epoch
    progress = load_state(run, network, trainer.optimizer, trainer.average)
    if config.training.max_minutes:
        left = 60 * config.training.max_minutes - progress.seconds
        trainer.deadline = time.monotonic() + left
    with _progress_bar(trainer, progress) as bar, _memory_explained(config), tracked(run) as tell:
        tell(progress.history)
        while not progress.stopped:
            row = run_epoch(trainer, progress.epoch + 1, bar)
            _note(trainer, progress, row, run)
            tell(progress.history)
            after_epoch(row, progress.stopped)
    return progress


def make_trainer(
    network: nn.Module, inputs: Inputs, config: RunConfig, *,
    device: torch.device, number_format: str, keep: Callable[[], None],
    rates: Mapping[str, float] | None = None,
) -> Trainer:  # fmt: skip
    """Return all that a step needs; takes what `learn` does."""
    sampling = Sampling(inputs.data, config)
    return Trainer(
        network,
        inputs,
        int(inputs.data.labels.max()) + 1,
        config,
        sampling,
        device,
        number_format,
        make_optimizer(network, config.training, rates),
        _class_weights(sampling, device),
        keep,
        Average(network, config.training.ema) if config.training.ema else None,
        prior_shift(sampling) if config.training.restore_prior else None,
    )


def run_epoch(trainer: Trainer, epoch: int, bar: tqdm[Any]) -> EpochRow:
    """Train on the photos of an epoch, in its order, then measure on the validation split."""
    started = time.monotonic()
    generator = seed_all(trainer.config.seed, "epoch", epoch)
    trainer.begin_epoch(epoch)
    trainer.network.train()
    loss_sum = torch.zeros((), device=trainer.device)
    correct = torch.zeros((), device=trainer.device)
    seen, rate = 0, 0.0
    for step, (batch, labels) in enumerate(batches(trainer, epoch)):
        rate = _rate_at(trainer, (epoch - 1) * trainer.steps_per_epoch + step)
        trainer.set_learning_rate(rate)
        loss, hits = train_step(trainer, batch, labels, generator)
        loss_sum += loss * len(labels)
        correct += hits
        seen += len(labels)
        bar.update()
        if step % 20 == 0:
            _check_finite(loss_sum, epoch, rate, trainer)
        if trainer.is_late:
            break
    _check_finite(loss_sum, epoch, rate, trainer)
    with trainer.kept_weights():
        val_loss, val_accuracy = validate(trainer)
    _check_finite(torch.tensor(val_loss), epoch, rate, trainer)
    return EpochRow(
        epoch, float(loss_sum) / seen, float(correct) / seen, val_loss, val_accuracy, rate,
        time.monotonic() - started,
    )  # fmt: skip


def train_step(
    trainer: Trainer, batch: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make one step; return the loss and the number of right predictions, both on the device."""
    targets = make_targets(labels, trainer.num_classes, trainer.config.training.label_smoothing)
    inputs, targets = trainer.inputs.to_train(batch, targets, generator)
    with autocast(trainer.device, trainer.number_format):
        logits = trainer.network(inputs)
    loss = loss_of(logits, targets, trainer.class_weights, gamma_of(trainer.config.training))
    trainer.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    trainer.optimizer.step()
    if trainer.average:
        trainer.average.update()
    return loss.detach(), (predicted(logits) == labels).sum()


def validate(trainer: Trainer) -> tuple[float, float]:
    """Return log-loss and accuracy on the validation split."""
    rows, size = trainer.inputs.data.val, trainer.config.training.batch_size
    labels = torch.from_numpy(trainer.inputs.data.labels[rows])
    trainer.network.eval()
    with torch.inference_mode(), autocast(trainer.device, trainer.number_format):
        logits = torch.cat(
            [_scored(trainer, rows[i : i + size]) for i in range(0, len(rows), size)]
        )
    targets = make_targets(labels, trainer.num_classes, 0.0)
    accuracy = (predicted(logits) == labels).float().mean()
    return float(loss_of(logits, targets)), float(accuracy)


def _scored(trainer: Trainer, rows: NDArray[np.int64]) -> torch.Tensor:
    batch = to_device(trainer.inputs.read(rows, 0), trainer.device)
    logits: torch.Tensor = trainer.network(trainer.inputs.to_score(batch))
    return logits.float().cpu()


@contextmanager
def _memory_explained(config: RunConfig) -> Iterator[None]:
    """Turn torch's ways of saying that memory ran out into one sentence."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's allocator has no other
        if not re.search(r"out of memory|can't allocate memory|not enough memory", str(error)):
            raise
        raise TrainingError(
            f"{config.model.name} needs more memory than there is, with batches of "
            f"{config.training.batch_size} photos of {config.preprocessing.size} pixels. Choose a "
            "smaller --batch-size or --size."
        ) from error


def _fit_majority(
    network: Majority, classifier: Classifier, data: TrainingData, run: RunFolder
) -> Progress:
    counts = np.bincount(data.labels[data.train], minlength=len(classifier.class_names))
    network.fit(torch.from_numpy(counts))
    classifier.save_weights(run)
    return Progress(stopped="nothing to train", peak_memory=peak_memory())


def _note(trainer: Trainer, progress: Progress, row: EpochRow, run: RunFolder) -> None:
    """Write down an epoch: first the weights if they are the best, last the state."""
    progress.history.append(row)
    progress.seconds += row.seconds
    progress.peak_memory = max(progress.peak_memory, peak_memory())
    if best_row(progress.history) is row:
        progress.best_epoch, progress.best_loss = row.epoch, row.val_loss
        with trainer.kept_weights():
            trainer.keep()
    progress.stopped = _reason_to_stop(trainer, progress)
    write_history(run.history, progress.history)
    save_state(run, trainer.network, trainer.optimizer, trainer.average, progress)
    log.info(
        "epoch %d: loss %.4f, validation loss %.4f, accuracy %.4f (%.1f s)%s",
        row.epoch, row.train_loss, row.val_loss, row.val_accuracy, row.seconds,
        " best so far" if progress.best_epoch == row.epoch else "",
    )  # fmt: skip


def _reason_to_stop(trainer: Trainer, progress: Progress) -> str:
    training = trainer.config.training
    if trainer.is_late:
        return f"the time budget of {training.max_minutes:g} minutes was spent"
    if training.patience and progress.epoch - progress.best_epoch >= training.patience:
        return f"validation had not improved for {training.patience} epochs"
    if progress.epoch >= training.epochs:
        return f"all {training.epochs} epochs were done"
    return ""


def batches(trainer: Trainer, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (rows, labels) on the device; the next ones are read while a step computes."""
    data, size = trainer.inputs.data, trainer.config.training.batch_size
    order = trainer.sampling.rows(epoch)
    turns = turns_of(order)
    starts = range(0, len(order), size)

    def read(start: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        some = slice(start, start + size)
        rows = order[some]
        return trainer.inputs.read(rows, epoch, turns[some]), data.labels[rows]

    for batch, labels in in_parallel(read, starts, workers=1):
        yield to_device(batch, trainer.device), to_device(labels, trainer.device)


def _rate_at(trainer: Trainer, step: int) -> float:
    training = trainer.config.training
    progress = step / (training.epochs * trainer.steps_per_epoch)
    rate = learning_rate_at(training, max(progress, trainer.time_spent))
    if training.schedule != "one-cycle":
        rate *= min(1.0, (step + 1) / max(1, training.warmup_epochs * trainer.steps_per_epoch))
    return rate


def _check_finite(loss_sum: torch.Tensor, epoch: int, rate: float, trainer: Trainer) -> None:
    if not math.isfinite(float(loss_sum)):
        raise DivergedError(
            f"the loss became {float(loss_sum)} in epoch {epoch}, at learning rate {rate:.3g}. "
            "The steps were too large for the weights: try a learning rate ten times smaller"
            + (", or --number-format float32" if trainer.number_format == "bfloat16" else "")
            + "."
        )


def _class_weights(sampling: Sampling, device: torch.device) -> torch.Tensor | None:
    if not sampling.config.training.class_weights:
        return None
    return balanced_weights(torch.from_numpy(sampling.shares)).to(device)


def _progress_bar(trainer: Trainer, progress: Progress) -> tqdm[Any]:
    steps = trainer.steps_per_epoch
    return tqdm(
        desc="training", total=trainer.config.training.epochs * steps,
        initial=progress.epoch * steps, unit=" steps", leave=False, disable=None,
    )  # fmt: skip
