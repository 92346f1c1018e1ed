"""One run from its config to its weights: begin it, then train it, as often as it takes."""

from __future__ import annotations

import numpy as np

from classeur.config import RunConfig
from classeur.data.manifest import Manifest, read_manifest
from classeur.data.store import Store
from classeur.errors import RunFolderError, TrainingError
from classeur.models.classifier import Classifier
from classeur.models.device import choose_device, choose_number_format, keep_freed_memory
from classeur.models.preprocessing import Preprocessing, measure
from classeur.models.registry import is_pretrained
from classeur.models.weights import Weights, find_weights
from classeur.run_folder import RunFolder, write_json, write_text
from classeur.training.checkpoint import Progress, finish
from classeur.training.environment import describe_environment
from classeur.training.inputs import TrainingData
from classeur.training.loop import Learner, fit, learn
from classeur.training.seeding import be_deterministic, seed_all
from classeur.training.transfer import Transfer, fit_transfer


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


def train_run(run: RunFolder, store: Store, learner: Learner = learn) -> Progress:
    """Train a run that `begin_run` has begun, or go on where it stopped.

    Args:
        run: the run.
        store: its prepared photos.
        learner: what trains the network, or its head.

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
    learns_from = pretrained_weights(config)
    preprocessing = (
        Preprocessing(store.geometry, learns_from.mean, learns_from.std)
        if learns_from
        else Preprocessing(store.geometry, *measure(data.photos, data.train))
    )
    classifier = Classifier.create(config.model, manifest.class_names, preprocessing)
    classifier.backbone = learns_from.facts() if learns_from else {}
    classifier.save_facts(run)
    write_json(run.environment, describe_environment(config.seed, device, number_format))
    if learns_from:
        transfer = Transfer(classifier, learns_from, data, store, device, number_format)
        progress = fit_transfer(transfer, config, run, learner)
    else:
        progress = fit(
            classifier, data, config, run,
            device=device, number_format=number_format, learner=learner,
        )  # fmt: skip
    finish(run, progress)
    return progress


def pretrained_weights(config: RunConfig) -> Weights | None:
    """Return the weights a run starts from; None: freshly drawn ones."""
    if not is_pretrained(config.model.name) or config.transfer.method == "scratch":
        return None
    return find_weights(config.model.name, config.transfer.weights)


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
