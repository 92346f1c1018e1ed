"""Classify photos as `classeur predict` does."""

import json
import sys
import time
from pathlib import Path

import torch

from classeur.inference.output import write_predictions
from classeur.inference.predictor import Predictor
from classeur.models.device import keep_freed_memory


def main(run: str, folder: str, batch_size: int) -> None:
    keep_freed_memory()  # as the command does
    predictor = Predictor.load(run)
    extra = ("strangeness", "strange") if predictor.tells_strange else ()
    files = [Path(name) for name in (Path(folder) / "files.txt").read_text("utf-8").split("\n")]
    for _ in predictor.predict(files[:batch_size], batch_size=batch_size):
        pass
    output = Path(folder) / "answers.csv"
    started = time.perf_counter()
    answers = predictor.predict(files, top_k=2, batch_size=batch_size)
    errors = [answer.error for answer in write_predictions(answers, output, 2, extra)]
    seconds = time.perf_counter() - started
    if any(errors):
        raise SystemExit(f"expected photos only, received: {next(filter(None, errors))}")
    print(json.dumps({"with": f"torch {torch.__version__}", "seconds": [seconds]}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
