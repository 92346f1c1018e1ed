"""One run from its config to its weights: begin it, then train it, as often as it takes."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from classeur.config import RunConfig
from classeur.data.manifest import Manifest, read_manifest
from classeur.data.store import Store
from classeur.errors import RunFolderError, TrainingError
from classeur.models.classifier import Classifier
from classeur.models.device import choose_device, choose_number_format, keep_freed_memory
from classeur.models.preprocessing import Preprocessing, measure
from classeur.run_folder import RunFolder, write_json, write_text
from classeur.training.checkpoint import Progress
from classeur.training.environment import describe_environment
from classeur.training.loop import TrainingData, fit
from classeur.training.seeding import be_deterministic, seed_all


def begin_run(run: RunFolder, config: RunConfig, manifest: Manifest) -> None:
    """Make the run folder and write down what is asked and which photo is in which split.

    The config is written last: a folder that has one can be trained or resumed.

    Raises:
        RunFolderError: if the folder cannot be written.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        manifest.write(run.manifest)
        write_text(run.config, config.to_toml())
    except OSError as error:
        raise RunFolderError(f"cannot write the run at {run.path}: {error.strerror}.") from error


def train_run(run: RunFolder, store: Store) -> Progress:
    """Train a run that `begin_run` has begun, or go on where it stopped.

    Raises:
        TrainingError: if the photos are not those of the run, or the loss diverges.
        ModelError: if the network does not fit the photos.
    """
    run.require(run.config, run.manifest)
    config = RunConfig.from_toml(run.config)
    manifest = read_manifest(run.manifest)
    data = training_data(store, manifest)
    device = choose_device(config.training.device)
    number_format = choose_number_format(config.training.number_format, device)
    if device.type == "cpu":
        keep_freed_memory()
    be_deterministic()
    seed_all(config.seed, "weights")
    mean, std = measure(data.photos, data.train)
    preprocessing = Preprocessing(store.geometry, mean, std)
    classifier = Classifier.create(config.model, manifest.class_names, preprocessing)
    classifier.save_facts(run)
    write_json(run.environment, describe_environment(config.seed, device, number_format))
    progress = fit(classifier, data, config, run, device=device, number_format=number_format)
    _finish(run, progress)
    return progress


def training_data(store: Store, manifest: Manifest) -> TrainingData:
    """Return the pixels with the manifest's labels and splits.

    Raises:
        TrainingError: if the store does not hold the manifest's photos in its order.
    """
    paths = [row.path for row in manifest.rows]
    if store.paths() != paths:
        strangers = sorted(set(paths) ^ set(store.paths()))[:5]
        raise TrainingError(
            f"the prepared photos at {store.path} are not those of the manifest; "
            f"{'different: ' + ', '.join(strangers) if strangers else 'their order differs'}."
        )
    index = {name: i for i, name in enumerate(manifest.class_names)}
    labels = np.array([index[row.label] for row in manifest.rows], np.int64)
    return TrainingData(store.photos, labels, manifest.indices("train"), manifest.indices("val"))


def _finish(run: RunFolder, progress: Progress) -> None:
    """Write how training ended, then drop what only resuming needs."""
    values = {k: v for k, v in asdict(progress).items() if k != "history"}
    if not math.isfinite(progress.best_loss):  # JSON has no word for infinity
        values["best_loss"] = None
    write_json(run.training, {"epochs": progress.epoch, **values})
    run.state.unlink(missing_ok=True)
