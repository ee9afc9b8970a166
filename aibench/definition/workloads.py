"""Workload files: the outer shape of the TOML. A kind's own settings are parsed by its schema."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from aibench.definition import library
from aibench.definition.fields import MOST_ENTRIES, Line, Name, Text
from aibench.definition.source import Strict, line_of, parse, printable, read_toml
from aibench.errors import DefinitionError, Refused
from aibench.model import Workload

Repeats = Annotated[int, Field(ge=1, le=1000, strict=True)]


_Levels = Annotated[tuple[int | str, ...], Field(max_length=1000)]


class _File(Strict):
    name: Name
    title: Line
    imitates: Annotated[Text, Field(min_length=20)]
    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    suites: Annotated[tuple[Name, ...], Field(max_length=MOST_ENTRIES)] = ()
    repeats: Repeats = 6
    params: dict[str, Any] = Field(default_factory=dict)
    suite: dict[Name, dict[str, Any]] = Field(default_factory=dict, max_length=MOST_ENTRIES)
    sweep: dict[str, _Levels] = Field(default_factory=dict, max_length=MOST_ENTRIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadFile:
    """A workload and where it was read from; ``suite`` overrides settings by suite.

    ``sweep`` are levels of settings, measured where the command line asks for no others.

    ``text`` and ``path`` let later mistakes name their line.
    """

    workload: Workload
    path: str
    text: str
    suite: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sweep: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)


def load_workload(path: Path, shown: str | None = None) -> WorkloadFile:
    """The workload that the file ``path`` defines. `DefinitionError` lists all its mistakes."""
    data, text = read_toml(path)
    where = printable(shown or str(path))
    file = parse(_File, data, where, text)
    strange = [name for name in file.suite if name not in file.suites]
    if strange:
        listed = ", ".join(file.suites) or "none"
        raise DefinitionError(
            [
                f"{where}:{line_of(text, ('suite', name))}: suite.{name}: is not among the suites "
                f"of this workload; listed: {listed}"
                for name in strange
            ]
        )
    workload = Workload(
        name=file.name,
        title=file.title,
        imitates=" ".join(file.imitates.split()),
        kind=file.kind,
        suites=file.suites,
        repeats=file.repeats,
        params=file.params,
    )
    return WorkloadFile(
        workload=workload, path=where, text=text, suite=file.suite, sweep=file.sweep
    )


@cache
def shipped_workloads() -> tuple[WorkloadFile, ...]:
    """All workloads that come with aibench, by name."""
    return tuple(load_workload(p, f"workloads/{p.name}") for p in library.files("workloads"))


def find_workload(name: str) -> WorkloadFile:
    """A shipped workload by its name, or any by the path of its file (``.toml``)."""
    if name.endswith(".toml") or "/" in name:
        return load_workload(Path(name))
    known = {file.workload.name: file for file in shipped_workloads()}
    if name not in known:
        raise Refused(
            f"no workload {name!r}; shipped: {', '.join(known)}; or give the path of a .toml file"
        )
    return known[name]


def suite_names() -> tuple[str, ...]:
    """The names of all suites that shipped workloads belong to."""
    return tuple(dict.fromkeys(s for file in shipped_workloads() for s in file.workload.suites))


def find_suite(name: str) -> tuple[WorkloadFile, ...]:
    """The shipped workloads of a suite, from loading to names."""
    found = tuple(file for file in shipped_workloads() if name in file.workload.suites)
    if not found:
        raise Refused(f"no suite {name!r}; known: {', '.join(suite_names())}")
    return tuple(sorted(found, key=lambda file: _PLACES.get(file.workload.kind, 99)))


#: The order in which a suite runs and a report reads: what users ask for first.
_PLACES = {
    "load": 0, "train": 1, "checkpoint_save": 2, "checkpoint_load": 3, "ingest": 4,
    "preprocess": 5, "serve": 6, "block": 7, "metadata": 8,
}  # fmt: skip
