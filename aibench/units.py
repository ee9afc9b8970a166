"""Sizes, rates, times and counts: parsed at the edge, printed at the edge, integers between.

``kB`` is 1000 bytes and ``KiB`` is 1024. A bare ``K``, ``M`` or ``G`` is refused, because it
means either, and the two differ by more than most tolerances (7.4 % for G).
"""

import re
from decimal import Decimal

from aibench.errors import UnitError

_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_BYTES = {"B": 1} | {f"{p}B": n for p, n in (_DECIMAL | _BINARY).items()}
_BITS = {"bit": 1} | {f"{p}bit": n for p, n in _DECIMAL.items()}
_TIMES = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_NUMBER = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)\s*(\S*)\s*")
_LARGEST = 2**63 - 1
#: No size, rate or time is written with more characters.
_LONGEST = 64


def _parse(text: str, units: dict[str, int], what: str, example: str) -> int:
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise UnitError(f"{text[:_LONGEST]!r} is not a {what}; write for example {example}")
    number, unit = match.groups()
    if unit not in units:
        raise UnitError(_unknown_unit(text, unit, units, what, example))
    value = Decimal(number.replace("_", "")) * units[unit]
    if value > _LARGEST:
        raise UnitError(f"{text!r} is too large for a {what}")
    if value != int(value):
        raise UnitError(f"{text!r} is not a whole number of {min(units, key=lambda u: units[u])}")
    return int(value)


def _unknown_unit(text: str, unit: str, units: dict[str, int], what: str, example: str) -> str:
    letter = unit.upper()[:1]
    if unit in ("K", "M", "G", "T", "P", "k") and "B" in units:
        decimal = "kB" if letter == "K" else f"{letter}B"
        return (
            f"{text!r} is ambiguous: write {decimal} for powers of 1000 or {letter}iB for powers "
            f"of 1024"
        )
    if not unit:
        return f"{text!r} has no unit; write for example {example}"
    return f"{text!r}: no unit {unit!r} for a {what}; known: {', '.join(units)}"


def parse_size(text: str) -> int:
    """Bytes in ``text``, such as ``4KiB`` or ``1.5GB``. `UnitError` when it is not a size."""
    return _parse(text, _BYTES, "size", "4KiB or 1.5GB")


def parse_rate(text: str) -> int:
    """Bytes per second in ``text``, such as ``400GB/s`` or ``100Gbit/s``."""
    if not text.strip().endswith("/s"):
        raise UnitError(f"{text[:_LONGEST]!r} is not a rate: it needs '/s', for example 20GB/s")
    stem = text.strip().removesuffix("/s")
    if stem.endswith("bit"):
        bits = _parse(stem, _BITS, "rate", "100Gbit/s")
        return bits // 8
    return _parse(stem, _BYTES, "rate", "20GB/s")


def parse_duration(text: str) -> int:
    """Nanoseconds in ``text``, such as ``250ms`` or ``5min``."""
    return _parse(text, _TIMES, "time", "250ms or 5min")


def _three_digits(value: float) -> str:
    """Three significant digits; in exponent form below 0.0001 only."""
    size = abs(value)
    if size == 0:
        return "0"
    if size < 0.9995:
        return f"{value:.3g}" if size >= 1e-4 else f"{value:.1e}"
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{value:.{digits}f}"


def _scaled(value: float, steps: list[tuple[str, int]], unit: str) -> str:
    for prefix, factor in reversed(steps):
        if abs(value) >= factor * 0.9995:
            return f"{_three_digits(value / factor)} {prefix}{unit}"
    return f"{_three_digits(value)} {unit}".rstrip()


def format_size(value: float) -> str:
    """Bytes with a decimal prefix and three digits: ``1.07 GB``."""
    return _scaled(value, list(_DECIMAL.items()), "B")


def format_size_binary(value: float) -> str:
    """Bytes with a binary prefix and three digits: ``1.00 GiB``."""
    return _scaled(value, list(_BINARY.items()), "B")


def exact_size(value: int) -> str:
    """Bytes in the largest unit that tells them exactly, as `parse_size` takes them: ``64KiB``."""
    fitting = ((n, unit) for unit, n in _BYTES.items() if value and value % n == 0)
    factor, unit = max(fitting, default=(1, "B"))
    return f"{value // factor}{unit}"


def format_rate(value: float) -> str:
    """Bytes per second with a decimal prefix: ``1.07 GB/s``."""
    return format_size(value) + "/s"


def format_rate_binary(value: float) -> str:
    """Bytes per second with a binary prefix: ``1.00 GiB/s``."""
    return format_size_binary(value) + "/s"


def format_count(value: float) -> str:
    """A count with a decimal prefix: ``12.3 k``; small whole numbers as they are."""
    if abs(value) < 1000 and value == int(value):
        return str(int(value))
    return _scaled(value, list(_DECIMAL.items()), "").rstrip()


def format_duration(nanoseconds: float) -> str:
    """A time in the unit that reads best: ``1.25 ms``, ``2 min 05 s``."""
    for unit, factor in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if abs(nanoseconds) < factor * 999.5:
            return f"{_three_digits(nanoseconds / factor)} {unit}"
    seconds = nanoseconds / 10**9
    if seconds < 99.95:
        return f"{_three_digits(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def format_value(value: float, unit: str) -> str:
    """``value`` with its unit: ``B/s``, ``B``, ``ns``, ``1``, ``share`` or a count of things."""
    if unit == "B/s":
        return format_rate(value)
    if unit == "B":
        return format_size(value)
    if unit == "ns":
        return format_duration(value)
    if unit == "1":
        return _three_digits(value) if abs(value) < 10**6 else format_count(value)
    if unit == "share":
        return f"{_three_digits(100 * value)} %"
    scaled = format_count(value)
    joined = scaled[-1:].isalpha() and unit == "op/s"
    return f"{scaled}{unit}" if joined else f"{scaled} {unit}"
