"""Packages that belong to an extra: one sentence where they are missing."""

from __future__ import annotations

import importlib

from classeur.errors import InferenceError


def require(extra: str, *packages: str) -> None:
    """Raise InferenceError, saying how to get them, unless all packages are there."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise InferenceError(
                f'this needs {package}. Install it with: pip install "classeur[{extra}]"'
            ) from error
