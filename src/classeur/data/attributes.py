"""What else is known of each photo: its mode, and the further columns of the table it came in.

It travels in the manifest, a column each, so that a score can be looked at by any of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from classeur.data.facts import PhotoFacts
    from classeur.data.manifest import Manifest

MOST_VALUES = 20
"""Different values up to which a column is taken value by value."""

KNOWN = frozenset({"sha256", "width", "height", "mode", "kept_with"})
"""What Classeur finds out itself: a column of that name is passed over."""


def with_attributes(
    manifest: Manifest, facts: Sequence[PhotoFacts], columns: Mapping[str, Mapping[str, str]]
) -> Manifest:
    """Return the manifest with what else is known of its photos.

    Args:
        manifest: the split.
        facts: of its photos, in any order.
        columns: column of a table -> path -> value. Those of free text are left out: neither
            numbers nor up to `MOST_VALUES` different ones.
    """
    known = {"mode": {fact.path: fact.mode for fact in facts}}
    for name, values in columns.items():
        mine = {fact.path: values.get(fact.path, "") for fact in facts}
        if len(set(mine.values())) <= MOST_VALUES or numbers(list(mine.values())):
            known[name] = mine
    rows = [
        replace(row, attributes={name: values[row.path] for name, values in known.items()})
        for row in manifest.rows
    ]
    return replace(manifest, rows=rows)


def numbers(texts: Sequence[str]) -> list[float]:
    """Return texts as numbers, an empty one as NaN; nothing if one is none, or all are empty."""
    try:
        values = [float(text) if text else math.nan for text in texts]
    except ValueError:
        return []
    finite = [value for text, value in zip(texts, values, strict=True) if text]
    return values if finite and all(map(math.isfinite, finite)) else []
