"""Values as the document holds them: JSON-able, in base units, printed beside, never NaN."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any

from aibench.model import Estimate
from aibench.units import format_rate_binary, format_size_binary, format_value

#: Floats keep this many digits, so that the last bits of a library's logarithm don't show.
_DIGITS = 12
_BINARY = {"B/s": format_rate_binary, "B": format_size_binary}


def number(value: float | None) -> float | None:
    """``value`` itself, or None where it is missing, infinite or not a number."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def plain(value: Any) -> Any:
    """Nouns, enumerations, mappings and tuples as dictionaries, strings and lists."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str):
        return value.value if isinstance(value, StrEnum) else value
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"a {type(value).__name__} has no place in a report")


def quantity(value: float | None, unit: str) -> dict[str, Any] | None:
    """One number with its unit, and printed; rates and sizes with binary prefixes as well."""
    known = number(value)
    if known is None:
        return None
    binary = _BINARY.get(unit)
    return {
        "value": known,
        "unit": unit,
        "printed": format_value(known, unit),
        "printed_binary": binary(known) if binary else None,
    }


def spread(estimate: Estimate | None, unit: str) -> dict[str, Any] | None:
    """An estimate with its interval, worst and best run; None where there is none."""
    typical = quantity(estimate.typical, unit) if estimate else None
    if estimate is None or typical is None:
        return None
    low, high = quantity(estimate.low, unit), quantity(estimate.high, unit)
    worst, best = quantity(estimate.worst, unit), quantity(estimate.best, unit)
    return {
        "typical": typical["value"],
        "low": low and low["value"],
        "high": high and high["value"],
        "worst": worst and worst["value"],
        "best": best and best["value"],
        "unit": unit,
        "n": estimate.n,
        "method": estimate.method,
        "printed": typical["printed"],
        "printed_binary": typical["printed_binary"],
        "printed_interval": _interval(typical, low, high, "printed"),
        "printed_interval_binary": _interval(typical, low, high, "printed_binary"),
        "printed_worst": worst and worst["printed"],
    }


def _interval(
    typical: dict[str, Any], low: dict[str, Any] | None, high: dict[str, Any] | None, form: str
) -> str | None:
    """``[17.9, 18.6]`` in the unit of the typical value; other units are written out."""
    if low is None or high is None or typical[form] is None:
        return None
    unit = typical[form].partition(" ")[2]
    ends = [end[form] for end in (low, high)]
    if all(end.partition(" ")[2] == unit for end in ends):
        ends = [end.partition(" ")[0] for end in ends]
    return f"[{ends[0]}, {ends[1]}]"
