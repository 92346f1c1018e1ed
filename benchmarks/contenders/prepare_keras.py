"""Prepare photos with Keras."""

import contextlib
import json
import sys
import time

import keras
import tensorflow as tf


def main(photos: str) -> None:
    started = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):  # it prints how many files it found
        dataset = keras.utils.image_dataset_from_directory(
            photos, image_size=(150, 150), batch_size=32
        )
    for _ in dataset:
        pass
    seconds = time.perf_counter() - started
    software = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"
    print(json.dumps({"with": software, "seconds": [seconds]}))


if __name__ == "__main__":
    main(sys.argv[1])
