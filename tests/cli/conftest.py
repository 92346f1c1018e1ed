"""The command line as a user meets it, and a run that tells dark photos from light ones."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from classeur.config import ModelConfig
from classeur.errors import ClasseurError
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder
from classeur.study.material import Material
from classeur.study.rung import run_rung


@dataclass(frozen=True)
class Outcome:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """What stands on stderr, without how long it took."""
        return re.sub(r"; in [^;\n]*? photos/s", "", self.err)


Run = Callable[..., Outcome]


@pytest.fixture
def classeur(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Run]:
    """`classeur("inspect", folder)`: run the command in an empty folder and return its outcome."""
    from classeur.cli.main import main

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["classeur", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Outcome(
            code if isinstance(code, int) else int(bool(code)), captured.out, captured.err
        )

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    logger, handler = logging.getLogger("classeur"), signal.getsignal(signal.SIGTERM)
    before = (logger.level, list(logger.handlers), logger.propagate)
    environment = dict(os.environ)
    yield call
    logger.level, logger.handlers, logger.propagate = before
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(environment)


def shade(brightness: float, seed: int) -> Image.Image:
    """A noisy photo around one brightness."""
    noise = np.random.default_rng(seed).normal(255 * brightness, 12, (20, 24, 3))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders: 20 dark photos and 20 light ones."""
    root = tmp_path_factory.mktemp("shades")
    for label, brightness in (("dark", 0.2), ("light", 0.8)):
        (root / label).mkdir()
        for number in range(20):
            shade(brightness, number).save(root / label / f"{number}.png")
    return root


@pytest.fixture
def run(tmp_path: Path, photos: Path) -> RunFolder:
    """A run as training leaves it, whose network was made by hand: it measures brightness."""
    from classeur.study.material import gather
    from classeur.study.train import configure, settled
    from classeur.training.session import begin_run

    config = configure("dense", photos, size=8)
    material = gather(config.data, config.preprocessing)
    run = RunFolder(tmp_path / "run")
    begin_run(run, settled(config, material), material.manifest)
    preprocessing = Preprocessing(material.store.geometry, (0.0,) * 3, (1.0,) * 3)
    classifier = Classifier.create(ModelConfig("dense"), ["dark", "light"], preprocessing)
    _, hidden, _, _, output = classifier.network.children()
    with torch.no_grad():
        for parameter in classifier.network.parameters():
            parameter.zero_()
        hidden.weight[0] = 1 / hidden.in_features
        output.weight[0, 0] = 10
        output.bias[0] = -5
    classifier.save_facts(run)
    classifier.save_weights(run)
    run.training.write_text("{}")
    return run


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the rungs of a study in this process: it has imported all they need."""

    def in_this_process(run: RunFolder, material: Material) -> str:
        try:
            run_rung(run, material.store, Path(material.root))
        except ClasseurError as error:
            return str(error)
        return ""

    monkeypatch.setattr("classeur.study.study._in_own_process", in_this_process)
