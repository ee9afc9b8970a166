"""Claim files: TOML with a table for each claim, every mistake at once with file and line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from aibench.definition.fields import MOST_ENTRIES, Count, Line, Name, Text
from aibench.definition.source import Strict, line_of, parse, printable, read_toml, shown
from aibench.errors import DefinitionError
from aibench.model import Claim, Interpretation
from aibench.units import parse_duration, parse_rate

Texts = Annotated[tuple[Text, ...], Field(max_length=MOST_ENTRIES)]
ClaimId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")]

#: Each phase of each claim is judged on its own, and each mistake is listed.
_MOST_CLAIMS = 200
_RATE_METRICS = {"read_bandwidth": "B/s", "write_bandwidth": "B/s", "iops": "op/s"}
_EXAMPLES = {"B/s": "text, such as '20GB/s'", "op/s": "a whole number", "ns": "text, such as '5s'"}


def _place(value: Any) -> tuple[str, str]:
    kind, slash, phase = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (kind and slash and phase):
        raise ValueError("has to be 'KIND/PHASE', for example 'block/seq-read'")
    return kind, phase


def _value(value: Any) -> str | int:
    if isinstance(value, str) or type(value) is int:
        return value
    raise ValueError(f"has to be text with a unit, or a whole number, not {shown(value)}")


Place = Annotated[tuple[Name, Name], BeforeValidator(_place)]
Value = Annotated[str | int, PlainValidator(_value)]


class InterpretationSchema(Strict):
    """One way to read a claim. ``value`` is text with its unit, or a whole number of op/s."""

    id: Name
    value: Value
    note: Text | None = None


class ClaimSchema(Strict):
    """One ``[[claims]]`` table."""

    id: ClaimId
    title: Line
    vendor: Line
    product: Line
    configuration: Text | None = None
    quote: Text
    source: Line
    date: Line
    metric: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,47}$")]
    direction: Literal[">=", "<="]
    unit_as_printed: Line
    unit: Literal["B/s", "op/s", "ns"]
    scope: Line
    unit_definition: Text | None = None
    interpretations: Annotated[
        tuple[InterpretationSchema, ...], Field(min_length=1, max_length=MOST_ENTRIES)
    ]
    phases: Annotated[tuple[Place, ...], Field(min_length=1, max_length=MOST_ENTRIES)]
    tolerance: Annotated[float, Field(ge=0, lt=1, strict=True, allow_inf_nan=False)] = 0.05
    smallest_n: Annotated[Count, Field(ge=3)] = 3
    stated: Texts = ()
    unstated: Texts = ()
    defects: Texts = ()
    untestable_part: Text | None = None

    @field_validator("unit")
    @classmethod
    def _unit_of_metric(cls, unit: str, info: ValidationInfo) -> str:
        expected = _RATE_METRICS.get(info.data.get("metric", ""), unit)
        if unit != expected:
            raise ValueError(f"has to be {expected!r} for {info.data['metric']}, not {unit!r}")
        return unit

    @field_validator("interpretations")
    @classmethod
    def _readable(
        cls, readings: tuple[InterpretationSchema, ...], info: ValidationInfo
    ) -> tuple[InterpretationSchema, ...]:
        ids = [reading.id for reading in readings]
        if len(set(ids)) < len(ids):
            raise ValueError(f"each needs an id of its own, not {', '.join(ids)}")
        if "unit" in info.data:
            for reading in readings:
                _in_base_unit(reading.value, info.data["unit"])
        return readings

    def claim(self, origin: str) -> Claim:
        """The noun; ``origin`` names the file that it was read from."""
        simple = self.model_dump(exclude={"interpretations"}, exclude_none=True)
        return Claim(
            **simple,
            interpretations=tuple(
                Interpretation(
                    id=reading.id,
                    value=_in_base_unit(reading.value, self.unit),
                    note=reading.note or "",
                )
                for reading in self.interpretations
            ),
            origin=origin,
        )


class ClaimsFile(Strict):
    """A claim file: nothing but ``[[claims]]`` tables."""

    claims: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=_MOST_CLAIMS)]


def _in_base_unit(value: str | int, unit: str) -> int:
    if isinstance(value, str) == (unit == "op/s"):
        raise ValueError(f"a value in {unit} has to be {_EXAMPLES[unit]}, not {shown(value)}")
    if isinstance(value, str):
        value = parse_rate(value) if unit == "B/s" else parse_duration(value)
    if value <= 0:
        raise ValueError("a claimed value has to be above 0")
    return value


def load_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of the file ``path``, in its order.

    `DefinitionError` lists every mistake of every claim, each with its file, line and key.
    """
    data, text = read_toml(path)
    tables = parse(ClaimsFile, data, str(path), text).claims
    claims: list[Claim] = []
    mistakes: list[str] = []
    for number, table in enumerate(tables):
        inside = ("claims", str(number))
        try:
            schema = parse(ClaimSchema, table, str(path), text, inside)
        except DefinitionError as error:
            mistakes += error.mistakes
        else:
            claims.append(schema.claim(path.name))
    mistakes += _repeated(tables, path, text)
    if mistakes:
        raise DefinitionError(mistakes)
    return tuple(claims)


def _repeated(tables: Sequence[dict[str, Any]], path: Path, text: str) -> list[str]:
    seen: dict[Any, int] = {}
    found = []
    for number, table in enumerate(tables):
        name = table.get("id")
        if isinstance(name, str) and name in seen:
            line = line_of(text, ("claims", str(number), "id"))
            place = printable(f"{path}:{line}" if line else str(path))
            found.append(
                f"{place}: claims.{number}.id: {shown(name)} is already claim {seen[name]}"
            )
        seen.setdefault(name if isinstance(name, str) else number, number)
    return found
