"""Answer with ONNX Runtime on pixels that are in memory."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime


def main(folder: str, batch_size: int) -> None:
    pixels = np.load(Path(folder) / "pixels.npy")
    session = onnxruntime.InferenceSession(
        Path(folder) / "onnx" / "model.batch.onnx", providers=["CPUExecutionProvider"]
    )
    session.run(["probabilities"], {"pixels": pixels[:batch_size]})
    started = time.perf_counter()
    for start in range(0, len(pixels), batch_size):
        session.run(["probabilities"], {"pixels": pixels[start : start + batch_size]})
    seconds = time.perf_counter() - started
    software = f"onnxruntime {onnxruntime.__version__}"
    print(json.dumps({"with": software, "seconds": [seconds]}))


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]))
