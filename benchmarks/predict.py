"""Photos a second from files to labels, with the same network.

Claim: `classeur predict` is as fast as a plain PyTorch DataLoader script and as Keras, though it
also turns photos upright, names those that it cannot read, and measures which are strange; and how
close it comes to ONNX Runtime on photos that are decoded already, which is the least there can be.

    .venv/bin/python benchmarks/predict.py RUN PHOTOS [--photos 500] [--rounds 7]

RUN is one of mobilenetv2_100, as `classeur train PHOTOS --recipe mobilenetv2_100-frozen` makes it.

Work: every photo once, in batches, to the probabilities of two classes; 224×224, stretched.
    Classeur   Predictor.predict into a CSV file, with whatever the run can tell (strangeness).
    PyTorch    DataLoader with a worker a processor, Pillow (open, convert, resize, bilinear and
               antialiased), NumPy, the run's own network in evaluation mode, softmax.
    Keras      keras.applications.MobileNetV2 with a layer for the classes, random weights; tf.data
               with AUTOTUNE: read, decode_jpeg, resize (bilinear, not antialiased); predict.
    ONNX       ONNX Runtime on model.batch.onnx, whose normalisation is inside; the pixels are in
               memory, nothing is read or decoded.
Imports, loading of weights and files, and one batch to warm up are not counted; starting the
workers of the DataLoader is. Photos are read once before, so that all find them in the page cache.
Compared: the fastest of n rounds, the contenders alternating, each round in a new process.
n: 7 rounds. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from classeur.data.folders import walk_photos
from classeur.data.records import Listing
from classeur.errors import UnreadablePhotoError
from classeur.inference.export import export
from classeur.inference.predictor import Predictor
from rounds import DEFAULT_PEERS, Contender, conditions, play, table, with_peers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--photos", dest="count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--peers-python", type=Path, default=DEFAULT_PEERS)
    args = parser.parse_args()
    check(args.run)
    with tempfile.TemporaryDirectory() as folder:
        count = write_work(args.run, args.photos, args.count, Path(folder))
        print(conditions(photos=count, rounds=args.rounds, batch_size=args.batch_size))
        contenders = with_peers(
            [
                Contender("Classeur", "predict_classeur.py"),
                Contender("PyTorch", "predict_torch.py"),
                Contender("ONNX Runtime, decoded", "predict_onnx.py"),
            ],
            [Contender("Keras", "predict_keras.py", str(args.peers_python))],
        )
        play(contenders, [str(args.run), folder, str(args.batch_size)], args.rounds)
        print(table(contenders, count, quantile=0))


def check(run: Path) -> None:
    """Stop unless the run is what the other contenders imitate."""
    facts = json.loads((run / "model.json").read_text(encoding="utf-8"))
    found = (
        facts["model"]["name"],
        facts["preprocessing"]["size"],
        facts["preprocessing"]["resize"],
    )
    if found != ("mobilenetv2_100", 224, "squash"):
        raise SystemExit(f"expected a run of mobilenetv2_100 at 224, squash; received {found}.")


def write_work(run: Path, photos: Path, most: int, folder: Path) -> int:
    """Write files.txt, pixels.npy and the ONNX file; return how many photos there are."""
    predictor, names = Predictor.load(run), list(walk_photos(photos, Listing(photos, "")))
    files, pixels = [], []
    for row in np.linspace(0, len(names) - 1, min(len(names), most)).round().astype(int):
        try:
            pixels.append(predictor.prepared(photos / names[row]))
            files.append(str((photos / names[row]).resolve()))
        except UnreadablePhotoError:  # the other contenders would stop there
            continue
    (folder / "files.txt").write_text("\n".join(files), encoding="utf-8")
    np.save(folder / "pixels.npy", np.stack(pixels))
    export(run, "onnx", to=folder / "onnx")
    return len(files)


if __name__ == "__main__":
    main()
