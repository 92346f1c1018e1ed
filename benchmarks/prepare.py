"""How many photos a second are prepared for training: found, checked, decoded and resized.

Claim: photos as telephones take them are ready sooner than with a plain Pillow loop. Keras'
`image_dataset_from_directory` reads more a second, and of small photos (400 pixels) so does the
loop: Classeur alone hashes each file and each picture, looks for odd ones, names those that cannot
be read, turns photos upright, and leaves on disk what need never be decoded again; Keras decodes
anew every epoch.

    .venv/bin/python benchmarks/prepare.py /path/to/folders-of-classes

Work: every photo of a folder of class folders, once, to 150×150 RGB.
    Classeur   scan + build_store: two hashes a photo, one store on disk, flushed to the disk.
    Pillow     a loop in one thread: open, convert, resize (bilinear, antialiased), numpy array.
    Keras      all batches of image_dataset_from_directory (bilinear, not antialiased, float32).
Imports are not counted. Files are read once before, so that all find them in the page cache.
Compared: the fastest of n rounds, the contenders alternating, each round in a new process.
n: 7 rounds. Time: 3 minutes for 1,000 photos of 400 pixels, on 2 cores of an Intel Xeon at 2.5 GHz
without a GPU. Versions: constraints.txt and benchmarks/requirements-peers.txt; each run prints its
own. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rounds import DEFAULT_PEERS, Contender, conditions, play, table, with_peers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path, help="folder with one folder of photos a class")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers-python", type=Path, default=DEFAULT_PEERS)
    args = parser.parse_args()
    count = read_all(args.photos)
    print(conditions(photos=count, rounds=args.rounds))
    contenders = with_peers(
        [Contender("Classeur", "prepare_classeur.py"), Contender("Pillow", "prepare_pillow.py")],
        [Contender("Keras", "prepare_keras.py", str(args.peers_python))],
    )
    play(contenders, [str(args.photos)], args.rounds)
    print(table(contenders, count, quantile=0))


def read_all(folder: Path) -> int:
    """Read every file, so that the first contender does not pay for the disk; return how many."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        path.read_bytes()
    return len(files)


if __name__ == "__main__":
    main()
