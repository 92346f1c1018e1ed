"""What computing the features of a frozen backbone once brings: seconds an epoch.

Claim: fifty epochs of a head on a frozen backbone cost little more than one pass over the photos.

    .venv/bin/python benchmarks/frozen.py

Work: a linear head on MobileNet v2 (224×224 pixels), random weights and photos: neither changes
what it costs.
    features   what a `-frozen` rung does: features of all photos, once; then 50 epochs of the head.
    the usual  the same head, the backbone run on every batch of every epoch, without gradients and
               in evaluation mode; validation after each epoch.
Both by the project's own loop, with batches of 32. Nothing is decoded: photos are prepared.
Compared: seconds an epoch, the features' own time shared out over the 50 epochs. The usual way: the
fastest of 3 epochs, since other programs only add to a time.
n: 512 photos to train on, 128 to validate. Time: 3 minutes on 2 cores of an Intel Xeon at 2.5 GHz
without a GPU. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from classeur.config import AugmentationConfig, ModelConfig, RunConfig, TrainingConfig
from classeur.data.geometry import Geometry
from classeur.models.classifier import Classifier
from classeur.models.device import choose_number_format, keep_freed_memory
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder
from classeur.training.features import compute_features
from classeur.training.inputs import Inputs, Pixels, TrainingData
from classeur.training.loop import learn
from rounds import conditions

NAME, SIZE, EPOCHS, USUAL_EPOCHS = "mobilenetv2_100", 224, 50, 3
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=int, default=640, help="a fifth of them to validate")
    args = parser.parse_args()
    print(conditions(photos=args.photos, epochs_on_features=EPOCHS, usual_epochs=USUAL_EPOCHS))
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CLASSEUR_CACHE"] = folder
        once, head, usual = measure(Path(folder), draw(args.photos))
    each = once / EPOCHS + head
    print("| | seconds | |\n|---|---|---|")
    print(f"| features of all photos, once | {once:.1f} | |")
    print(f"| an epoch of the head on them | {head:.3f} | |")
    print(f"| an epoch, the features shared out over {EPOCHS} | {each:.2f} | |")
    print(f"| an epoch the usual way | {usual:.1f} | **{usual / each:.0f} ×** as long |")


def draw(count: int) -> TrainingData:
    """Return random photos and labels, the last fifth for validation."""
    random = np.random.default_rng(0)
    photos = random.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
    rows = np.arange(count)
    train = count - count // 5
    return TrainingData(photos, random.integers(0, 2, count), rows[:train], rows[train:])


def measure(folder: Path, data: TrainingData) -> tuple[float, float, float]:
    """Return the seconds of the features, of an epoch on them, and of an epoch the usual way."""
    (folder / "weights").write_bytes(b"what the features are known by")
    number_format = choose_number_format("auto", CPU)
    preprocessing = Preprocessing(Geometry(SIZE), (0.5,) * 3, (0.2,) * 3)
    classifier = Classifier.create(ModelConfig(NAME), ["a", "b"], preprocessing)
    features = compute_features(
        classifier, data, store_key="benchmark", weights=folder / "weights", views=0,
        augmentation=AugmentationConfig(), seed=0, device=CPU, number_format=number_format,
        batch_size=32,
    )  # fmt: skip
    head = seconds_of(classifier.network.head, features, EPOCHS, folder / "head")
    for parameter in classifier.network.backbone.parameters():
        parameter.requires_grad = False
    pixels = Pixels(data, preprocessing, AugmentationConfig())
    usual = seconds_of(classifier.network, pixels, USUAL_EPOCHS, folder / "usual")
    return features.seconds, float(np.median(head)), min(usual)


def seconds_of(network: nn.Module, inputs: Inputs, epochs: int, folder: Path) -> list[float]:
    """Return the seconds that each epoch took."""
    folder.mkdir()
    config = RunConfig(training=TrainingConfig(epochs=epochs, patience=0))
    progress = learn(
        network, inputs, config, RunFolder(folder),
        device=CPU, number_format=choose_number_format("auto", CPU), keep=lambda: None,
    )  # fmt: skip
    return [row.seconds for row in progress.history]


if __name__ == "__main__":
    main()
