"""What one ``[[claims]]`` table of a claim file may hold, and the noun that it becomes.

A plain figure takes few keys: ``kind``, ``testability`` and ``tolerance`` follow from the rest, and
``value`` stands for a single reading. What the source does not state is left out.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from aibench.definition.claimfields import (
    ClaimId,
    Direction,
    MetricName,
    Need,
    OtherId,
    Places,
    Range,
    Texts,
    Unit,
    Untestable,
    Value,
    in_base_unit,
)
from aibench.definition.fields import MOST_ENTRIES, Bytes, Count, Line, Name, Text
from aibench.definition.source import Strict
from aibench.model import (
    Baseline,
    BaselineSource,
    Claim,
    ClaimKind,
    ClusterModel,
    Conditions,
    Interpretation,
    Means,
)

_RATE_METRICS = {"read_bandwidth": "B/s", "write_bandwidth": "B/s", "iops": "op/s"}
_RELATIVE = frozenset({ClaimKind.RATIO, ClaimKind.SCALING})
_KIND_OF_UNIT = {"B/s": ClaimKind.BANDWIDTH, "op/s": ClaimKind.IOPS, "B": ClaimKind.CAPACITY,
                 "share": ClaimKind.UTILISATION}  # fmt: skip
_TESTED = (Means.DIRECT, Means.COMPARISON)
#: What claims that are not measured may leave out, and ratios too.
_LEFT_OUT = {"metric": "", "direction": ">=", "unit": "1", "unit_as_printed": "", "scope": "system"}
#: Bars that allow nothing: a share printed as a bar, and wrong bytes.
_EXACT = frozenset({ClaimKind.UTILISATION, ClaimKind.FUNCTIONAL})
_TOLERANCE = 0.05


class BaselineSchema(Strict):
    """What a ratio is over. Left out: another system's runs, which the source does not name."""

    source: BaselineSource = Field(default=BaselineSource.RECORDS, alias="from")
    named: bool = Field(default=False, strict=True)
    description: Text | None = None
    unit: Unit | None = None
    value: Value | None = None

    @field_validator("value")
    @classmethod
    def _in_unit(cls, value: str | float | None, info: ValidationInfo) -> str | float | None:
        unit = info.data.get("unit")
        if value is not None and unit is None:
            raise ValueError("needs 'unit' beside it: that of the metric")
        if value is not None and in_base_unit(value, str(unit)) == 0:
            raise ValueError("nothing is a multiple of 0")
        return value


class ConditionsSchema(Strict):
    """The I/O that the source states. Leave out what it does not."""

    pattern: Line | None = None
    op: Line | None = None
    block: Bytes | None = None
    mix: Line | None = None
    sync: Line | None = None


class ModelSchema(Strict):
    """The model that a claim on a cluster is held against, with what it takes for granted."""

    name: MetricName
    inputs: Texts = ()
    assumed: dict[MetricName, Range] = Field(default_factory=dict, max_length=MOST_ENTRIES)


class InterpretationSchema(Strict):
    """One way to read a claim. ``value`` is text with its unit, or a number where it has none.

    ``metric``, ``direction``, ``unit`` and ``phases`` replace what the claim says.
    """

    id: Name
    value: Value | None = None
    note: Text | None = None
    metric: MetricName | None = None
    direction: Direction | None = None
    unit: Unit | None = None
    phases: Places = ()


class ClaimSchema(Strict):
    """One ``[[claims]]`` table."""

    id: ClaimId
    title: Line
    vendor: Line
    product: Line
    configuration: Text | None = None
    version: Line | None = None
    kind: ClaimKind = Field(description="Left out: follows from unit and metric.")
    testability: Means = Field(description="Left out: follows from kind, model and untestable.")
    untestable: Untestable | None = None
    quote: Text
    other_quotes: Texts = ()
    source: Line
    source_kind: Literal["press", "datasheet", "benchmark", "paper", "leak"] = "press"
    url: Line | None = None
    lang: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Za-z]{2,4})?$")] | None = None
    date: Line
    distortion: Literal["none", "overstated", "unit_missing", "inconsistent", "ambiguous"] = "none"
    distortion_note: Text | None = None
    metric: MetricName | None = Field(default=None, validate_default=True)
    direction: Direction | None = Field(default=None, validate_default=True)
    bound: Literal["typical", "max", "min"] = "typical"
    percentile: Annotated[float, Field(gt=0, lt=100, allow_inf_nan=False)] | None = None
    conditions: ConditionsSchema = Field(default_factory=ConditionsSchema)
    value_as_printed: Line | None = None
    unit_as_printed: Line | None = None
    unit: Unit | None = Field(default=None, validate_default=True)
    scope: Line | None = Field(default=None, validate_default=True)
    unit_definition: Text | None = None
    units_in_max_config: Count | None = None
    whole_system: bool = Field(default=False, strict=True)
    value: Value | None = None
    interpretations: Annotated[
        tuple[InterpretationSchema, ...], Field(max_length=MOST_ENTRIES, validate_default=True)
    ] = ()
    baseline: BaselineSchema | None = None
    axis: Literal["units", "clients", "accelerators", "workers"] = "units"
    model: ModelSchema | None = None
    phases: Places = Field(default=(), validate_default=True)
    normalise: Text | None = None
    proxy: Text | None = None
    needs: Annotated[tuple[Need, ...], Field(max_length=MOST_ENTRIES)] = ()
    tolerance: Annotated[float, Field(ge=0, lt=1, strict=True, allow_inf_nan=False)] | None = None
    smallest_n: Annotated[Count, Field(ge=3)] = 3
    stated: Texts = ()
    unstated: Texts = ()
    defects: Texts = ()
    untestable_part: Text | None = None
    related: Annotated[tuple[OtherId, ...], Field(max_length=MOST_ENTRIES)] = ()
    references: Annotated[tuple[OtherId, ...], Field(max_length=MOST_ENTRIES)] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, table: Any) -> Any:
        """``kind`` and ``testability`` where they follow from the rest."""
        if not isinstance(table, Mapping):
            return table
        filled = dict(table)
        filled.setdefault("kind", _kind(table))
        filled.setdefault("testability", _means(filled))
        return filled

    @field_validator("untestable")
    @classmethod
    def _never(cls, code: str | None, info: ValidationInfo) -> str | None:
        never = info.data.get("testability") is Means.NEVER
        if code is not None and not never:
            raise ValueError("only a claim whose testability is 'never' is untestable")
        return code

    @field_validator("metric", "direction", "unit", "phases")
    @classmethod
    def _tested_by(cls, given: Any, info: ValidationInfo) -> Any:
        relative = info.field_name == "unit" and info.data.get("kind") in _RELATIVE
        if not given and not relative and info.data.get("testability") in _TESTED:
            raise ValueError("is missing")
        return given

    @field_validator("scope")
    @classmethod
    def _of_what(cls, scope: str | None, info: ValidationInfo) -> str | None:
        if scope is None and info.data.get("testability") is Means.DIRECT:
            raise ValueError("is missing")
        return scope

    @field_validator("unit")
    @classmethod
    def _unit_of_metric(cls, unit: str | None, info: ValidationInfo) -> str | None:
        metric, kind = info.data.get("metric") or "", info.data.get("kind")
        expected = ("1", "points") if kind in _RELATIVE else (_RATE_METRICS.get(metric, unit),)
        if unit is not None and unit not in expected:
            what = f"a claim of the kind {kind.value}" if kind in _RELATIVE else metric
            wanted = " or ".join(map(repr, expected))
            raise ValueError(f"has to be {wanted} for {what}, not {unit!r}")
        return unit

    @field_validator("interpretations")
    @classmethod
    def _readable(
        cls, readings: tuple[InterpretationSchema, ...], info: ValidationInfo
    ) -> tuple[InterpretationSchema, ...]:
        short = info.data.get("value")
        if readings and short is not None:
            raise ValueError("has to be left out where 'value' is given, and 'value' here")
        if short is not None:
            readings = (InterpretationSchema(id="as-printed", value=short),)
        ids = [reading.id for reading in readings]
        if len(set(ids)) < len(ids):
            raise ValueError(f"each needs an id of its own, not {', '.join(ids)}")
        _check_values(readings, info.data)
        return readings or (InterpretationSchema(id="as-printed"),)

    def claim(self, origin: str) -> Claim:
        """The noun; ``origin`` names the file that it was read from."""
        nested = {"interpretations", "value", "tolerance", "baseline", "conditions", "model"}
        exact = 0.0 if self.kind in _EXACT else _TOLERANCE
        return Claim(
            **_LEFT_OUT | self.model_dump(exclude=nested, exclude_none=True),
            tolerance=exact if self.tolerance is None else self.tolerance,
            baseline=_baseline(self.kind, self.baseline),
            conditions=Conditions(**self.conditions.model_dump(exclude_none=True)),
            model=None if self.model is None else ClusterModel(**self.model.model_dump()),
            interpretations=tuple(_noun(each, self.unit or "1") for each in self.interpretations),
            origin=origin,
        )


def _kind(table: Mapping[str, Any]) -> str:
    """What a claim is by its unit and metric, where the file does not say it."""
    unit, metric = table.get("unit"), table.get("metric")
    if unit == "ns":
        timed = isinstance(metric, str) and "latency" in metric
        return ClaimKind.LATENCY if timed else ClaimKind.DURATION
    known = unit if isinstance(unit, str) else ""
    return _KIND_OF_UNIT.get(known, ClaimKind.FACT if not metric else ClaimKind.QUALITATIVE)


def _means(table: Mapping[str, Any]) -> str:
    if table.get("untestable") is not None:
        return Means.NEVER
    if table.get("model") is not None:
        return Means.MODEL
    relative = table.get("kind") in (ClaimKind.RATIO.value, ClaimKind.SCALING.value)
    return Means.COMPARISON if relative else Means.DIRECT


def _check_values(readings: tuple[InterpretationSchema, ...], told: Mapping[str, Any]) -> None:
    tested = told.get("testability") in _TESTED
    if tested and not readings:
        raise ValueError("is missing: give it, or 'value' where there is one reading only")
    for reading in readings:
        unit = reading.unit or (told["unit"] or "1" if "unit" in told else None)
        if reading.value is not None and unit is not None:
            in_base_unit(reading.value, unit)
        elif tested and reading.value is None:
            raise ValueError(f"reading {reading.id!r} has no value to be tested")


def _baseline(kind: ClaimKind, told: BaselineSchema | None) -> Baseline | None:
    if told is None:
        return Baseline() if kind is ClaimKind.RATIO else None
    value = None if told.value is None else in_base_unit(told.value, str(told.unit))
    return Baseline(source=told.source, named=told.named, description=told.description or "",
                    value=value, unit=told.unit or "")  # fmt: skip


def _noun(reading: InterpretationSchema, unit: str) -> Interpretation:
    told = reading.model_dump(exclude={"value"}, exclude_none=True)
    base = reading.unit or unit
    value = None if reading.value is None else in_base_unit(reading.value, base)
    return Interpretation(value=value, **told)
