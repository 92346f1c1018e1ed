"""What a run needs to go on where it stopped: state.pt, after every epoch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from classeur.errors import RunFolderError
from classeur.run_folder import RunFolder, replacing, write_json
from classeur.training.averaging import Average
from classeur.training.history import EpochRow


@dataclass
class Progress:
    """How far a run has come."""

    history: list[EpochRow] = field(default_factory=list)
    best_epoch: int = 0
    """Epoch whose weights are kept; 0: none yet."""
    best_loss: float = float("inf")
    """Its validation loss."""
    seconds: float = 0.0
    """Spent in training, over all sessions."""
    peak_memory: int = 0
    """Most memory needed so far, in bytes, the device's included, over all sessions."""
    stopped: str = ""
    """Why training ended; empty while it has not."""

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)


def save_state(
    run: RunFolder,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average | None,
    progress: Progress,
) -> None:
    """Write state.pt in one piece. Raises RunFolderError if the disk refuses."""
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state_dict() if average else {},
        "progress": asdict(progress),
    }
    try:
        with replacing(run.state) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as RuntimeError
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise RunFolderError(
            f"cannot write {run.state}: {reason}. Is the disk full? Free some space and go on with "
            f'--resume "{run.path}".'
        ) from error


def load_state(
    run: RunFolder,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average | None,
) -> Progress:
    """Restore network, optimiser and average from state.pt. No pickle is executed.

    Returns the progress; a fresh one if there is no state yet.

    Raises:
        RunFolderError: if the state is broken or of another network.
    """
    if not run.state.is_file():
        return Progress()
    try:
        state: dict[str, Any] = torch.load(run.state, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if average:
            average.load_state_dict(state["average"])
        values = state["progress"]
        rows = [
            EpochRow(int(row.pop("epoch")), **{name: float(value) for name, value in row.items()})
            for row in values.pop("history")
        ]
        return Progress(history=rows, **values)
    except Exception as error:  # a broken file can make torch's reader raise anything at all
        raise RunFolderError(
            f"{run.state} cannot be resumed from: {' '.join(str(error).split())[:300]}. Delete it "
            "to train the run from the start."
        ) from error


def finish(run: RunFolder, progress: Progress) -> None:
    """Write how training ended, then drop what only resuming needs."""
    values = {k: v for k, v in asdict(progress).items() if k != "history"}
    if not math.isfinite(progress.best_loss):  # JSON has no word for infinity
        values["best_loss"] = None
    write_json(run.training, {"epochs": progress.epoch, **values})
    run.state.unlink(missing_ok=True)
