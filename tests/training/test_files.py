"""What training leaves in a run folder, and what it makes of broken files."""

from __future__ import annotations

import pickle
import re

import pytest
import torch
from torch import nn

from classeur.errors import RunFolderError
from classeur.run_folder import RunFolder
from classeur.training.checkpoint import Progress, load_state, save_state
from classeur.training.history import EpochRow, read_history, write_history

ROWS = [EpochRow(1, 0.9, 0.5, 0.8, 0.55, 0.001, 1.5), EpochRow(2, 0.5, 0.75, 0.6, 0.7, 5e-4, 1.25)]


def network_and_optimizer(width=3):
    network = nn.Linear(2, width)
    return network, torch.optim.Adam(network.parameters())


def test_history_is_a_table_anyone_can_read(tmp_path):
    path = tmp_path / "history.csv"
    write_history(path, ROWS)
    assert path.read_text().splitlines() == [
        "epoch,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate,seconds",
        "1,0.9,0.5,0.8,0.55,0.001,1.5",
        "2,0.5,0.75,0.6,0.7,0.0005,1.25",
    ]
    assert read_history(path) == ROWS
    assert read_history(tmp_path / "none.csv") == []


def test_a_state_comes_back_as_it_was(tmp_path):
    run = RunFolder(tmp_path)
    network, optimizer = network_and_optimizer()
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    progress = Progress(ROWS, 2, 0.6, 2.75, 1000, "")
    save_state(run, network, optimizer, None, progress)
    other, other_optimizer = network_and_optimizer()
    assert load_state(run, other, other_optimizer, None) == progress
    assert torch.equal(other.weight, network.weight)
    first, second = optimizer.state_dict()["state"], other_optimizer.state_dict()["state"]
    assert torch.equal(first[0]["exp_avg"], second[0]["exp_avg"])


def test_no_state_is_a_fresh_start(tmp_path):
    assert load_state(RunFolder(tmp_path), *network_and_optimizer(), None) == Progress()


def test_a_broken_state_says_what_to_do(tmp_path):
    run = RunFolder(tmp_path)
    run.state.write_bytes(b"not a checkpoint")
    message = f"{run.state} cannot be resumed from: "
    with pytest.raises(RunFolderError, match=re.escape(message)) as caught:
        load_state(run, *network_and_optimizer(), None)
    assert str(caught.value).endswith("Delete it to train the run from the start.")


def test_a_state_of_another_network_is_refused(tmp_path):
    run = RunFolder(tmp_path)
    save_state(run, *network_and_optimizer(4), None, Progress())
    with pytest.raises(RunFolderError, match="size mismatch for weight"):
        load_state(run, *network_and_optimizer(3), None)


def test_a_state_cannot_run_code(tmp_path):
    run = RunFolder(tmp_path)
    marker = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return (marker.touch, ())

    run.state.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(RunFolderError, match="cannot be resumed from"):
        load_state(run, *network_and_optimizer(), None)
    assert not marker.exists()


def test_a_full_disk_says_how_to_go_on(tmp_path, monkeypatch):
    def save(state, path):
        raise RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr(torch, "save", save)
    run = RunFolder(tmp_path)
    message = f'Is the disk full? Free some space and go on with --resume "{run.path}".'
    with pytest.raises(RunFolderError, match=re.escape(message)):
        save_state(run, *network_and_optimizer(), None, Progress())
    assert not any(tmp_path.iterdir())
