"""Train conv3 with Keras."""

import json
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from options import parse


class Stopwatch(keras.callbacks.Callback):
    """Notes the time at the end of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note that a step has ended."""
        self.times.append(time.perf_counter())


def main() -> None:
    options = parse()
    photos = np.load(options.folder / "photos.npy").astype(np.float32) / 255
    labels = np.load(options.folder / "labels.npy").astype(np.float32)
    network, stopwatch = conv3(options.augment), Stopwatch()
    network.fit(photos, labels, options.batch_size, verbose=0, callbacks=[stopwatch])
    seconds = np.diff(stopwatch.times)[options.skip - 1 :].tolist()
    software = f"Keras {keras.__version__}, TensorFlow {tf.__version__}, {keras.config.floatx()}"
    print(json.dumps({"with": software, "seconds": seconds}))


def conv3(augment: bool) -> keras.Model:
    """Return the layers of Classeur's conv3, compiled."""
    network = keras.Sequential(
        [
            keras.Input((150, 150, 3)),
            *(moved() if augment else []),
            *(layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2)),
            *(layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2)),
            *(layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2)),
            *(layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return network


def moved() -> list[layers.Layer]:
    """Return the augmentation of train.py."""
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(15 / 360),
        layers.RandomZoom(0.15),
        layers.RandomTranslation(0.1, 0.1),
    ]


if __name__ == "__main__":
    main()
