"""Quantities as texts, and the rows that pages show."""

from __future__ import annotations

import pytest

from classeur.evaluation.metrics import Figure
from classeur.report import units, views


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"), (0.42, "0.4 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"),
        (200.4, "3 min 20 s"), (3599.7, "1 h 00 min"), (7500.0, "2 h 05 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "0.1 s"), (30, "30 s"), (60, "1 min"), (1800, "30 min"), (7200, "2 h"), (86400, "1 d")],
)
def test_round_durations(seconds: float, text: str) -> None:
    assert units.round_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (360_448, "360.4 kB"),
        (999_999, "1.0 MB"), (25_276_514_304, "25.3 GB"), (3 * 10**15, "3000.0 TB"),
    ],
)  # fmt: skip
def test_file_sizes(size: int, text: str) -> None:
    assert units.file_size(size) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.422, "0.42 ms"), (13.4, "13 ms"), (1340.0, "1.3 s")]
)
def test_latencies(value: float, text: str) -> None:
    assert units.milliseconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0004, "< 0.001"), (0.0304, "0.030"), (1, "1.000")])
def test_p_values(value: float, text: str) -> None:
    assert units.p_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"), (False, "no"), (None, "not set"), ("", "not set"), ([], "none"),
        ([0, 1], "0, 1"), (0.20, "0.2"), (3, "3"), ("cpu", "cpu"),
    ],
)  # fmt: skip
def test_plain_values(value: object, text: str) -> None:
    assert units.plain(value) == text


def test_one_of_a_thing_is_singular() -> None:
    assert units.quantity(1, "class", "classes") == "1 class"
    assert units.quantity(1200, "class", "classes") == "1,200 classes"


def test_nested_settings_become_rows() -> None:
    values = {"packages": {"torch": "2.13"}, "memory_bytes": 25_276_514_304, "number_format": "x"}
    assert views.flat(values) == [
        ("packages: torch", "2.13"),
        ("memory", "25.3 GB"),
        ("number format", "x"),
    ]


@pytest.mark.parametrize(
    ("folder", "address"),
    [
        ("conv3", "conv3/report.html"),
        ("a b#c?", "a%20b%23c%3F/report.html"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29/report.html"),
        ("//evil.example", "evil.example/report.html"),
        ("caf\udce9", "caf%E9/report.html"),
    ],
)
def test_a_folder_s_name_cannot_be_another_address(folder: str, address: str) -> None:
    assert views.address(folder) == address


def test_splits_stand_in_the_order_of_a_study() -> None:
    assert views.splits_of({"": {}, "test": {}, "train": {}}) == ["train", "test", ""]


def test_totals_add_up_over_splits() -> None:
    counts = {"train": {"b": 3, "a": 1}, "test": {"b": 2}}
    assert views.totals_of(counts) == {"a": 1, "b": 5}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-21T09:41:21+00:00", "2026-11-21 09:41 UTC"),
        ("2026-11-21T09:41:21", "2026-11-21 09:41"),
        ("yesterday", "yesterday"),
        ("", ""),
    ],
)
def test_moments(text: str, shown: str) -> None:
    assert views.moment(text) == shown


@pytest.mark.parametrize(
    ("path", "name"), [("/a/b/", "b"), ("C:\\photos\\dogs", "dogs"), ("/", "/"), ("cats", "cats")]
)
def test_the_last_part_of_a_path(path: str, name: str) -> None:
    assert views.last_part(path) == name


def test_a_per_cent_sign_stays_with_its_number() -> None:
    assert views.prose("12 % or 13 % of 100 x") == "12\u00a0% or 13\u00a0% of 100 x"


def test_a_share_of_nothing_is_nothing() -> None:
    assert views.share(0, 0) == "0"
    assert views.share(1, 3) == "33.3"


@pytest.mark.parametrize(
    ("train", "val", "form", "text"),
    [
        (0.95, 0.90, "percent", "+5.0"),
        (0.36, 0.77, "number", "−0.410"),
        (2.3020, 2.3023, "number", "+0.000"),
    ],
)
def test_gaps(train: float, val: float, form: str, text: str) -> None:
    assert views.gap(Figure(train, 0, 1), Figure(val, 0, 1), form) == text
