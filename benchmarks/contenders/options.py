"""What every contender of train.py is told."""

import argparse
from pathlib import Path


def parse() -> argparse.Namespace:
    """Return the folder of photos.npy and labels.npy, the batch size, and whether to augment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--skip", type=int, required=True, help="steps that are not counted")
    parser.add_argument("--augment", action="store_true")
    return parser.parse_args()
