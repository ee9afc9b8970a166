"""Does a plan: prepares, calibrates, sets the caches, runs the engine, gathers the evidence.

Yields samples one at a time, and keeps nothing: what a run leaves is for the store.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Literal

from aibench.ceilings import Ceilings
from aibench.crew import Calibrate, Found, Generate, Measure, Member, WarmUp, ask
from aibench.engine import Report
from aibench.errors import Interrupted, WorkspaceError
from aibench.formats.files import granule, total_bytes
from aibench.formats.mixing import key
from aibench.insight import limits
from aibench.model import (
    READS,
    CachePolicy,
    Ceiling,
    Environment,
    Launch,
    Operation,
    Phase,
    Plan,
    Sample,
    Stage,
)
from aibench.probes.together import together
from aibench.remarks import reasons, warnings
from aibench.turns import together as at_once
from aibench.turns import turns
from aibench.workers.failure import failure
from aibench.workers.loops.feed import share_asked
from aibench.workspace import Workspace, dataset
from aibench.workspace.clean import clean_population, clean_scratch

#: What these write is not there before they begin.
_ANEW = frozenset({Operation.SAVE_SHARDS, Operation.CREATE, Operation.INGEST, Operation.PREPROCESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens now, for whoever shows progress.

    ``total_operations``, ``total_bytes`` or ``total_ns`` tell how far there is to go; 0 where that
    is not known.
    """

    workload: str
    phase: str
    purpose: Literal["prepare", "calibrate", "warm up", "measure"]
    repeat: int = 0
    repeats: int = 1
    total_operations: int = 0
    total_bytes: int = 0
    total_ns: int = 0


#: Told of each step as it begins, and then of the operations and bytes done in it.
Listener = Callable[[Step, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Everything a run needs besides its plan. ``member`` is rank 0 of those that measure.

    ``launch`` says how the ranks were started, where there are several.
    """

    member: Member
    environment: Environment
    listen: Listener
    launch: Launch | None = None

    @property
    def workspace(self) -> Workspace:
        """The directory that everything lies in."""
        return self.member.workspace

    def run(self, plan: Plan, kept: Sequence[Sample] = ()) -> Generator[Sample, None, None]:
        """The samples of all stages that are not refused, in order.

        Those that are ``kept`` from before are left out; of a stage with nothing left to measure
        nothing is prepared either. What a search measures follows from what it found.

        Scratch files are removed however it ends, also those of a run that was killed before, as
        far as the target still lets itself be written. `errors.RunFailed` when it can't go on.
        """
        try:
            clean_scratch(self.workspace)
            for stages in at_once(plan):
                yield from self._in_turns(stages, plan.seed, kept)
                clean_scratch(self.workspace)
        except OSError as error:
            raise failure(error) from error
        finally:
            self._tidy()

    def _tidy(self) -> None:
        """Remove scratch files, also where a signal comes just then; a dead target keeps them."""
        with suppress(OSError):
            try:
                clean_scratch(self.workspace)
            except Interrupted:
                clean_scratch(self.workspace)  # no second one comes
                raise

    def _in_turns(
        self, stages: Sequence[Stage], seed: int, kept: Sequence[Sample]
    ) -> Iterator[Sample]:
        """One repeat of each stage after the other, who goes first changes from turn to turn."""
        known = {(sample.workload, sample.phase, sample.repeat) for sample in kept}
        coming = [(stage, self._stage(stage, seed, kept)) for stage in stages]
        for repeat in range(stages[0].repeats) if len(stages) > 1 else ():
            for stage, samples in coming if repeat % 2 == 0 else reversed(coming):
                wanted = {(stage.workload, phase.name, repeat) for phase in stage.measured}
                yield from islice(samples, len(wanted - known))
        for _, samples in coming:
            yield from samples

    def _stage(self, stage: Stage, seed: int, kept: Sequence[Sample]) -> Iterator[Sample]:
        samples = [sample for sample in kept if sample.workload == stage.workload]
        coming = turns(stage, samples)
        first = next(coming, None)
        if first is None:
            return
        for phase in stage.prepared:
            self.prepare(stage, phase, seed)
        ceilings = Ceilings(lambda phase, long: self._ceiling(stage, phase, seed, long))
        for phase, repeat in chain([first], coming):
            samples.append(self._sample(stage, phase, repeat, seed, ceilings))
            yield samples[-1]

    def prepare(self, stage: Stage, phase: Phase, seed: int) -> None:
        """Complete the data set of a preparing phase; nothing to do where it is complete."""
        population = phase.population
        known = dataset.state(self.workspace, population, self.member.boots)
        if known.complete:
            return
        share = len(known.missing) / max(dataset.granules(population), 1)
        step = Step(
            workload=stage.workload,
            phase=phase.name,
            purpose="prepare",
            total_operations=min(len(known.missing) * granule(population), population.files),
            total_bytes=int(total_bytes(population) * share),
        )
        self.listen(step, 0, 0)
        through, boots = self.member.target.fstype, self.member.boots
        with dataset.writing(self.workspace, population, known, through, boots) as journal:
            order = Generate(phase=phase, seed=seed, missing=known.missing, journal=journal)
            ask(self.member, order, self._report(step))

    def _report(self, step: Step) -> Report:
        """Tells the listener how far ``step`` has come."""
        return lambda operations, moved: self.listen(step, operations, moved)

    def _ceiling(self, stage: Stage, phase: Phase, seed: int, long: int) -> Ceiling | None:
        """What the harness does in ``long`` ns of this phase with no I/O behind it."""
        step = Step(
            workload=stage.workload,
            phase=phase.name,
            purpose="calibrate",
            total_ns=long,
        )
        self.listen(step, 0, 0)
        found: Ceiling | None = ask(
            self.member,
            Calibrate(engine=stage.engine, phase=phase, seed=seed, runtime_ns=long),
        )
        return found

    def _sample(
        self, stage: Stage, phase: Phase, repeat: int, seed: int, ceilings: Ceilings
    ) -> Sample:
        """Calibrate, set the caches, measure, and gather what the result is worth."""
        ceilings.before(phase)
        self._make_room(phase)
        share = share_asked(phase)
        step = Step(
            workload=stage.workload,
            phase=phase.name,
            purpose="measure",
            repeat=repeat,
            repeats=stage.repeats,
            total_operations=0 if phase.runtime_ns else int(phase.population.samples * share),
            total_bytes=0 if phase.runtime_ns else int(total_bytes(phase.population) * share),
            total_ns=phase.runtime_ns,
        )
        own = key(seed, repeat)
        if phase.cache is CachePolicy.WARM and phase.operation in READS:
            warming = replace(step, purpose="warm up")
            self.listen(warming, 0, 0)
            warm = WarmUp(engine=stage.engine, phase=phase, seed=own)
            ask(self.member, warm, self._report(warming))
        self.listen(step, 0, 0)
        started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        order = Measure(engine=stage.engine, phase=phase, seed=own, looked=seed)
        found: Found = ask(self.member, order, self._report(step))
        first = found.hosts[0]
        sample = Sample(
            workload=stage.workload,
            phase=phase.name,
            repeat=repeat,
            started_at=started,
            measurement=found.measured,
            evidence=together(found.hosts, phase.cache),
            ceiling=ceilings.over(phase, found.measured),
            telemetry=first.telemetry,
            nfs=first.nfs,
            hosts=() if self.member.alone else found.hosts,
        )
        limited = limits(phase, sample, self.member.target, self.environment, self.launch)
        remarks = (*warnings(sample), *found.doubts, *limited)
        return replace(sample, warnings=remarks, reasons=reasons(sample))

    def _make_room(self, phase: Phase) -> None:
        """Scratch directories exist and are as the operation needs them."""
        if phase.saving is not None:
            self._make_room(phase.saving)
        population = phase.transform.output if phase.transform else phase.population
        if population.persistent:
            return
        if phase.operation in _ANEW:
            left = clean_population(self.workspace, population.directory).left
            if left:
                raise WorkspaceError(f"{left[0]} is in the way, and aibench did not make it")
        dataset.make_directories(self.workspace, population)
