"""What is asked of a search, and what its trials share."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classeur.config import RunConfig
from classeur.data.manifest import Manifest
from classeur.errors import ConfigError
from classeur.search import optuna_study
from classeur.search.folder import SearchFolder, what_counts
from classeur.search.space import Space, in_words, own_values, search_space
from classeur.study.material import Material
from classeur.study.train import configure, settled

if TYPE_CHECKING:
    from optuna.study import Study as OptunaStudy

TRIALS = 20
"""How many trials a search has if it is told neither a number nor a budget."""


@dataclass(frozen=True)
class SearchPlan:
    """What is asked of a search."""

    recipe: str
    config: RunConfig
    """Of every trial, but for what is searched."""
    space: Space
    given: dict[str, Any]
    """Options that were given, by their names."""
    trials: int
    """In all, those of earlier calls included. 0: as many as the budget allows."""
    budget: float
    """Minutes of training in all. 0: no limit."""
    storage: str
    """URL. Empty: a file in the folder."""
    name: str
    """Of the search in its storage."""


@dataclass(frozen=True)
class SearchWork:
    """All that a trial needs."""

    plan: SearchPlan
    config: RunConfig
    """The plan's, with what the photos decide."""
    folder: SearchFolder
    material: Material
    study: OptunaStudy

    @property
    def own(self) -> dict[str, Any]:
        """The recipe's own value of each option that is searched."""
        return own_values(self.config, self.plan.space)

    @property
    def worker(self) -> str:
        """Who a trial belongs to: no second process works in the same folder."""
        return f"{socket.gethostname()}:{self.folder.path.resolve()}"

    @property
    def is_spent(self) -> bool:
        """Whether the budget is."""
        budget = 60 * self.plan.budget
        return bool(budget) and optuna_study.spent(self.study) >= budget

    @property
    def is_done(self) -> bool:
        """Whether there are enough trials, or the budget is spent."""
        enough = self.plan.trials and len(optuna_study.done(self.study)) >= self.plan.trials
        return bool(enough) or self.is_spent

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a trial, as they are trained and shown."""
        own = self.own
        return {
            name: values.rounded(drawn[name], own[name]) for name, values in self.plan.space.items()
        }


def plan_search(
    photos: Path | str,
    recipe: str,
    *,
    trials: int,
    budget: float,
    search: Sequence[str],
    storage: str,
    name: str,
    **options: Any,
) -> SearchPlan:
    """Return what is asked; raise ConfigError with all that is wrong."""
    given = {option: value for option, value in options.items() if value is not None}
    problems = [
        f"{what} must be at least 0, received {value}."
        for what, value in (("trials", trials), ("budget", budget))
        if not value >= 0
    ]
    if name and not storage:
        problems.append("a name is for a search in a storage: give --storage too.")
    try:
        config = configure(recipe, photos, **given)
        space = search_space(config, search, given)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from error
    if problems:
        raise ConfigError(problems)
    count = trials or (0 if budget else TRIALS)
    return SearchPlan(recipe, config, space, given, count, budget, storage, name or config.recipe)


def asked_of(plan: SearchPlan, material: Material) -> dict[str, Any]:
    """Return what has to be the same in every trial, on whichever machine."""
    return {
        "seed": plan.config.seed,
        "photos": _fingerprint(material.manifest),
        "search": {name: in_words(values) for name, values in plan.space.items()},
        **what_counts(settled(plan.config, material)),
    }


def _fingerprint(manifest: Manifest) -> str:
    """Return a short text that changes with the photos, their labels and their splits."""
    rows = sorted(f"{row.sha256} {row.label} {row.split}" for row in manifest.rows)
    text = "\n".join(rows).encode(errors="surrogateescape")
    return f"{len(rows)} photos, sha256 {hashlib.sha256(text).hexdigest()[:16]}"
