"""Classify photos with Keras."""

import json
import sys
import time
from pathlib import Path

import keras
import tensorflow as tf


def read(file: tf.Tensor) -> tf.Tensor:
    """Return a photo, (224, 224, 3) float32 from -1 to 1."""
    pixels = tf.io.decode_image(tf.io.read_file(file), channels=3, expand_animations=False)
    return tf.image.resize(pixels, (224, 224)) / 127.5 - 1


def main(folder: str, batch_size: int) -> None:
    files = (Path(folder) / "files.txt").read_text("utf-8").split("\n")
    backbone = keras.applications.MobileNetV2(
        (224, 224, 3), include_top=False, weights=None, pooling="avg"
    )
    network = keras.Sequential([backbone, keras.layers.Dense(2, activation="softmax")])

    def photos(some: list[str]) -> tf.data.Dataset:
        dataset = tf.data.Dataset.from_tensor_slices(some)
        dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)
        return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    network.predict(photos(files[:batch_size]), verbose=0)
    started = time.perf_counter()
    found = network.predict(photos(files), verbose=0)
    seconds = time.perf_counter() - started
    if len(found) != len(files):
        raise SystemExit(f"expected {len(files)} answers, received {len(found)}")
    software = f"Keras {keras.__version__}, TensorFlow {tf.__version__}, {keras.config.floatx()}"
    print(json.dumps({"with": software, "seconds": [seconds]}))


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]))
