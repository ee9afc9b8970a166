"""Does a plan: prepares, calibrates, sets the caches, runs the engine, gathers the evidence.

Yields samples one at a time, and keeps nothing: what a run leaves is for the store.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aibench.engine import Engine, Site
from aibench.engines.null import NullEngine
from aibench.engines.posix import PosixEngine
from aibench.formats.files import granule, path_of, total_bytes
from aibench.formats.mixing import key
from aibench.model import (
    READS,
    CachePolicy,
    Ceiling,
    Evidence,
    Finding,
    Measurement,
    Operation,
    Phase,
    Plan,
    Population,
    Sample,
    Stage,
    Target,
)
from aibench.probes import cache, delivered
from aibench.probes.evidence import classify
from aibench.workers.loops import LOOPS
from aibench.workers.pool import failure
from aibench.workspace import Workspace, dataset
from aibench.workspace.clean import clean_population, clean_scratch

#: How many files are looked at for residency: all of a small set, a random sample of a large one.
LOOKED_AT = 2000
_CALIBRATION_NS = 300_000_000
_HEADROOM = 1.25
_SHORT_NS = 60 * 10**9
#: Below this, who ended last tells about the scheduler of the client, not about the storage.
_TELLING_NS = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens now, for whoever shows progress.

    ``total_operations`` or ``total_ns`` tell how far there is to go; 0 where that is not known.
    """

    workload: str
    phase: str
    repeat: int
    repeats: int
    total_operations: int = 0
    total_bytes: int = 0
    total_ns: int = 0


#: Told of each step as it begins, and then of the operations and bytes done in it.
Listener = Callable[[Step, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Everything a run needs besides its plan."""

    workspace: Workspace
    target: Target
    engines: Mapping[str, Engine]
    host: str
    patience_ns: int
    listen: Listener
    allow_drop: bool = True

    def run(self, plan: Plan) -> Iterator[Sample]:
        """The samples of all stages that are not refused, in order.

        Scratch files are removed however it ends. `errors.RunFailed` when it can't go on.
        """
        with ExitStack() as stack:
            stack.callback(clean_scratch, self.workspace)
            try:
                for stage in plan.stages:
                    if stage.refusal is None:
                        yield from self._stage(stage, plan.seed)
                        clean_scratch(self.workspace)
            except OSError as error:
                raise failure(error) from error

    def _stage(self, stage: Stage, seed: int) -> Iterator[Sample]:
        for phase in stage.prepared:
            self.prepare(stage, phase, seed)
        ceilings = {phase.name: self._ceiling(stage, phase, seed) for phase in stage.measured}
        for repeat in range(stage.repeats):
            for phase in stage.measured:
                yield self._sample(stage, phase, repeat, seed, ceilings[phase.name])

    def prepare(self, stage: Stage, phase: Phase, seed: int) -> None:
        """Complete the data set of a preparing phase; nothing to do where it is complete."""
        population = phase.population
        known = dataset.state(self.workspace, population)
        if known.complete:
            return
        journal = dataset.begin(self.workspace, population, known)
        share = len(known.missing) / max(dataset.granules(population), 1)
        step = Step(
            workload=stage.workload,
            phase=phase.name,
            repeat=0,
            repeats=1,
            total_operations=min(len(known.missing) * granule(population), population.files),
            total_bytes=int(total_bytes(population) * share),
        )
        self.listen(step, 0, 0)
        PosixEngine().generate(
            phase,
            self._site(seed),
            lambda operations, moved: self.listen(step, operations, moved),
            known.missing,
            journal,
        )
        dataset.finish(self.workspace, population)

    def _site(self, seed: int) -> Site:
        return Site(
            root=self.workspace.root,
            target=self.target,
            seed=seed,
            host=self.host,
            patience_ns=self.patience_ns,
        )

    def _ceiling(self, stage: Stage, phase: Phase, seed: int) -> Ceiling | None:
        """What the harness does in this phase with no I/O behind it; None where it can't tell."""
        step = Step(workload=stage.workload, phase=f"{phase.name} (calibration)", repeat=0,
                    repeats=1, total_ns=_CALIBRATION_NS)  # fmt: skip
        self.listen(step, 0, 0)
        if phase.operation in LOOPS:
            bounded = replace(phase, runtime_ns=_CALIBRATION_NS)
            measured = NullEngine().run(bounded, self._site(seed), lambda *_: None)
        else:
            calibrate = getattr(self.engines[stage.engine], "ceiling", None)
            if calibrate is None:
                return None
            measured = calibrate(phase, self._site(seed))
        if measured.operations == 0 or measured.elapsed_ns == 0:
            return None
        return Ceiling(
            operations=measured.operations,
            bytes=measured.bytes,
            elapsed_ns=measured.elapsed_ns,
        )

    def _sample(
        self, stage: Stage, phase: Phase, repeat: int, seed: int, ceiling: Ceiling | None
    ) -> Sample:
        """Set the caches, measure, and gather what the result is worth."""
        engine = self.engines[stage.engine]
        site = self._site(key(seed, repeat))
        self._make_room(phase)
        step = Step(
            workload=stage.workload,
            phase=phase.name,
            repeat=repeat,
            repeats=stage.repeats,
            total_operations=0 if phase.runtime_ns else phase.population.files,
            total_bytes=0 if phase.runtime_ns else total_bytes(phase.population),
            total_ns=phase.runtime_ns,
        )
        self.listen(step, 0, 0)
        watch = _Watch.begin(self, phase, seed, engine, site)
        started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        measured = engine.run(
            phase, site, lambda operations, moved: self.listen(step, operations, moved)
        )
        evidence = watch.end(measured)
        sample = Sample(
            workload=stage.workload,
            phase=phase.name,
            repeat=repeat,
            started_at=started,
            measurement=measured,
            evidence=evidence,
            ceiling=ceiling,
        )
        return replace(sample, warnings=warnings(sample), reasons=reasons(sample))

    def _make_room(self, phase: Phase) -> None:
        """Scratch directories exist and are as the operation needs them."""
        if phase.population.persistent:
            return
        if phase.operation in (Operation.SAVE_SHARDS, Operation.CREATE):
            clean_population(self.workspace, phase.population.directory)
        dataset.make_directories(self.workspace, phase.population)


@dataclass(slots=True)
class _Watch:
    """What the caches and counters said before a phase, to be held against what they say after."""

    runner: Runner
    phase: Phase
    counter: delivered.DeliveryCounter
    residency: cache.Residency | None
    eviction: cache.Eviction | None
    read_before: int | None
    own_before: int | None

    @classmethod
    def begin(cls, runner: Runner, phase: Phase, seed: int, engine: Engine, site: Site) -> "_Watch":
        """Apply the cache policy, and look at what it did."""
        population = phase.population
        reads = phase.operation in READS
        eviction = residency = None
        fd = os.open(runner.workspace.path(population.directory), os.O_RDONLY | os.O_DIRECTORY)
        try:
            if phase.cache is CachePolicy.COLD or (reads and phase.cache is CachePolicy.DIRECT):
                eviction = cache.evict(fd, _names(population), allow_drop=runner.allow_drop)
            else:
                os.sync()
            if phase.cache is CachePolicy.WARM and reads:
                engine.run(phase, site, lambda *_: None)
            if reads:
                looked = cache.sample(population.files, LOOKED_AT, seed)
                names = (path_of(population, index) for index in looked)
                residency = cache.residency(fd, names, population=population.files)
            if eviction is not None and eviction.method == "drop_caches":
                cache.drop_caches()  # looking brought directory entries and attributes back
        finally:
            os.close(fd)
        counter = delivered.counter(runner.target)
        return cls(
            runner, phase, counter, residency, eviction,
            counter.read_bytes() if reads else None,
            delivered.own_read_bytes() if reads else None,
        )  # fmt: skip

    def end(self, measured: Measurement) -> Evidence | None:
        """The evidence of a read phase; None for the others."""
        if self.phase.operation not in READS:
            return None
        after, own = self.counter.read_bytes(), delivered.own_read_bytes()
        known = after is not None and self.read_before is not None
        own_known = own is not None and self.own_before is not None
        return classify(
            policy=self.phase.cache,
            target=self.runner.target,
            asked_bytes=measured.bytes,
            residency=self.residency,
            delivered_bytes=(after or 0) - (self.read_before or 0) if known else None,
            counter=self.counter,
            eviction=self.eviction,
            own_bytes=(own or 0) - (self.own_before or 0) if own_known else None,
        )


def _names(population: Population) -> Iterator[str]:
    return (path_of(population, index) for index in range(population.files))


def warnings(sample: Sample) -> tuple[Finding, ...]:
    """What a reader has to know about a sample: the engine's warnings, and ours."""
    measured = sample.measurement
    found = list(measured.warnings)
    if measured.elapsed_ns < _SHORT_NS:
        found.append(
            Finding(
                code="short_run",
                message="measured for less than 60 s: a cache in the storage and its sustained "
                "rate are not told apart",
            )
        )
    headroom = _headroom(sample)
    if headroom is not None and headroom < _HEADROOM:
        found.append(
            Finding(
                code="client_bound",
                message=f"the harness alone does only {headroom:.2f} times this rate: the "
                "storage may be faster than it could show here",
            )
        )
    slow = _slowest_share(measured)
    if slow is not None and slow > 1.5 and measured.elapsed_ns > _TELLING_NS:
        found.append(
            Finding(
                code="straggler",
                message=f"the last worker ended {slow:.2f} times as late as the first",
            )
        )
    return tuple(found)


def _headroom(sample: Sample) -> float | None:
    ceiling, measured = sample.ceiling, sample.measurement
    if ceiling is None or measured.operations == 0 or measured.elapsed_ns == 0:
        return None
    ours = ceiling.operations / ceiling.elapsed_ns
    return ours / (measured.operations / measured.elapsed_ns)


def _slowest_share(measured: Measurement) -> float | None:
    if measured.first_done_ns <= 0 or len(measured.workers) < 2:
        return None
    return measured.last_done_ns / measured.first_done_ns


def reasons(sample: Sample) -> tuple[Finding, ...]:
    """Why a sample does not count at all."""
    measured = sample.measurement
    if measured.errors:
        return (Finding(code="errors", message=f"{measured.errors} operations failed"),)
    if measured.operations == 0:
        return (Finding(code="nothing_measured", message="no operation ended"),)
    return ()
