"""Sweeps: a workload at several levels of one or two of its settings, as phases of one stage.

Each level is the workload with that setting. What no level changes is not measured at all, and
what only one of two settings changes is measured over that one. Data that levels have in common is
made once; data that differs lies in a directory of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import product
from typing import Any, get_origin

from aibench.definition.workloads import WorkloadFile
from aibench.errors import DefinitionError
from aibench.generators.axes import HOSTS, Axis, Levels
from aibench.generators.kind import Kind, Request
from aibench.generators.settings import settings
from aibench.model import READS, WRITES, CachePolicy, Level, Operation, Phase, Population

_MAKERS = WRITES | {Operation.CREATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A workload as it is set but for a sweep."""

    file: WorkloadFile
    kind: Kind
    chosen: Mapping[str, Any]
    scale: float
    overrides: Mapping[str, Mapping[str, Any]]

    def settings(self, levels: Levels = ()) -> Any:
        """The kind's settings at ``levels``. `DefinitionError` names them."""
        name = self.file.workload.name
        given = {level.name: self._given(level) for level in levels if level.name != HOSTS}
        own = {**self.overrides.get(name, {}), **given}
        overrides = {**self.overrides, name: own}
        try:
            found = settings(self.file, self.kind, self.chosen, self.scale, overrides)
        except DefinitionError as error:
            place = f"--sweep {_told(levels)} ({name})" if levels else f"--set ({name})"
            mistakes = (m.replace(f"--set ({name})", place, 1) for m in error.mistakes)
            raise DefinitionError(list(mistakes)) from error
        for level in levels:
            self._check(level, getattr(found, level.name, None))
        return found

    def _given(self, level: Level) -> Any:
        """The level as a definition file would have it; of a list it is the only one."""
        value = f"{level.value}B" if level.unit else level.value
        listed = get_origin(self.kind.settings.model_fields[level.name].annotation) is tuple
        return [value] if listed else value

    def _check(self, level: Level, found: Any) -> None:
        name = self.file.workload.name
        if level.name == HOSTS:
            return
        if level.name in self.kind.scaled and self.scale != 1.0:
            raise DefinitionError(
                [f"--sweep {level} ({name}): --scale multiplies {level.name} too; use one of them"]
            )
        if isinstance(found, bool) or found not in (level.value, (level.value,)):
            raise DefinitionError(
                [f"--sweep {level} ({name}): {level.name} is no whole number and no size"]
            )


def phases(question: Question, asked: Sequence[Axis], request: Request) -> tuple[Phase, ...]:
    """The phases of all levels, preparing ones first, then level by level.

    `DefinitionError` lists the mistakes of all levels, each with its name.
    """
    made: dict[Levels, tuple[Phase, ...]] = {}
    mistakes: list[str] = []
    for levels in product(*(axis.levels for axis in asked)):
        try:
            made[levels] = _at(question, levels, request)
        except DefinitionError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DefinitionError(list(dict.fromkeys(mistakes)))
    apart = _apart(made)
    measured = tuple(_measured(apart))
    if not measured:
        names = " and ".join(axis.name for axis in asked)
        raise DefinitionError(
            [f"--sweep: {names} changes nothing that {question.file.workload.name} measures"]
        )
    return (*_prepared(apart), *measured)


def _at(question: Question, levels: Levels, request: Request) -> tuple[Phase, ...]:
    """The workload's own phases at ``levels``."""
    file = question.file
    hosts = next((level.value for level in levels if level.name == HOSTS), 0)
    if hosts:
        request = replace(request, fleet=request.fleet[:hosts])
    try:
        found = question.kind.phases(question.settings(levels), request)
    except ValueError as error:
        raise DefinitionError([f"{file.path}: at {_told(levels)}: {error}"]) from error
    if any(phase.accelerators and phase.accelerators.searched for phase in found):
        message = (
            f"--sweep ({file.workload.name}): it searches the number of accelerators by itself; "
            "leave out the sweep, or set search=0 and sweep accelerators=1,2,4"
        )
        raise DefinitionError([message])
    return tuple(replace(p, hosts=hosts) if p.measured else p for p in found)


def _told(levels: Sequence[Level]) -> str:
    return ",".join(map(str, levels))


def _apart(made: Mapping[Levels, tuple[Phase, ...]]) -> dict[Levels, tuple[Phase, ...]]:
    """``made`` with different data that would lie in one directory apart."""
    known: dict[str, set[str]] = {}
    for population in (p for each in made.values() for phase in each for p in _populations(phase)):
        if population.persistent:
            known.setdefault(population.directory, set()).add(population.digest)
    shared = {directory for directory, digests in known.items() if len(digests) > 1}
    return {levels: tuple(_moved(phase, shared) for phase in each) for levels, each in made.items()}


def _populations(part: Any) -> Iterator[Population]:
    if isinstance(part, Population):
        yield part
    elif is_dataclass(part):
        for field in fields(part):
            yield from _populations(getattr(part, field.name))


def _moved(part: Any, shared: set[str]) -> Any:
    """``part`` with the populations in ``shared`` directories in one for each."""
    if isinstance(part, Population):
        if part.directory not in shared:
            return part
        return replace(part, directory=f"{part.directory}-{part.digest[:12]}")
    if not is_dataclass(part):
        return part
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    changed = {name: _moved(value, shared) for name, value in values.items()}
    if changed == values:
        return part
    assert not isinstance(part, type)
    return replace(part, **changed)


def _prepared(made: Mapping[Levels, tuple[Phase, ...]]) -> Iterator[Phase]:
    """What prepares each data set, once: by as many as do it at any level."""
    found: dict[str, Phase] = {}
    for phase in (phase for each in made.values() for phase in each if not phase.measured):
        known = found.setdefault(phase.population.directory, phase)
        if phase.slots > known.slots:
            found[phase.population.directory] = phase
    names: dict[str, int] = {}
    for phase in found.values():
        number = names[phase.name] = names.get(phase.name, 0) + 1
        yield phase if number == 1 else replace(phase, name=f"{phase.name}-{number}")


def _measured(made: Mapping[Levels, tuple[Phase, ...]]) -> Iterator[Phase]:
    """The phases of each level that it changes, with the levels that change them."""
    names = dict.fromkeys(p.name for each in made.values() for p in each if p.measured)
    counted = {name: _that_matter(made, name) for name in names}
    firsts = next(iter(made))
    for levels, each in made.items():
        for phase in each:
            if not phase.measured or not any(counted[phase.name]):
                continue
            pairs = list(zip(levels, firsts, counted[phase.name], strict=True))
            if all(matters or level == first for level, first, matters in pairs):
                yield _named(phase, tuple(level for level, _, matters in pairs if matters))


def _named(phase: Phase, levels: Levels) -> Phase:
    """``phase`` with its levels in its name, but for one that it has there by itself."""
    told = [level for level in levels if phase.name != f"{level.name}-{level.value}"]
    name = f"{phase.name}@{_told(told)}" if told else phase.name
    return replace(phase, name=name, levels=levels)


def _that_matter(made: Mapping[Levels, tuple[Phase, ...]], name: str) -> tuple[bool, ...]:
    """For each axis whether it changes the phase ``name``, or what that one depends on."""
    found = {levels: p for levels, each in made.items() for p in each if p.name == name}
    axes_ = range(len(next(iter(made))))
    if len(found) < len(made) or not all(_is_alone(p, made[at]) for at, p in found.items()):
        return tuple(True for _ in axes_)
    firsts = next(iter(made))
    return tuple(
        any(p != found[(*at[:n], firsts[n], *at[n + 1 :])] for at, p in found.items())
        for n in axes_
    )


def _is_alone(phase: Phase, level: Sequence[Phase]) -> bool:
    """Whether no phase of the level finds what another one left: files, or a cache."""
    directory = phase.population.directory
    beside = (p for p in level if p.measured and p.population.directory == directory)
    return not any(
        (not p.population.persistent and p.operation not in _MAKERS)
        or (p.cache is CachePolicy.AS_FOUND and p.operation in READS)
        for p in beside
    )
