"""``aibench run --resume``: what of a record stands, and when what is missing may be measured here.

Samples of two sessions lie in one record only where they could have come from one: the same plan,
filesystem, client, aibench and engines. Everything else is refused, with what differs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from click.core import ParameterSource

from aibench import __version__
from aibench.capacity import next_level, searched
from aibench.engine import Engine
from aibench.errors import RecordError, Refused
from aibench.generators.common import MOST_FILES
from aibench.model import (
    WRITES,
    Environment,
    Finding,
    Operation,
    Phase,
    Plan,
    Population,
    RunRecord,
    Sample,
    Stage,
    Target,
)
from aibench.units import format_duration

#: What the record decides, by the name of the option's value.
_DECIDED = ("workloads", "suite", "engine", "repeats", "cache", "scale", "settings", "rates",
            "sweeps", "seed", "label", "system")  # fmt: skip
#: Operations that make the scratch files they work on; the others need those of a phase before.
_MAKERS = WRITES | {Operation.CREATE}
#: Mount options that another mounting of the same filesystem may change.
_PASSING = ("clientaddr=", "mountport=", "fd=", "pgrp=", "pipe_ino=")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.ASCII)
#: What a sweep adds to the names of its phases.
_LEVELS = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}(@[A-Za-z0-9_=,]{1,99})?", re.ASCII)
_DIRECTORY = re.compile(r"(data|scratch)/[a-z0-9][a-z0-9-]{0,99}", re.ASCII)
#: The largest numbers that settings let through; processes are those of each rank.
_MOST = {"processes": 1024, "threads": 256, "depth": 4096, "batch": 4096}
_MOST_REPEATS = 1000

#: Workload, phase and repeat of a sample.
Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A record that a run goes on from: ``kept`` are the samples that stand."""

    record: RunRecord
    kept: tuple[Sample, ...]

    @property
    def done(self) -> frozenset[Place]:
        """What need not be measured again."""
        return frozenset(map(_place, self.kept))

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do: every sample stands, and the run ended well."""
        ended_well = self.record.complete and not self.record.reasons
        return ended_well and self.done >= frozenset(_planned(self.record.plan, self.kept))

    def finding(self) -> Finding:
        """What a reader has to know: how much comes from where, and how long before."""
        planned = len({*_planned(self.record.plan, self.kept), *self.done})
        again = len(self.record.samples) - len(self.kept)
        message = (
            f"goes on from {self.record.run_id}: {len(self.kept)} of {planned} samples were "
            f"measured there{_before(self.kept)}"
        )
        if again:
            message += f"; {again} more are there that failed or stand alone, and are done again"
        return Finding(code="resumed", message=message)


def resumed(record: RunRecord) -> Resumed:
    """What of ``record`` stands. `RecordError` where aibench could not have made its plan.

    A sample stands when it counts. Phases that need the scratch files of one before them stand
    only together: what was interrupted among them is done again from where the files are made.
    """
    _refuse_strange(record)
    good = {_place(sample): sample for sample in record.samples if not sample.reasons}
    kept: list[Sample] = []
    for stage in record.plan.stages:
        for repeat in range(stage.repeats):
            for chain in _chains(stage):
                places = [(stage.workload, phase.name, repeat) for phase in chain]
                if stage.refusal is None and all(place in good for place in places):
                    kept += [good[place] for place in places]
    return Resumed(record, tuple(kept))


def refuse_decided(context: click.Context) -> None:
    """`Refused` where the command line decides anew what the record has decided."""
    names = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in _DECIDED
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if names:
        raise Refused(
            f"--resume does what is missing of the record's own plan; leave out {', '.join(names)}"
        )


def refuse_other(
    record: RunRecord, target: Target, client: Environment, engines: Mapping[str, Engine]
) -> None:
    """`Refused`, with all that differs, unless target, client and tools are those of ``record``."""
    versions = {name: engines[name].version() or "" for name in record.engines}
    differing = [
        *_pairs("aibench", record.aibench_version, __version__),
        *_differing_targets(record.target, target),
        *_pairs("client", record.environment.metadata.get("hostname"),
                client.metadata.get("hostname")),
        *_differing_facts(record.environment.key, client.key),
        *_differing_facts(record.engines, versions),
    ]  # fmt: skip
    if differing:
        raise Refused(
            f"{record.run_id} can't go on here, its samples would not compare: "
            f"{'; '.join(differing)}. Begin a new run"
        )


def _differing_targets(there: Target, here: Target) -> Iterator[str]:
    for name in ("path", "mount_point", "fstype", "source"):
        yield from _pairs(name.replace("_", " "), getattr(there, name), getattr(here, name))
    then, now = (_lasting(target.options) for target in (there, here))
    gone, new = (",".join(sorted(each)) for each in (then - now, now - then))
    yield from _pairs("mount options", gone, new)


def _lasting(options: tuple[str, ...]) -> frozenset[str]:
    return frozenset(option for option in options if not option.startswith(_PASSING))


def _differing_facts(there: Mapping[str, object], here: Mapping[str, object]) -> Iterator[str]:
    for name in sorted({*there, *here}):
        yield from _pairs(name, there.get(name), here.get(name))


def _pairs(name: str, there: object, here: object) -> Iterator[str]:
    if there != here:
        told = ["none" if value in (None, "") else str(value) for value in (there, here)]
        yield f"{name} was {told[0]} and is {told[1]}"


def _place(sample: Sample) -> Place:
    return sample.workload, sample.phase, sample.repeat


def _planned(plan: Plan, kept: tuple[Sample, ...]) -> Iterator[Place]:
    """Every sample that a plan asks for; of a search the level that is next after ``kept``."""
    for stage in plan.stages:
        if stage.refusal is not None:
            continue
        phases = stage.measured
        if searched(stage):
            level = next_level(stage, kept)
            phases = () if level is None else (level,)
        for repeat in range(stage.repeats):
            yield from ((stage.workload, phase.name, repeat) for phase in phases)


def _chains(stage: Stage) -> list[list[Phase]]:
    """The measured phases, those together that pass scratch files on to each other."""
    chains: list[list[Phase]] = []
    latest: dict[str, list[Phase]] = {}
    for phase in stage.measured:
        population = phase.population
        alone = population.persistent or phase.operation in _MAKERS
        if alone or population.directory not in latest:
            latest[population.directory] = []
            chains.append(latest[population.directory])
        latest[population.directory].append(phase)
    return chains


def _before(kept: tuple[Sample, ...]) -> str:
    try:
        last = max(datetime.fromisoformat(sample.started_at) for sample in kept)
        gap = datetime.now(UTC) - last
    except (ValueError, TypeError):  # no sample at all, or no time in one
        return ""
    return f", the last one {format_duration(max(gap.total_seconds(), 0) * 1e9)} before"


def _refuse_strange(record: RunRecord) -> None:
    """A record may come from anywhere, and its plan says where to write and how much."""
    ranks = record.launch.ranks if record.launch else 1
    names = [stage.workload for stage in record.plan.stages]
    if len(set(names)) < len(names):
        raise _strange(record, "list of workloads")
    for stage in record.plan.stages:
        if not _NAME.fullmatch(stage.workload) or not 1 <= stage.repeats <= _MOST_REPEATS:
            raise _strange(record, f"workload {stage.workload!r}")
        others = (other for p in stage.phases for other in (p.saving, p.evaluation) if other)
        for phase in (*stage.phases, *others):
            counts = {name: getattr(phase, name) for name in _MOST}
            counts["processes"] = -(-phase.processes // ranks)
            most = all(counts[name] <= limit for name, limit in _MOST.items())
            if not _LEVELS.fullmatch(phase.name) or not most or not _is_ours(phase.population):
                raise _strange(record, f"phase {phase.name!r} of {stage.workload}")
        if len({phase.name for phase in stage.phases}) < len(stage.phases) or not stage.measured:
            raise _strange(record, f"phases of {stage.workload}")


def _is_ours(population: Population) -> bool:
    """Whether clean would remove what is written there, and so many files have names."""
    found = _DIRECTORY.fullmatch(population.directory)
    stays = found is not None and found[1] == "data"
    return found is not None and stays is population.persistent and population.files <= MOST_FILES


def _strange(record: RunRecord, what: str) -> RecordError:
    return RecordError(f"{record.run_id} can't go on: the {what} is not one that aibench plans")
