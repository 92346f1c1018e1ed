"""Prepare photos as `classeur prepare` does."""

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from classeur.data.geometry import Geometry
from classeur.data.scan import scan
from classeur.data.store import build_store


def main(photos: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        build_store(scan(photos), Geometry(150), Path(folder) / "store")
        seconds = time.perf_counter() - started
    print(json.dumps({"with": f"Pillow {version('pillow')}", "seconds": [seconds]}))


if __name__ == "__main__":
    main(sys.argv[1])
