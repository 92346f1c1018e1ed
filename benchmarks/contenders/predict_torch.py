"""Classify photos with a plain PyTorch DataLoader."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from classeur.models.classifier import Classifier
from classeur.run_folder import RunFolder


class Photos(Dataset[torch.Tensor]):
    """Photos as a tutorial reads them, (3, 224, 224) float32 from -1 to 1."""

    def __init__(self, files: list[str]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = Image.open(self.files[index]).convert("RGB")
        pixels = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR), np.float32)
        return torch.from_numpy((pixels / 255 - 0.5) / 0.5).permute(2, 0, 1)


def main(run: str, folder: str, batch_size: int) -> None:
    network = Classifier.load(RunFolder(Path(run)), torch.device("cpu")).network.eval()
    files = (Path(folder) / "files.txt").read_text("utf-8").split("\n")
    with torch.inference_mode():
        network(torch.zeros(batch_size, 3, 224, 224))
        started = time.perf_counter()
        loader = DataLoader(Photos(files), batch_size, num_workers=len(os.sched_getaffinity(0)))
        found = torch.cat([network(batch).softmax(1) for batch in loader])
    seconds = time.perf_counter() - started
    if len(found) != len(files):
        raise SystemExit(f"expected {len(files)} answers, received {len(found)}")
    print(json.dumps({"with": f"torch {torch.__version__}, float32", "seconds": [seconds]}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
