"""The files of a search: what was asked, its trials, the best of them as a recipe."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from classeur.config import SECTIONS, RunConfig
from classeur.errors import StudyError
from classeur.report.search_report import SearchReport
from classeur.run_folder import LOCK, RunFolder, write_text
from classeur.training.recipe_files import read_toml, recipe_of, recipe_to_toml
from classeur.training.recipes import get_recipe

_OF_MACHINE = {"device", "number_format", "weights"}
"""Options that say where a run computes, not what: no part of a search or a recipe."""


@dataclass(frozen=True)
class SearchFolder:
    """The paths of a search. Making the value touches nothing on disk."""

    path: Path

    @property
    def asked(self) -> Path:
        """What was asked, complete."""
        return self.path / "search.toml"

    @property
    def database(self) -> Path:
        """Optuna's own file, unless the search is kept elsewhere."""
        return self.path / "search.db"

    @property
    def table(self) -> Path:
        """A row per trial."""
        return self.path / "trials.csv"

    @property
    def recipe(self) -> Path:
        """The best trial as a recipe."""
        return self.path / "best.toml"

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.path / "index.html"

    def trial(self, number: int) -> RunFolder:
        """Return the run folder of a trial."""
        return RunFolder(self.path / "trials" / f"{number:04d}")

    def make(self) -> None:
        """Make the folder.

        Raises:
            StudyError: if it cannot be made, or holds something else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise StudyError(f"{self.path} is a file. Choose a folder with --to.") from error
        except OSError as error:
            raise StudyError(
                f"cannot write the search at {self.path}: {error.strerror}."
            ) from error
        if not self.asked.is_file() and any(entry.name != LOCK for entry in self.path.iterdir()):
            raise StudyError(
                f"{self.path} is not empty and holds no search. Choose another folder with --to."
            )

    def write_asked(self, asked: Mapping[str, Any]) -> None:
        """Write what is asked, or see that it is what was asked before.

        Raises:
            StudyError: naming what differs, if the folder holds another search.
            ConfigError: if what was asked before cannot be read.
        """
        if self.asked.is_file():
            before = read_toml(self.asked)
            refuse_other(before, asked, str(self.path), "Choose another folder with --to")
        else:
            write_text(self.asked, tomli_w.dumps(asked))

    def write_table(self, report: SearchReport) -> None:
        """Write trials.csv."""
        text = io.StringIO()
        head = ["trial", "outcome", "val_accuracy", "val_loss", "best_epoch", "epochs", "seconds"]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*head, *report.own, "reason"])
        for trial in report.trials:
            score = [
                "" if value is None else f"{value:.6g}" for value in (trial.accuracy, trial.loss)
            ]
            cost = [trial.best_epoch, trial.epochs, f"{trial.seconds:.3f}"]
            values = [trial.values[name] for name in report.own]
            writer.writerow([trial.number, trial.outcome, *score, *cost, *values, trial.reason])
        write_text(self.table, text.getvalue())

    def drop_weights(self, numbers: Iterable[int]) -> None:
        """Delete the weights of trials; what else their folders hold stays."""
        for number in numbers:
            for pattern in ("*.safetensors", "state.pt"):
                for file in self.trial(number).path.rglob(pattern):
                    file.unlink()


def what_counts(config: RunConfig) -> dict[str, dict[str, Any]]:
    """Return the sections of a config that a trial's result depends on, photos apart."""
    values = dataclasses.asdict(config)
    return {
        section: {k: v for k, v in values[section].items() if k not in _OF_MACHINE}
        for section in SECTIONS
    }


def tuned_recipe(recipe: str, plain: RunConfig, best: RunConfig, how: str) -> str:
    """Return a recipe file: a recipe, and in tables what differs from it.

    Args:
        recipe: the recipe that was searched: a name, or a file whose values are then written out.
        plain: its config as it stands.
        best: the config of the best trial, before photos settled what it leaves open.
        how: one sentence on where the values come from.
    """
    before, now = what_counts(plain), what_counts(best)
    tables = {
        section: {k: v for k, v in now[section].items() if v != before[section][k]}
        for section in SECTIONS
    }
    start = get_recipe(recipe)
    head = {"name": f"{start.name}-tuned", "description": how, "from": recipe}
    tuned = recipe_of({**head, **tables}, "the best trial")
    return recipe_to_toml(tuned, recipe if start.name == recipe else "")


def refuse_other(
    before: Mapping[str, Any], now: Mapping[str, Any], where: str, advice: str
) -> None:
    """Raise StudyError, naming what differs, unless the same was asked before."""
    old, new = _flat(before), _flat(now)
    changes = [
        f"{name} was {old.get(name, 'not set')}, now {new.get(name, 'not set')}"
        for name in [*old, *(key for key in new if key not in old)]
        if old.get(name) != new.get(name)
    ]
    if changes:
        raise StudyError(f"{where} holds another search: {'; '.join(changes)}. {advice}.")


def _flat(values: Mapping[str, Any], where: str = "") -> dict[str, str]:
    """Return nested tables as `section.option` -> value in words."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{where}{name}.")
        else:
            flat[f"{where}{name}"] = repr(list(value) if isinstance(value, tuple) else value)
    return flat
