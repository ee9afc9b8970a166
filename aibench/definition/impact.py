"""Inputs of a projection: a TOML file, or options that say the same, each a number or a range."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from aibench.cluster.inputs import FAILURES, Input
from aibench.cluster.ranges import Range, exactly
from aibench.definition.fields import Line
from aibench.definition.source import Strict, parse, read_toml
from aibench.units import parse_duration, parse_rate, parse_size

#: What is given in a file or an option, and how it is called there.
_TIMES, _NANOSECONDS = 3, 1e9


def _range(parse_one: Any) -> BeforeValidator:
    def convert(value: Any) -> Range:
        if not isinstance(value, list | tuple):
            return exactly(parse_one(value))
        if len(value) != _TIMES:
            raise ValueError("a range has three values: [low, typical, high]")
        low, typical, high = (parse_one(part) for part in value)
        if not low <= typical <= high:
            raise ValueError("a range has to go up: [low, typical, high]")
        return Range(low=low, typical=typical, high=high)

    return BeforeValidator(convert)


def _quantity(parser: Any, example: str, factor: float, smallest: float) -> Any:
    def parse_one(value: Any) -> float:
        if not isinstance(value, str):
            raise ValueError(f"needs a unit: write it as text, for example {example!r}")
        found = parser(value) / factor
        if found < smallest:
            raise ValueError("has to be above 0")
        return float(found)

    return parse_one


def _number(low: float, high: float, *, open_end: bool = True) -> Any:
    """A parser of numbers from ``low`` (that excluded where ``open_end``) to ``high``."""

    def parse_one(value: Any) -> float:
        try:
            if isinstance(value, bool):
                raise ValueError
            found = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError("has to be a number") from None
        if not (low < found if open_end else low <= found) or not found <= high:
            begin = "above" if open_end else "from"
            raise ValueError(f"has to be {begin} {low:g} and at most {high:g}")
        return found

    return parse_one


def _rate_of_failures(value: Any) -> float:
    if isinstance(value, str) and value in FAILURES:
        return FAILURES[value].range.typical
    try:
        return float(_number(0, 1e3)(value))
    except ValueError as error:
        raise ValueError(f"{error}, or one of {', '.join(FAILURES)}") from None


Time = Annotated[Range, _range(_quantity(parse_duration, "15min", _NANOSECONDS, 0))]
Duration = Annotated[Range, _range(_quantity(parse_duration, "15min", _NANOSECONDS, 1e-9))]
Rate = Annotated[Range, _range(_quantity(parse_rate, "20GB/s", 1, 1))]
Size = Annotated[Range, _range(_quantity(parse_size, "14TB", 1, 1))]
Share = Annotated[Range, _range(_number(0, 1))]
Count = Annotated[Range, _range(_number(1, 1e7, open_end=False))]
Factor = Annotated[Range, _range(_number(0, 1e6))]
Failures = Annotated[Range, _range(_rate_of_failures)]


class _Cluster(Strict):
    nodes: Count | None = None
    failures_per_node_day: Failures | None = None
    mtbf: Duration | None = None
    fixed_restart: Time | None = None
    fan_out: Annotated[Range, _range(_number(0, 1e7))] | None = None
    step_utilisation: Share | None = None
    scheduling: Share | None = None
    useful_time: Duration | None = None

    @model_validator(mode="after")
    def _fails_in_one_way(self) -> "_Cluster":
        if self.mtbf is not None and self.failures_per_node_day is not None:
            raise ValueError("give mtbf, or nodes and failures_per_node_day, not both")
        return self


class _Checkpoint(Strict):
    parameters: Annotated[Range, _range(_number(1, 1e18, open_end=False))] | None = None
    bytes_per_parameter: Annotated[Range, _range(_number(0, 1e3))] | None = None
    model: Line | None = None
    bytes: Size | None = None

    @model_validator(mode="after")
    def _has_one_size(self) -> "_Checkpoint":
        given = [name for name in ("parameters", "model", "bytes") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"give one of {' and '.join(given)}")
        return self


class _Storage(Strict):
    write: Rate | None = None
    read: Rate | None = None
    load: Time | None = None
    utilisation: Share | None = None
    snapshot: Time | None = None
    interval: Duration | None = None
    extra_restart: Time | None = None


class _Candidate(_Storage):
    faster: Factor | None = None
    load_faster: Factor | None = None

    @model_validator(mode="after")
    def _is_told_once(self) -> "_Candidate":
        if self.faster is not None and (self.write or self.read):
            raise ValueError("faster says how fast it is: leave write and read out")
        if self.load_faster is not None and self.load is not None:
            raise ValueError("give load or load_faster, not both")
        return self


class ImpactSchema(Strict):
    """The keys of an impact file; each value may be a range: [low, typical, high]."""

    cluster: _Cluster = Field(default_factory=_Cluster)
    checkpoint: _Checkpoint = Field(default_factory=_Checkpoint)
    baseline: _Storage = Field(default_factory=_Storage)
    candidate: _Candidate = Field(default_factory=_Candidate)


def read_impact(path: Path) -> tuple[dict[str, Any], str]:
    """The tables of the file ``path``, not checked yet, and its text."""
    return read_toml(path)


def impact_inputs(
    data: Mapping[str, Any], where: str, text: str, sizes: Mapping[str, int]
) -> dict[str, Input]:
    """The inputs that the tables ``data`` give. `DefinitionError` lists every mistake.

    ``where`` names their source; ``sizes`` are bytes of the checkpoints of known models.
    """
    found = parse(ImpactSchema, data, where, text)
    given: dict[str, Range] = {
        **_given(found.cluster),
        **{f"baseline_{key}": value for key, value in _given(found.baseline).items()},
        **{
            key if key in ("faster", "load_faster") else f"candidate_{key}": value
            for key, value in _given(found.candidate).items()
        },
    }
    sources = dict.fromkeys(given, f"given in {where}")
    size = _given(found.checkpoint)
    size.pop("model", None)
    for key, value in size.items():
        name = "checkpoint_bytes" if key == "bytes" else key
        given[name], sources[name] = value, f"given in {where}"
    if found.checkpoint.model is not None:
        given["checkpoint_bytes"] = exactly(_size_of(found.checkpoint.model, sizes, where))
        sources["checkpoint_bytes"] = f"preset {found.checkpoint.model}, given in {where}"
    _name_presets(data, sources)
    return {
        name: Input(name=name, range=value, origin="assumed", source=sources[name])
        for name, value in given.items()
    }


def _given(table: Strict) -> dict[str, Any]:
    return {key: getattr(table, key) for key in table.model_fields_set
            if getattr(table, key) is not None}  # fmt: skip


def _size_of(model: str, sizes: Mapping[str, int], where: str) -> int:
    from aibench.errors import DefinitionError

    if model not in sizes:
        known = ", ".join(sizes)
        raise DefinitionError([f"{where}: checkpoint.model: no model {model!r}; known: {known}"])
    return sizes[model]


def _name_presets(data: Mapping[str, Any], sources: dict[str, str]) -> None:
    rate = (data.get("cluster") or {}).get("failures_per_node_day")
    if isinstance(rate, str) and rate in FAILURES:
        sources["failures_per_node_day"] = FAILURES[rate].source
