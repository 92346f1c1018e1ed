"""How long near-duplicates take to find among many photos, and what hashing adds to a photo.

Claim: candidates among 100,000 photos are found in a minute and in bounded memory, also where all
look alike.

    .venv/bin/python benchmarks/near_duplicates.py
    .venv/bin/python benchmarks/near_duplicates.py --count 20000 --flipped 0.12
    .venv/bin/python benchmarks/near_duplicates.py --photos /path/to/photos

Work: random hashes of 128 bits, and for one in a hundred another one that differs in 0 to 24 bits.
With --flipped: hashes that are all one but for that share of their bits, as those of X-rays are.
With --photos: every photo of a folder is decoded and hashed as `classeur inspect` does it, in turns
with and without the perceptual hash, and the least processor time of each is compared.
n: 1 search, 5 rounds. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from classeur.data.candidates import RADIUS, candidates
from classeur.data.decode import decode
from classeur.data.facts import full_hash
from classeur.data.parallel import in_parallel
from classeur.data.perceptual import perceptual_hash
from classeur.data.reader import PhotoReader
from classeur.data.scan import scan


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--flipped", type=float, default=0.5)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if args.photos:
        print(hashing(args.photos, args.rounds))
    else:
        print(search(args.count, args.flipped))


def search(count: int, flipped: float = 0.5, seed: int = 0) -> str:
    """Return how long the candidates of so many hashes take, and whether all were found."""
    random = np.random.default_rng(seed)
    codes = np.packbits(random.random((count, 128)) < flipped, axis=1).view(np.uint64)
    copies = count // 100
    for i in range(copies):
        bits = np.zeros(128, np.uint8)
        bits[random.choice(128, random.integers(0, RADIUS + 1), replace=False)] = 1
        codes[count - 1 - i] = codes[i] ^ np.packbits(bits).view(np.uint64)
    hashes = [code.tobytes().hex() for code in codes]
    before, started, cpu = memory(), time.perf_counter(), time.process_time()
    result = candidates(hashes)
    pairs = {
        (min(a, b), max(a, b))
        for one, other in result.close.tolist()
        for a in result.buckets[one]
        for b in result.buckets[other]
    }
    pairs |= {(bucket[0], other) for bucket in result.buckets for other in bucket[1:]}
    found = sum((i, count - 1 - i) in pairs for i in range(copies))
    return (
        f"{count:,} hashes: {time.perf_counter() - started:.0f} s, of which "
        f"{time.process_time() - cpu:.0f} s of processor time; {found} of {copies} copies found, "
        f"{len(pairs) - found} other candidates within {result.radius} bits; "
        f"{memory() - before:.0f} MB more than before"
    )


def hashing(photos: Path, rounds: int) -> str:
    """Return the processor time of a photo with and without the perceptual hash.

    Not the time on the clock: other programs on the machine add to that one.
    """
    listing = scan(photos)
    reader = PhotoReader(listing.root)

    def look(path: str, *, perceptual: bool) -> None:
        decoded = decode(reader.read(path))
        full_hash(decoded)
        if perceptual:
            perceptual_hash(decoded)

    paths = [record.path for record in listing.records]
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for perceptual, taken in times.items():
            started = time.process_time()
            for _ in in_parallel(
                lambda path, p=perceptual: look(path, perceptual=p), paths, None, 8
            ):
                pass
            taken.append(time.process_time() - started)
    without, with_hash = (1000 * min(taken) / len(paths) for taken in times.values())
    return (
        f"{len(paths):,} photos: {without:.2f} ms of processor time each without, "
        f"{with_hash:.2f} ms with the perceptual hash ({with_hash / without - 1:+.0%})"
    )


def memory() -> float:
    """Return the peak memory of this process, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
