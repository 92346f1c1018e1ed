from __future__ import annotations

import torch

from classeur.training import environment
from classeur.training.environment import describe_environment


def test_it_says_what_a_run_was_computed_with():
    found = describe_environment(7, torch.device("cpu"), "float32")
    assert found["seed"] == 7
    assert found["device"] == "cpu"
    assert found["packages"]["torch"] == torch.__version__
    assert found["processor"]
    assert found["memory_bytes"] > 1 << 28


def test_an_installed_package_has_no_commit(tmp_path, monkeypatch):
    """Not that of the repository it may be installed in."""
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "a" / "b" / "c" / "d.py"))
    assert environment._commit() == ""
