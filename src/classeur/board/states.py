"""What can be said of a run, a study or a search from its files, whatever is in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from classeur.board.finding import Found
from classeur.board.reading import check_files, read_toml
from classeur.errors import ClasseurError
from classeur.run_folder import RunFolder, is_locked, printable, read_json
from classeur.training.history import EpochRow, best_row, read_history

MOST_OTHERS = 200
"""Rungs without a run that are shown."""

_HUGE = 10**9
"""No number of epochs; one of thousands of digits could not even be written."""

_LONGEST = 200
"""Characters of a name, at most."""


@dataclass(frozen=True)
class State:
    """One line of the board."""

    id: str
    kind: str
    """run, study or search."""
    group: str
    """Id of the study or search it is part of; empty: none."""
    name: str
    state: str = "broken"
    """running, waiting, finished, failed, interrupted, ended (a trial that was given up), broken"""
    reason: str = ""
    """Why it failed or cannot be read."""
    when: str = ""
    """Of the last change, UTC, ISO 8601."""
    recipe: str = ""
    stage: str = ""
    """Of a run that is at work: head, training or scoring."""
    epoch: int = 0
    """Epochs done; of the head alone while that learns."""
    epochs: int = 0
    """Epochs at most."""
    seconds_left: float | None = None
    """At most, at the pace of the last epochs; None: not known."""
    val_accuracy: float | None = None
    """Of the best epoch."""
    test_accuracy: float | None = None
    """Where the test split has been opened already."""
    pages: list[str] = field(default_factory=list)
    """The pages that lie in its folder."""
    comparable: bool = False
    """Whether its predictions are there."""
    done: int = 0
    """Of a study or search: its runs that are finished."""
    total: int = 0
    """Of a study: runs that are known of."""
    chosen: str = ""
    """Of a study: name of the run that validation chose."""
    others: dict[str, str] = field(default_factory=dict)
    """Of a study: rung without a run -> why it was skipped; empty: it waits for its turn."""
    more_others: int = 0
    """Such rungs beyond the first ones."""


class Reader:
    """Says of each folder what it is at; reads only what has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, State]] = {}

    def read(self, found: Sequence[Found]) -> dict[str, State]:
        """Return id -> state, in the order of what was found. Raises nothing."""
        groups = {one.id: one for one in found if one.kind != "run"}
        busy = {id_ for id_, one in groups.items() if is_locked(one.path)}
        last = {one.group: one.id for one in found if one.kind == "run"}
        states: dict[str, State] = {}
        for one in found:
            if one.kind != "run":
                states[one.id] = self._state(one, "running" if one.id in busy else "")
                continue
            group = groups.get(one.group) if one.id != one.group else None
            is_trial = group is not None and group.kind == "search"
            is_last = last.get(one.group) == one.id
            at_work = one.group in busy and group is not None
            states[one.id] = self._state(one, _situation(one, is_trial, at_work, is_last))
        self._known = {id_: self._known[id_] for id_ in states}
        return {id_: _with_runs(state, states) for id_, state in states.items()}

    def _state(self, one: Found, situation: str) -> State:
        stamp = (one.kind, one.group, one.files, one.head, situation)
        known = self._known.get(one.id)
        if known is None or known[0] != stamp:
            self._known[one.id] = stamp, _read(one, situation)
        return self._known[one.id][1]


def _situation(one: Found, is_trial: bool, at_work: bool, is_last: bool) -> str:
    """Return the state of a run: of those that are finished without asking for their lock."""
    if one.files.keys() >= {"report.html", "metrics.json"}:
        return "finished"
    if is_trial:
        if "training.json" in one.files:
            return "finished"
        return "running" if at_work and is_last else "ended"
    if is_locked(one.path):
        return "running"
    if "failure.json" in one.files:
        return "failed"
    return "waiting" if at_work else "interrupted"


def _read(one: Found, situation: str) -> State:
    """Return the state of a folder, or the reason why nothing can be said."""
    times = [time for time, _ in (*one.files.values(), *([one.head] if one.head else []))]
    state = State(
        one.id, one.kind, one.group, printable(one.path.name),
        when=_moment(max(times, default=0)),
        pages=[name for name in ("index.html", "report.html") if name in one.files],
    )  # fmt: skip
    try:
        check_files(one)
        more = _of_run(one, situation) if one.kind == "run" else _of_group(one, situation)
        return replace(state, **more)
    except Exception as error:  # a folder may hold anything; the others are still to be shown
        return replace(state, reason=why(error))


def why(error: Exception) -> str:
    """Return in a sentence why files could not be read."""
    if isinstance(error, ClasseurError):
        return printable(str(error))[:500]
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return printable(f"it cannot be read: {text}")[:500]


def _of_run(one: Found, situation: str) -> dict[str, Any]:
    run, files = RunFolder(one.path), one.files
    config = read_toml(run.config)
    history = read_history(run.history) if "history.csv" in files else []
    head = read_history(run.path / "head" / "history.csv") if one.head else []
    learns_head = bool(head) and not history
    epochs = _number(config, "transfer", "head_epochs") if learns_head else _number(
        config, "training", "epochs"
    )  # fmt: skip
    shown = head if learns_head else history
    is_trained = "training.json" in files
    more: dict[str, Any] = {
        "state": situation,
        "recipe": _name(config.get("recipe", "")),
        "stage": "scoring" if is_trained else "head" if learns_head else "training",
        "epoch": shown[-1].epoch if shown else 0,
        "epochs": epochs,
        "val_accuracy": finite(best_row(shown).val_accuracy) if shown else None,
        "comparable": "predictions.parquet" in files and "metrics.json" in files,
    }
    if situation == "running" and not is_trained:
        more["seconds_left"] = _seconds_left(shown, epochs)
    if situation == "failed":
        more["reason"] = printable(str(read_json(run.path / "failure.json")["error"]))[:1000]
    if "metrics.json" in files:
        splits = read_json(run.metrics)["splits"]
        more["test_accuracy"] = finite(splits["test"]["accuracy"]["value"])
        more["val_accuracy"] = finite(splits["val"]["accuracy"]["value"])
    return more


def _of_group(one: Found, situation: str) -> dict[str, Any]:
    comparison = _mapping(one, "comparison.json")
    told = _part(comparison, "skipped")
    skipped = {_name(rung): printable(str(reason))[:500] for rung, reason in told.items()}
    others = dict(skipped)
    if one.kind == "study":
        asked = read_toml(one.path / "study.toml")
        others = {_name(rung): skipped.get(_name(rung), "") for rung in asked.get("rungs", [])}
    finished = "finished" if "index.html" in one.files else "interrupted"
    return {
        "state": situation or finished,
        "chosen": _name(comparison.get("chosen_run", "")),
        "others": others,
    }


def _with_runs(state: State, states: Mapping[str, State]) -> State:
    """Return a study or search with what its runs say; a run as it is."""
    if state.kind == "run":
        return state
    runs = [one for one in states.values() if one.kind == "run" and one.group == state.id]
    begun = {one.recipe for one in runs}
    others = {rung: reason for rung, reason in state.others.items() if rung not in begun}
    best = [one for one in runs if one.name == state.chosen]
    values = [one.val_accuracy for one in best or runs if one.val_accuracy is not None]
    return replace(
        state,
        done=sum(one.state == "finished" for one in runs),
        total=len(runs) + sum(not reason for reason in others.values()),
        others=dict(islice(others.items(), MOST_OTHERS)),
        more_others=max(0, len(others) - MOST_OTHERS),
        when=max([state.when, *(one.when for one in runs)]),
        val_accuracy=max(values, default=None),
        test_accuracy=best[0].test_accuracy if best else None,
    )


def _name(value: Any) -> str:
    return printable(str(value))[:_LONGEST]


def _seconds_left(history: Sequence[EpochRow], epochs: int) -> float | None:
    last = [row.seconds for row in history[-3:]]
    return finite(sum(last) / len(last) * max(0, epochs - history[-1].epoch)) if last else None


def _number(config: dict[str, Any], section: str, name: str) -> int:
    value = _part(config, section).get(name, 0)
    return value if isinstance(value, int) and abs(value) < _HUGE else 0


def _part(values: dict[str, Any], name: str) -> dict[str, Any]:
    part = values.get(name, {})
    return part if isinstance(part, dict) else {}


def _mapping(one: Found, name: str) -> dict[str, Any]:
    found = read_json(one.path / name) if name in one.files else {}
    return found if isinstance(found, dict) else {}


def finite(value: Any) -> float | None:
    """Return a number that JSON can hold; None for any other."""
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    return float(value) if is_number else None


def _moment(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).isoformat() if nanoseconds else ""
