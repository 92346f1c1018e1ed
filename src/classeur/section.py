"""A group of options as a frozen dataclass: checked when it is made, all problems at once."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from classeur.errors import ConfigError, did_you_mean, unknown


class Section:
    """A group of options. Subclasses are frozen dataclasses and yield their problems."""

    def __post_init__(self) -> None:
        problems = self._type_problems() or list(self.problems())
        if problems:
            raise ConfigError(problems)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for every option whose value cannot be right."""
        yield from ()

    def _type_problems(self) -> list[str]:
        """Return the problems with values of a wrong type and, if there are any, all others."""
        problems: list[str] = []
        right: dict[str, Any] = {}
        for name, expected in typing.get_type_hints(type(self)).items():
            value = getattr(self, name)
            if _is_a(value, expected):
                right[name] = value
            else:
                problems.append(f"{name} must be {_type_name(expected)}, received {value!r}.")
        if problems:
            _replaced(type(self)(), right, problems)
        return problems

    def at_least(self, minimum: float, *names: str) -> Iterator[str]:
        """Yield a problem for each named option below `minimum`."""
        for name in names:
            if not getattr(self, name) >= minimum:
                yield f"{name} must be at least {minimum:g}, received {getattr(self, name)!r}."

    def between(self, low: float, high: float, *names: str) -> Iterator[str]:
        """Yield a problem for each named option outside [low, high)."""
        for name in names:
            if not low <= getattr(self, name) < high:
                yield (
                    f"{name} must be at least {low:g} and below {high:g}, "
                    f"received {getattr(self, name)!r}."
                )

    def within(self, low: float, high: float, *names: str) -> Iterator[str]:
        """Yield a problem for each named option outside [low, high]."""
        for name in names:
            if not low <= getattr(self, name) <= high:
                yield (
                    f"{name} must be from {low:g} to {high:g}, received {getattr(self, name)!r}."
                )

    def one_of(self, choices: tuple[str, ...], name: str) -> Iterator[str]:
        """Yield a problem if the named option is none of the choices."""
        if getattr(self, name) not in choices:
            yield unknown(name, getattr(self, name), choices)


def override(section: Section, changes: Mapping[str, Any]) -> Any:
    """Return `section` with the given options changed; None means "as it is".

    `changes` may hold options of nested sections by their bare names (`epochs=3`).
    Raises ConfigError with every unknown option and impossible value.
    """
    remaining = {name: value for name, value in changes.items() if value is not None}
    problems: list[str] = []
    own = vars(section)
    nested = {name: value for name, value in own.items() if isinstance(value, Section)}
    known = [*own, *(key for value in nested.values() for key in vars(value))]
    for name, value in nested.items():
        taken = {key: remaining.pop(key) for key in list(remaining) if key in vars(value)}
        nested[name] = _replaced(value, taken, problems)
    for key in [key for key in remaining if key not in own]:
        problems.append(f'unknown option "{key}".{did_you_mean(key, known)}')
        del remaining[key]
    changed = _replaced(section, nested | remaining, problems)
    if problems:
        raise ConfigError(problems)
    return changed


def _replaced(section: Section, changes: Mapping[str, Any], problems: list[str]) -> Section:
    """Return the section with the changes; if they cannot be, as it is, adding the problems."""
    try:
        return dataclasses.replace(section, **changes)  # type: ignore[type-var]
    except ConfigError as error:
        problems += error.problems
        return section


def build(kind: type[Section], values: Mapping[str, Any], where: str = "") -> Section:
    """Build a section and those inside it from nested mappings.

    Args:
        kind: the section's class.
        values: its options by name; a mapping for a section inside it.
        where: what stands before each name in messages.

    Raises:
        ConfigError: with every unknown option and every impossible value.
    """
    hints = typing.get_type_hints(kind)
    problems: list[str] = []
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            problems.append(f'unknown option "{where}{key}".{did_you_mean(key, hints)}')
        elif isinstance(hints[key], type) and issubclass(hints[key], Section):
            if not isinstance(value, Mapping):
                problems.append(f"{where}{key} must be a table, received {value!r}.")
                continue
            try:
                arguments[key] = build(hints[key], value, f"{where}{key}.")
            except ConfigError as error:
                problems += error.problems
        else:
            arguments[key] = tuple(value) if isinstance(value, list) else value
    try:
        built = kind(**arguments)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return built


def _is_a(value: object, expected: Any) -> bool:
    if typing.get_origin(expected) is tuple:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if expected is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, expected)


def _type_name(expected: Any) -> str:
    if typing.get_origin(expected) is tuple:
        return "a list of texts"
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return names.get(expected, f"a {getattr(expected, '__name__', expected)}")
