"""ONNX Runtime Web, the program that runs a network in a browser: from npm, into the cache."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from classeur.data.reader import sha256
from classeur.data.store import cache_root
from classeur.errors import InferenceError

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web-{VERSION}"
VARIABLE = "CLASSEUR_ONNXRUNTIME_WEB"
"""Where the package is on a machine without npm: the .tgz, or the folder it unpacks to."""

INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
"""SHA-512 of the package, as the registry states it."""

FILES = {
    "dist/ort.wasm.bundle.min.mjs": (
        "onnxruntime.js",
        "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    ),
    "dist/ort-wasm-simd-threaded.wasm": (
        "onnxruntime.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
}
"""What a page needs of it: where it is in the package, its name beside the page, its SHA-256."""

_PATIENCE = 600
"""Seconds for npm; the package has 33 MB."""


def runtime() -> dict[str, bytes]:
    """Return the files that a page needs, by name; npm brings them the first time.

    Raises:
        InferenceError: if they cannot be had, or are not those that were published.
    """
    if named := os.environ.get(VARIABLE):
        return _opened(Path(named).expanduser())
    kept = cache_root() / f"{PACKAGE}.tgz"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        _bring(kept)
    return _opened(kept)


def _bring(to: Path) -> None:
    """Let npm bring the package into a folder of the same disk, and move it to its place."""
    npm = shutil.which("npm")
    if npm is None:
        raise InferenceError(
            f"the page runs the network with onnxruntime-web {VERSION}, which npm brings, and npm "
            "is not there. Install Node.js, which has it, or bring the package "
            f"({PACKAGE}.tgz) from another machine and set {VARIABLE} to where it is."
        )
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".npm.") as place:
        asked = [npm, "pack", f"onnxruntime-web@{VERSION}", "--ignore-scripts", "--loglevel=error"]
        try:
            ran = subprocess.run(
                asked, cwd=place, capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
            said = ran.stderr
        except subprocess.TimeoutExpired:
            said = f"no answer within {_PATIENCE} seconds"
        if not (brought := Path(place) / to.name).is_file():
            raise InferenceError(
                f"npm could not bring onnxruntime-web {VERSION}: {' '.join(said.split())[:300]}. "
                f"Try again later, or set {VARIABLE} to {to.name} from another machine."
            )
        _check_package(brought)
        brought.replace(to)


def _opened(path: Path) -> dict[str, bytes]:
    if not path.exists():
        raise InferenceError(
            f"{VARIABLE} is {path}, which does not exist. Expected {PACKAGE}.tgz or the folder it "
            "unpacks to."
        )
    found = _in_folder(path) if path.is_dir() else _in_package(path)
    for name, (own, digest) in FILES.items():
        if sha256(found.get(own, b"")) != digest:
            raise _another(path, name)
    return found


def _in_folder(folder: Path) -> dict[str, bytes]:
    try:
        return {own: (folder / name).read_bytes() for name, (own, _) in FILES.items()}
    except OSError as error:
        raise _another(folder, str(error.filename)) from error


def _in_package(package: Path) -> dict[str, bytes]:
    """Read the files by name; nothing is unpacked."""
    _check_package(package)
    with tarfile.open(package) as archive:
        parts = {own: archive.extractfile(f"package/{name}") for name, (own, _) in FILES.items()}
        return {own: part.read() for own, part in parts.items() if part is not None}


def integrity(package: Path) -> str:
    """Return the SHA-512 of a package as registries write it, in base64."""
    with package.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def _check_package(package: Path) -> None:
    if integrity(package) != INTEGRITY:
        raise _another(package, package.name)


def _another(path: Path, name: str) -> InferenceError:
    return InferenceError(
        f"{path} is not onnxruntime-web {VERSION} as it was published: {name} is missing or has "
        "another checksum. Remove it, and let npm bring it again."
    )
