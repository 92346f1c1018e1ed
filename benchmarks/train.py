"""How many photos a second `conv3` trains on: 150×150 RGB, batches of 32, two classes.

Claim: Classeur's training step is faster than the same network in a plain PyTorch loop and in
Keras `fit`, with and without augmentation, on a computer without a GPU.

    .venv/bin/python benchmarks/train.py

Work: steps of Adam on the same pixels in random order, in the number format of each one's default.
    Classeur   run_epoch as a run's worker calls it: memory-mapped pixels, channels-last, freed
               memory kept, deterministic algorithms, accuracy counted.
    PyTorch    float tensors (N, C, H, W) that are in memory already, contiguous; the allocator,
               the threads and all else as they come. Nothing is decoded, converted or counted.
    Keras      Sequential.fit on float arrays that are in memory already; accuracy counted.
Augmentation: flip, rotation to 15°, zoom to 15 %, shift to 10 %; each photo has its own draw.
    Classeur   one warp of the batch.
    PyTorch    torchvision.transforms.v2 RandomHorizontalFlip and RandomAffine on each photo.
    Keras      RandomFlip, RandomRotation, RandomZoom and RandomTranslation layers in the model.
The first 3 steps of a process (compilation, first use of memory) are not counted.
Compared: the 10 % quantile of all steps of n rounds, the contenders alternating, each round in a
new process.
n: 5 rounds of 20 steps. Time: 10 minutes for the two tables, on 2 cores of an Intel Xeon at 2.5 GHz
without a GPU. Versions: constraints.txt and benchmarks/requirements-peers.txt; each run prints its
own. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from rounds import DEFAULT_PEERS, Contender, conditions, play, table, with_peers

BATCH_SIZE = 32
WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="counted steps a round")
    parser.add_argument("--peers-python", type=Path, default=DEFAULT_PEERS)
    args = parser.parse_args()
    print(conditions(rounds=args.rounds, steps_each=args.steps))
    with tempfile.TemporaryDirectory() as folder:
        write_pixels(Path(folder), BATCH_SIZE * (WARM_UP + args.steps))
        for title, options in (("Plain", []), ("With augmentation", ["--augment"])):
            contenders = with_peers(
                [
                    Contender("Classeur", "train_classeur.py"),
                    Contender("PyTorch", "train_torch.py"),
                ],
                [Contender("Keras", "train_keras.py", str(args.peers_python))],
            )
            play(
                contenders,
                [folder, f"--batch-size={BATCH_SIZE}", f"--skip={WARM_UP}", *options],
                args.rounds,
            )
            print(f"\n{title}\n\n{table(contenders, BATCH_SIZE, quantile=0.1)}")


def write_pixels(folder: Path, count: int) -> None:
    """Write random photos and labels as a store has them."""
    draw = np.random.default_rng(0)
    np.save(folder / "photos.npy", draw.integers(0, 256, (count, 150, 150, 3), np.uint8))
    np.save(folder / "labels.npy", draw.integers(0, 2, count))


if __name__ == "__main__":
    main()
