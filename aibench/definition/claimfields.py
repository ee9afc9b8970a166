"""The fields of a claim file: how ids, places, values and ranges are written."""

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, StringConstraints, WithJsonSchema

from aibench.definition.fields import MOST_ENTRIES, Text
from aibench.definition.source import shown
from aibench.units import parse_duration, parse_rate, parse_size

Texts = Annotated[tuple[Text, ...], Field(max_length=MOST_ENTRIES)]
ClaimId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")]
OtherId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,47}$")]
Direction = Literal[">=", "<="]
Unit = Literal["B/s", "op/s", "B", "ns", "share", "1", "points"]

#: Why a benchmark of a filesystem can never test a claim; the judge has the sentences.
Untestable = Literal[
    "gpu_scheduling", "gpu_utilisation", "interconnect", "market", "superlative",
    "historical_fact", "deployment", "platform", "capacity_statement", "scaling_statement",
    "other_sites",
]  # fmt: skip
#: What a rig must have beyond one client and one mount.
Need = Literal[
    "needs_more_units", "needs_cluster", "needs_vendor_runtime", "needs_second_protocol",
    "needs_second_site",
]  # fmt: skip

_LARGEST = 2**63 - 1
_EXAMPLES = {
    "B/s": "text, such as '20GB/s'",
    "B": "text, such as '1EB'",
    "ns": "text, such as '5s'",
    "op/s": "a whole number",
    "share": "a number from 0 to 1, or text, such as '90 %'",
    "1": "a number, such as 8 or 1.5",
    "points": "a number of percentage points, such as 30",
}
_PARSERS = {"B/s": parse_rate, "B": parse_size, "ns": parse_duration}


def _place(value: Any) -> tuple[str, str]:
    kind, slash, phase = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (kind and slash and phase):
        raise ValueError("has to be 'KIND/PHASE', for example 'block/seq-read'")
    return kind, phase


def _value(value: Any) -> str | int | float:
    if isinstance(value, str) or type(value) in (int, float):
        known: str | int | float = value
        return known
    raise ValueError(f"has to be text with a unit, or a whole number, not {shown(value)}")


def _range(value: Any) -> tuple[float, float]:
    ends = value if isinstance(value, list | tuple) else [value, value]
    if len(ends) != 2 or any(type(end) not in (int, float) for end in ends):
        raise ValueError(f"has to be a number or [lowest, highest], not {shown(value)}")
    try:
        low, high = float(ends[0]), float(ends[1])
    except OverflowError:
        raise ValueError("a number is too large") from None
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError("has to be a number or [lowest, highest], both finite and in order")
    return low, high


KindName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
PhaseName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}\*?$")]
Place = Annotated[
    tuple[KindName, PhaseName],
    BeforeValidator(_place),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[a-z0-9][a-z0-9_-]{0,47}/[a-z0-9][a-z0-9-]{0,47}\*?$"}
    ),
]
Places = Annotated[tuple[Place, ...], Field(max_length=MOST_ENTRIES)]
Value = Annotated[
    str | int | float,
    PlainValidator(_value),
    WithJsonSchema({"type": ["string", "number"]}),
]
Range = Annotated[
    tuple[float, float],
    PlainValidator(_range),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "number"},
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]


def in_base_unit(value: str | float, unit: str) -> int | float:
    """``value`` of a claim in ``unit``: integers for bytes, times and operations.

    ValueError says how a value in that unit is written.
    """
    expected = f"a value in {unit} has to be {_EXAMPLES[unit]}, not {shown(value)}"
    known: int | float
    if isinstance(value, str):
        if unit == "share" and value.strip().endswith("%"):
            known = _percent(value, expected)
        elif unit in _PARSERS:
            known = _PARSERS[unit](value)
        else:
            raise ValueError(expected)
    elif unit in _PARSERS or (unit == "op/s" and not isinstance(value, int)):
        raise ValueError(expected)
    else:
        known = value
    if unit == "share" and not 0 <= known <= 1:
        raise ValueError(expected)
    if known > _LARGEST:
        raise ValueError(f"{shown(value)} is too large for a claimed value")
    if not known >= 0 or (known == 0 and unit not in ("share", "B")):
        raise ValueError("a claimed value has to be above 0")
    return known


def _percent(value: str, expected: str) -> float:
    try:
        return float(value.strip().removesuffix("%")) / 100
    except ValueError:
        raise ValueError(expected) from None
