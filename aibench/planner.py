"""Turns workloads into a plan, and says what it will cost, before anything touches the disk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aibench.capacity import searched
from aibench.definition.workloads import WorkloadFile
from aibench.engine import Engine
from aibench.errors import DefinitionError, LibraryMissing, Refused
from aibench.formats.files import (
    directory_count,
    file_count,
    largest_size,
    space_bytes,
    total_bytes,
)
from aibench.generators import axes, sweep
from aibench.generators.kind import Request
from aibench.generators.settings import given, kind_of, overrides, unknown
from aibench.model import READS, CachePolicy, Operation, Phase, Plan, Population, Stage, Target
from aibench.soundness import MOST_PHASES
from aibench.units import format_count, format_size
from aibench.workers.loops.feed import evaluations_asked, samples_of, share_asked, steps_asked
from aibench.workers.loops.state import HELD_BYTES

# Assumptions behind the estimated time; for the user's patience only.
_BYTES_PER_S = 400e6
_FILES_PER_S = 4000
_NAMES_PER_S = 20_000
_PHASE_S = 0.6
_CALIBRATION_S = 0.4
#: Free space that is left alone.
_RESERVE = 64 * 2**20
_WORKER_BYTES = 48 * 2**20
#: What a loader of accelerators writes down of its samples, and of the steps it computes.
_LOADER_BYTES = 2**19


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line adds to workload files.

    ``cpus`` are those of a rank, ``fleet`` is how many ranks each host has. ``settings`` holds
    ``key=value`` and ``workload.key=value`` overrides as text. With several
    ``engine`` names, apart by commas, each workload is done by all of them in turns. ``sweeps`` are
    settings with several levels, ``NAME=a,b,c``.
    """

    name: str
    seed: int
    cpus: int
    suite: str | None = None
    engine: str | None = None
    repeats: int | None = None
    cache: CachePolicy | None = None
    scale: float = 1.0
    settings: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    fleet: tuple[int, ...] = (1,)

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that were asked for; none where each kind has its own."""
        return tuple(name.strip() for name in self.engine.split(",")) if self.engine else ()


@dataclass(slots=True)
class _Costs:
    write: int = 0
    read: int = 0
    seconds: float = 0.0
    stay: dict[str, Population] = field(default_factory=dict)
    passing: int = 0
    passing_inodes: int = 0
    memory: int = 0


def make_plan(
    files: Sequence[WorkloadFile], options: Options, engines: Mapping[str, Engine], target: Target
) -> Plan:
    """The plan for ``files``. `DefinitionError` lists the mistakes of all of them."""
    changes = overrides(options.settings, files)
    swept = axes.axes(options.sweeps, options.fleet)
    stages: list[Stage] = []
    mistakes = [*unknown(changes.get("*", {}), files), *axes.unknown(swept, files)]
    for file in files if not mistakes or not swept else ():
        try:
            stage = _stage(file, options, engines, target, changes, swept)
            stages += [stage, *(_beside(stage, options, engines, target) if stage.phases else ())]
        except DefinitionError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DefinitionError(mistakes)
    if (count := sum(1 + len(stage.phases) for stage in stages)) > MOST_PHASES:
        raise Refused(f"the plan has {count} phases; a record holds {MOST_PHASES}: do it in parts")
    costs = _costs(stages)
    return Plan(
        stages=tuple(stages),
        seed=options.seed,
        write_bytes=costs.write,
        read_bytes=costs.read,
        space_bytes=sum(space_bytes(p) for p in costs.stay.values()) + costs.passing,
        inodes=sum(_inodes(p) for p in costs.stay.values()) + costs.passing_inodes,
        memory_bytes=costs.memory,
        estimated_ns=int(costs.seconds * 1e9),
        name=options.name,
    )


def _stage(
    file: WorkloadFile,
    options: Options,
    engines: Mapping[str, Engine],
    target: Target,
    changes: Mapping[str, Mapping[str, Any]],
    swept: Sequence[axes.Axis],
) -> Stage:
    workload = file.workload
    kind = kind_of(file)
    swept = swept or axes.own(file, changes, options.fleet)
    chosen, repeats = given(file, kind, options.suite)
    question = sweep.Question(
        file=file, kind=kind, chosen=chosen, scale=options.scale, overrides=changes
    )
    checked = question.settings()
    request = Request(
        workload=workload.name, seed=options.seed, cpus=options.cpus, cache=options.cache,
        fleet=options.fleet,
    )  # fmt: skip
    missing = None
    try:
        phases = sweep.phases(question, swept, request) if swept else kind.phases(checked, request)
    except LibraryMissing as error:
        phases, missing = (), str(error)
    except ValueError as error:
        raise DefinitionError([f"{file.path}: {error}"]) from error
    stage = Stage(
        workload=workload.name,
        title=workload.title,
        kind=workload.kind,
        imitates=workload.imitates,
        engine=next(iter(options.engines), kind.engine),
        repeats=options.repeats or (kind.repeats(checked) if kind.repeats else repeats),
        phases=phases,
        refusal=missing,
    )
    if missing:
        return stage
    return replace(stage, refusal=_refusal(stage, engines[stage.engine], target, options))


def _beside(
    stage: Stage, options: Options, engines: Mapping[str, Engine], target: Target
) -> Iterator[Stage]:
    """The same by each of the other engines that were asked for."""
    for name in options.engines[1:]:
        other = replace(
            stage, workload=f"{stage.workload}-{name}", engine=name, beside=stage.workload
        )
        yield replace(other, refusal=_refusal(other, engines[name], target, options))


def _refusal(stage: Stage, engine: Engine, target: Target, options: Options) -> str | None:
    if sum(options.fleet) > 1 and getattr(engine, "measures_alone", False):
        return f"engine {engine.name} measures in one process, without a launcher; engine posix can"
    if engine.version() is None:
        measured = stage.measured[0]
        return engine.refusal(measured, target) or f"{engine.name} is not installed"
    for phase in stage.measured:
        if phase.cache is CachePolicy.DIRECT and target.is_memory:
            return f"cache policy direct: {target.fstype} is memory, there is no device to go to"
        if (why := engine.refusal(phase, target)) is not None:
            return why
    return None


def _costs(stages: Sequence[Stage]) -> _Costs:
    costs = _Costs()
    for stage in stages:
        if stage.refusal is not None:
            continue
        scratch: dict[str, Phase] = {}
        for phase in (*stage.prepared, *stage.measured[-searched(stage) :]):
            times = stage.repeats if phase.measured else 1
            _add(costs, phase, times)
            if phase.evaluation:
                unmeasured = replace(phase.evaluation, measured=False)
                _add(costs, unmeasured, times * evaluations_asked(phase))
            if phase.saving:
                _add(costs, phase.saving, times)
                _hold(scratch, phase.saving)
            if phase.population.persistent:
                costs.stay[phase.population.directory] = phase.population
            else:
                _hold(scratch, phase)
            if phase.transform:
                made = phase.transform.output
                _hold(scratch, replace(phase, population=made))
        passing = scratch.values()
        costs.passing = max(costs.passing, sum(map(_at_once, passing)))
        inodes = sum(_inodes(phase.population) for phase in passing)
        costs.passing_inodes = max(costs.passing_inodes, inodes)
    return costs


def _hold(scratch: dict[str, Phase], phase: Phase) -> None:
    """Of what lies in one directory at one time or another, the largest."""
    directory = phase.population.directory
    if directory not in scratch or _at_once(phase) >= _at_once(scratch[directory]):
        scratch[directory] = phase


def _at_once(phase: Phase) -> int:
    """The most space that scratch files take: of checkpoints those that are kept, and one more."""
    space, every = space_bytes(phase.population), phase.checkpoints
    return space * min(phase.keep + 1, every) // every if phase.keep else space


def _inodes(population: Population) -> int:
    return file_count(population) + directory_count(population) + 4


def _add(costs: _Costs, phase: Phase, times: int) -> None:
    """Add what ``phase`` asks of the target and the client, ``times`` over."""
    population = phase.population
    moved = int(total_bytes(population) * share_asked(phase))
    if phase.runtime_ns:
        moved = int(phase.runtime_ns / 1e9 * _BYTES_PER_S)
    seconds = population.files / _FILES_PER_S + moved / _BYTES_PER_S
    if phase.accelerators:
        computing = steps_asked(phase, phase.accelerators) * phase.accelerators.compute_ns / 1e9
        seconds = max(moved / _BYTES_PER_S, computing)
    if phase.transform:
        costs.write += samples_of(phase) * phase.transform.sample_bytes * times
    if phase.serving:
        costs.read += int(moved * phase.serving.hits) * times
        costs.write += int(moved * (1 - phase.serving.hits)) * times
    elif phase.operation in READS:
        costs.read += moved * times
    elif phase.operation in (
        Operation.WRITE_FILES, Operation.SAVE_SHARDS, Operation.WRITE_BLOCKS, Operation.INGEST,
    ):  # fmt: skip
        costs.write += moved * times
    else:
        seconds = population.files / _NAMES_PER_S
    if phase.runtime_ns:
        seconds = phase.runtime_ns / 1e9
    costs.seconds += times * (seconds + _PHASE_S) + (_CALIBRATION_S if phase.measured else 0)
    costs.memory = max(costs.memory, _memory(phase))


def _memory(phase: Phase) -> int:
    """What the workers of ``phase`` hold: the interpreter, and a buffer or a state each."""
    held = min(phase.io_size, largest_size(phase.population))
    if phase.accelerators:
        held += _LOADER_BYTES
    if phase.operation in (Operation.SAVE_SHARDS, Operation.INGEST) and not phase.source:
        state = total_bytes(phase.population) // phase.slots // phase.checkpoints
        largest = max(phase.io_size, *phase.population.tensors, 0)
        held = state * (1 + phase.snapshot) if state <= HELD_BYTES else largest
    if phase.operation in (Operation.READ_BLOCKS, Operation.WRITE_BLOCKS):
        held = phase.io_size * phase.depth
    if phase.serving:
        held = phase.io_size + largest_size(phase.population)
    meanwhile = sum(_memory(other) for other in (phase.saving, phase.evaluation) if other)
    return phase.processes * _WORKER_BYTES + phase.slots * held + meanwhile


def unfit(plan: Plan, target: Target, memory_bytes: int, present: Mapping[str, int]) -> list[str]:
    """Why ``plan`` does not fit the target or the client; nothing when it fits.

    ``present`` tells the bytes that are there already, by the directory of the population.
    """
    there = sum(present.values())
    needed = max(plan.space_bytes - there, 0) + _RESERVE
    problems = []
    if target.free_bytes is not None and needed > target.free_bytes:
        problems.append(
            f"{target.path} has {format_size(target.free_bytes)} free and this needs "
            f"{format_size(needed)}; make room, clean old data with 'aibench clean', or make the "
            f"run smaller with --scale"
        )
    if target.free_inodes is not None and not there and plan.inodes > target.free_inodes:
        problems.append(
            f"{target.path} has {format_count(target.free_inodes)} inodes free and this needs "
            f"{format_count(plan.inodes)}; make room, or use --scale"
        )
    if plan.memory_bytes > memory_bytes * 0.9:
        problems.append(
            f"the workers need {format_size(plan.memory_bytes)} of memory and "
            f"{format_size(memory_bytes)} are available; use fewer workers or ranks (--set), or "
            "--scale"
        )
    return problems
