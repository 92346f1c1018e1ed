"""What part the test photos had in a run before they were scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from classeur.evaluation.leaks import LeakEffect
from classeur.report.units import quantity


def part_of_test(
    folds: int, leaks: LeakEffect | None, openings: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Say what part they had in training and in choices, one plain sentence each.

    Args:
        folds: of the cross-validation that the run is one of; 0: none.
        leaks: what copies of training photos among the test photos do. None: there are none.
        openings: of the test split, as in test_openings.jsonl.
    """
    said = []
    copies = leaks.exact + leaks.near if leaks else 0
    if copies:
        verb = "has a copy" if copies == 1 else "have copies"
        said.append(f"{copies:,} of them {verb} among the training photos.")
    if folds:
        said.append(
            "This fold neither learned from them nor chose by them; the other "
            f"{quantity(folds - 1, 'fold', 'folds')} did."
        )
    networks = {opening.get("network", "") for opening in openings}
    if len(openings) > 1 and (len(networks) > 1 or "" in networks):
        said.append(
            "They were scored more than once, and not by one network for certain: they may have "
            "had a part in a choice."
        )
    return said or ["They had no part in training or in any choice."]
