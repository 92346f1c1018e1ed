"""What photos belong to together (patient, camera, day), read from their paths."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from classeur.data.folders import compiled
from classeur.data.records import Record
from classeur.errors import DataError
from classeur.run_folder import printable


def with_groups(records: Sequence[Record], group_from: str) -> list[Record]:
    """Return the records with their groups.

    Args:
        records: of photos without groups.
        group_from: regular expression searched in each path; its first group, or all of the match,
            is the photo's group. A photo that does not match has none.

    Raises:
        DataError: if it is no regular expression, no photo matches, or photos have groups already.
    """
    pattern = compiled(group_from, "group_from")
    told = next((record for record in records if record.group), None)
    if told is not None:
        raise DataError(
            f"group_from takes the groups from the paths, but a table gives {told.path} the group "
            f'"{printable(told.group)}" already. Leave out one of the two.'
        )
    grouped = [replace(record, group=_group(pattern, record.path)) for record in records]
    if not any(record.group for record in grouped):
        first = f", not {printable(records[0].path)}" if records else ""
        raise DataError(
            f"group_from {group_from!r} matches the path of no photo{first}. Expected a regular "
            "expression on paths relative to the folder of photos, whose first group names what "
            r"the photo belongs to: patient(\d+)_."
        )
    return grouped


def _group(pattern: re.Pattern[str], path: str) -> str:
    match = pattern.search(unicodedata.normalize("NFC", path))
    if match is None:
        return ""
    return printable((match[1] if pattern.groups else match[0]) or "")
