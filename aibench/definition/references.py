"""Reference files: public figures and sizing guidelines, every mistake at once with its line."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, PlainValidator, StringConstraints, model_validator

from aibench.definition import library
from aibench.definition.fields import MOST_ENTRIES, Count, Line, Rate, Text
from aibench.definition.source import Strict, line_of, parse, printable, read_toml, shown
from aibench.errors import DefinitionError
from aibench.model.reference import Confidence, Reference, ReferenceClass, Tier
from aibench.units import parse_duration, parse_rate, parse_size

Schema = TypeVar("Schema", bound=Strict)

_MOST_ROWS = 200
_PARSERS = {"B/s": parse_rate, "B": parse_size, "ns": parse_duration}
_EXAMPLES = {"B/s": "20GB/s", "B": "114660B", "ns": "1800s"}
_KINDS = {
    "benchmark": ReferenceClass.VERIFIED_BENCHMARK,
    "datasheet": ReferenceClass.VENDOR_DATASHEET,
    "paper": ReferenceClass.PAPER,
    "guideline": ReferenceClass.GUIDELINE,
    "rule": ReferenceClass.RULE_OF_THUMB,
}
#: What stands with every figure of a trademark whose owner has rules for comparing it.
_TRADEMARKS = {
    "MLPerf": "MLPerf is a trademark of MLCommons; a published result, cited as context. Its rules "
    "are not those of aibench: no figure of aibench is ranked against it.",
}


def _figure(value: Any) -> str | float:
    if isinstance(value, str) or type(value) in (int, float):
        return value  # type: ignore[no-any-return]
    raise ValueError(f"has to be text with a unit, or a number, not {shown(value)}")


Figure = Annotated[str | int | float, PlainValidator(_figure)]
ReferenceId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{0,47}$")]
Unit = Literal[
    "B/s", "B", "ns", "op/s", "sample/s", "token/s", "failure/node-day", "PFLOP/s-day",
    "share", "1",
]  # fmt: skip
Metric = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,47}$")]
Year = Annotated[int, Field(ge=1950, le=2100, strict=True)]
Claims = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,32}$")], ...],
    Field(max_length=MOST_ENTRIES),
]


class ReferenceSchema(Strict):
    """One ``[[references]]`` table; keys of ``[common]`` stand for those that it leaves out."""

    id: ReferenceId
    kind: Literal["benchmark", "datasheet", "paper", "guideline", "rule"]
    system: Line
    what: Line
    quantity: Metric
    unit: Unit
    value: Figure | None = None
    up_to: Figure | None = None
    scope: Line
    units: Count = 1
    source: Line
    year: Year | None = None
    confidence: Confidence
    note: Text
    trademark: Literal["MLPerf"] | None = None
    claims: Claims = ()

    @model_validator(mode="after")
    def _in_units(self) -> "ReferenceSchema":
        low, high = _in_base(self.value, self.unit), _in_base(self.up_to, self.unit)
        if high is not None and (low is None or high <= low):
            raise ValueError("up_to has to be above value")
        return self

    def reference(self, origin: str) -> Reference:
        """The noun; ``origin`` names the file that it was read from."""
        simple = self.model_dump(exclude={"kind", "value", "up_to", "trademark", "note"})
        note = self.note if self.trademark is None else f"{self.note} {_TRADEMARKS[self.trademark]}"
        return Reference(
            **simple,
            kind=_KINDS[self.kind],
            value=_in_base(self.value, self.unit),
            up_to=_in_base(self.up_to, self.unit),
            trademark=self.trademark or "",
            note=" ".join(note.split()),
            origin=origin,
        )


class TierSchema(Strict):
    """One ``[[tiers]]`` table: a row of a sizing guideline."""

    id: ReferenceId
    guideline: Line
    tier: Line
    suits: Line
    scope: Line
    nodes: Count
    accelerators: Count
    read: Rate
    write: Rate
    source: Line
    year: Year
    note: Text

    def row(self, origin: str) -> Tier:
        """The noun; ``origin`` names the file that it was read from."""
        return Tier(**self.model_dump(), origin=origin)


_Tables = Annotated[tuple[dict[str, Any], ...], Field(max_length=_MOST_ROWS)]


class _File(Strict):
    common: dict[str, Any] = Field(default_factory=dict)
    references: _Tables = ()
    tiers: _Tables = ()

    @model_validator(mode="after")
    def _holds_something(self) -> "_File":
        if not self.references and not self.tiers:
            raise ValueError("holds neither [[references]] nor [[tiers]]")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Public figures, and the rows of sizing guidelines."""

    figures: tuple[Reference, ...] = ()
    tiers: tuple[Tier, ...] = ()


def _in_base(value: str | float | None, unit: str) -> float | None:
    if value is None:
        return None
    if (parser := _PARSERS.get(unit)) is not None:
        if not isinstance(value, str):
            raise ValueError(
                f"a value in {unit} has to be text with its unit, such as {_EXAMPLES[unit]!r}, "
                f"not {shown(value)}"
            )
        value = parser(value)
    elif isinstance(value, str):
        raise ValueError(f"a value in {unit} has to be a number, not {shown(value)}")
    if not 0 < value < float("inf"):
        raise ValueError(f"a value has to be above 0 and finite, not {shown(value)}")
    return value


def load_references(path: Path) -> References:
    """The figures and tiers of the file ``path``, in its order.

    `DefinitionError` lists every mistake of every table, each with its file, line and key.
    """
    data, text = read_toml(path)
    file = parse(_File, data, str(path), text)
    mistakes = [*_strange(file, path, text)]
    figures = [
        row.reference(path.name)
        for row in _rows(ReferenceSchema, "references", file, (path, text), mistakes)
    ]
    tiers = [row.row(path.name) for row in _rows(TierSchema, "tiers", file, (path, text), mistakes)]
    mistakes += _repeated(file, path, text)
    if mistakes:
        raise DefinitionError(mistakes)
    return References(figures=tuple(figures), tiers=tuple(tiers))


@cache
def shipped_references() -> References:
    """All public figures and tiers that come with aibench, by file."""
    loaded = [load_references(path) for path in library.files("references")]
    return References(
        figures=tuple(figure for each in loaded for figure in each.figures),
        tiers=tuple(tier for each in loaded for tier in each.tiers),
    )


def _rows(
    schema: type[Schema], key: str, file: _File, place: tuple[Path, str], mistakes: list[str]
) -> Iterator[Schema]:
    path, text = place
    known = {k: v for k, v in file.common.items() if k in schema.model_fields}
    for number, table in enumerate(getattr(file, key)):
        try:
            yield parse(schema, known | table, str(path), text, (key, str(number)))
        except DefinitionError as error:
            mistakes += error.mistakes


def _strange(file: _File, path: Path, text: str) -> Iterator[str]:
    known = sorted(ReferenceSchema.model_fields.keys() | TierSchema.model_fields.keys())
    for key in file.common:
        if key not in known:
            place = printable(f"{path}:{line_of(text, ('common', key))}")
            yield f"{place}: common.{shown(key)}: unknown key; known: {', '.join(known)}"


def _repeated(file: _File, path: Path, text: str) -> Sequence[str]:
    found, seen = [], Counter[str]()
    for key in ("references", "tiers"):
        for number, table in enumerate(getattr(file, key)):
            name = str(table.get("id"))
            seen[name] += 1
            if seen[name] == 2:
                line = line_of(text, (key, str(number), "id"))
                place = printable(f"{path}:{line}" if line else str(path))
                found.append(f"{place}: {key}.{number}.id: {shown(name)} stands here twice")
    return found
