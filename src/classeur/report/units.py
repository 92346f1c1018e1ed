"""Quantities as short texts: seconds, bytes, counts, p-values."""

from __future__ import annotations

import math


def count(number: int) -> str:
    """Return 12345 as `12,345`."""
    return f"{number:,}"


def quantity(number: int, one: str, many: str) -> str:
    """Return `1 class` or `1,200 classes`."""
    return f"{count(number)} {one if number == 1 else many}"


def duration(seconds: float) -> str:
    """Return seconds as `0.4 s`, `42 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds else "0 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def round_duration(seconds: float) -> str:
    """Return a duration that is a whole number of its unit, for an axis: `30 s`, `5 min`, `2 h`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def file_size(size: int) -> str:
    """Return bytes as `512 B`, `3.4 MB`, `1.2 GB`; a megabyte is a million bytes."""
    if size < 1000:
        return f"{size} B"
    power = min(4, int(math.log10(size) // 3))
    # 999,999 bytes are 1.0 MB, not 1000 kB
    if float(f"{size / 1000**power:.3g}") >= 1000 and power < 4:
        power += 1
    value = size / 1000**power
    return f"{value:.1f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def milliseconds(value: float) -> str:
    """Return a latency as `0.42 ms`, `13 ms` or `1.3 s`."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"


def p_value(value: float) -> str:
    """Return a p-value to three decimals, or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def plain(value: object) -> str:
    """Return a value from a settings or environment file as a text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value) or "none"
    if value is None or value == "":
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)
