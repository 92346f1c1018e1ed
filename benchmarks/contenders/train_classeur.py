"""Train conv3 as the worker of a Classeur run does."""

import json
import time
from argparse import Namespace

import numpy as np
import torch
from options import parse
from tqdm import tqdm

from classeur.config import AugmentationConfig, ModelConfig, RunConfig, TrainingConfig
from classeur.data.geometry import Geometry
from classeur.models.classifier import Classifier
from classeur.models.device import choose_number_format, keep_freed_memory
from classeur.models.preprocessing import Preprocessing, measure
from classeur.training.inputs import Pixels, TrainingData
from classeur.training.loop import Trainer, make_trainer, run_epoch
from classeur.training.seeding import be_deterministic

MOVED = AugmentationConfig(flip=0.5, rotation=15, zoom=0.15, shift=0.1)


class Stopwatch(tqdm):
    """Where a run has its progress bar: notes the time at the end of every step."""

    def __init__(self) -> None:
        super().__init__(disable=True)
        self.times: list[float] = []

    def update(self, n: float | None = 1) -> None:  # noqa: ARG002
        """Note that a step has ended."""
        self.times.append(time.perf_counter())


def main() -> None:
    options = parse()
    keep_freed_memory()
    be_deterministic()
    trainer, stopwatch = trainer_of(options), Stopwatch()
    run_epoch(trainer, 1, stopwatch)
    seconds = np.diff(stopwatch.times)[options.skip - 1 :].tolist()
    software = f"torch {torch.__version__}, {trainer.number_format}"
    print(json.dumps({"with": software, "seconds": seconds}))


def trainer_of(options: Namespace) -> Trainer:
    """Return what `classeur.training.session` makes of a config, on the CPU."""
    data = load(options)
    config = RunConfig(
        model=ModelConfig("conv3"),
        training=TrainingConfig(batch_size=options.batch_size),
        augmentation=MOVED if options.augment else AugmentationConfig(),
    )
    preprocessing = Preprocessing(Geometry(150), *measure(data.photos, data.val))
    classifier = Classifier.create(config.model, ["cats", "dogs"], preprocessing)
    device = torch.device("cpu")
    return make_trainer(
        classifier.network,
        Pixels(data, preprocessing, config.augmentation),
        config,
        device=device,
        number_format=choose_number_format("auto", device),
        keep=lambda: None,
    )


def load(options: Namespace) -> TrainingData:
    """Return all photos as the training split, and one batch of them for the validation."""
    photos = np.load(options.folder / "photos.npy", mmap_mode="r")
    rows = np.arange(len(photos))
    labels = np.load(options.folder / "labels.npy")
    return TrainingData(photos, labels, rows, rows[: options.batch_size])


if __name__ == "__main__":
    main()
