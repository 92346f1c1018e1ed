"""The photos of the studies."""

from __future__ import annotations

from tests.study.conftest import cache, photos

__all__ = ["cache", "photos"]
