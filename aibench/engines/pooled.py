"""From the outcomes of a pool of workers to one measurement; shared by posix and null."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from aibench.calls import Calls
from aibench.engine import Report, Site
from aibench.engines.harvest import Whole, by_rank, harvest, joined, merged
from aibench.model import (
    Finding,
    Measurement,
    Operation,
    Phase,
    Steps,
    Training,
    WorkerResult,
)
from aibench.workers.conductor import Conductor
from aibench.workers.job import Job, Outcome, Prepare
from aibench.workers.log import merge_intervals
from aibench.workers.loops import LOOPS
from aibench.workers.loops.evaluate import prepare_evaluate
from aibench.workers.loops.feed import conductor_of
from aibench.workers.loops.periodic import prepare_periodic
from aibench.workers.meeting import Meeting
from aibench.workers.pool import run_pool
from aibench.world import World

#: What a rank has of a measurement that rank 0 makes.
NOTHING = Measurement(
    operations=0, bytes=0, elapsed_ns=0, first_done_ns=0, last_done_ns=0, start_spread_ns=0
)


def measure(
    phase: Phase,
    site: Site,
    report: Report,
    calls: Callable[[], Calls],
    *,
    directory: str | None = None,
    only: Sequence[int] | None = None,
    journal: str | None = None,
    calls_beside: Callable[[Phase], Calls] | None = None,
) -> Measurement:
    """Run ``phase`` in worker processes, with ``calls`` behind it.

    Those that save checkpoints meanwhile, or read for evaluations, have ``calls_beside`` where
    theirs are others.
    """
    world = site.meeting
    conductor = conductor_of(phase, site.seed, world.place)
    job = Job(
        phase=phase,
        directory=directory or f"{site.root}/{phase.population.directory}",
        seed=site.seed,
        calls=calls,
        only=only,
        journal=journal,
        conductor=conductor,
    )
    heard = _heard(report, world)
    anew = conductor is not None and not conductor.asked.persistent
    if conductor is not None and anew:
        start, outcomes = _forked_anew(job, conductor, heard, site)
    else:
        beside = _beside(phase, site, directory, job, calls_beside)
        start, outcomes = run_pool(
            job, LOOPS[phase.operation], heard, site.patience_ns, beside=beside, world=world
        )
    harvests = world.gather(harvest(start, outcomes, conductor, world.place))
    if not harvests:
        return NOTHING
    whole = joined(harvests)
    measured = (_over_epochs if anew else _of_loop)(phase, site, whole)
    return _trained(measured, phase, whole) if conductor else measured


def _heard(report: Report, world: World) -> Report:
    """Tells the world how far this rank has come, and ``report`` how far all have."""

    def heard(operations: int, moved: int) -> None:
        report(*world.tell(operations, moved))

    return heard


def _of_loop(phase: Phase, site: Site, whole: Whole) -> Measurement:
    """One measurement of the threads of control that did the phase itself."""
    own = [outcome for outcome in whole.outcomes if outcome.slot < phase.slots]
    return collect(phase, site, whole.start_ns, own, whole.ranks)


def _forked_anew(
    job: Job, conductor: Conductor, report: Report, site: Site
) -> tuple[int, list[Outcome]]:
    """(common start, outcomes of all epochs) of loaders that only live for one of them."""
    start, every = 0, list[Outcome]()
    for epoch in range(conductor.asked.epochs):
        conductor.reopen(epoch, start)
        done = sum(outcome.operations for outcome in every)
        moved = sum(outcome.bytes for outcome in every)
        began, outcomes = run_pool(
            job, LOOPS[job.phase.operation],
            lambda operations, count, done=done, moved=moved: report(  # type: ignore[misc]
                done + operations, moved + count
            ),
            site.patience_ns, world=site.meeting,
        )  # fmt: skip
        start = start or began
        every += outcomes
    return start, every


def _over_epochs(phase: Phase, site: Site, found: Whole) -> Measurement:
    """One measurement of loaders that were forked anew: who takes the same place is one worker."""
    start, outcomes = found.start_ns, found.outcomes
    whole = collect(phase, site, start, outcomes, found.ranks)
    ones = []
    for slot in range(phase.slots):
        own = [outcome for outcome in outcomes if outcome.slot == slot]
        ones.append(
            Outcome(
                slot=slot,
                operations=sum(each.operations for each in own),
                bytes=sum(each.bytes for each in own),
                start_ns=own[0].start_ns,
                end_ns=own[-1].end_ns,
                user_ns=sum(each.user_ns for each in own),
                system_ns=sum(each.system_ns for each in own),
            )
        )
    return replace(
        collect(phase, site, start, ones, found.ranks), timers=whole.timers,
        histograms=whole.histograms, series=whole.series,
    )  # fmt: skip


def _beside(
    phase: Phase,
    site: Site,
    directory: str | None,
    job: Job,
    calls: Callable[[Phase], Calls] | None,
) -> list[tuple[Job, Prepare]]:
    """The jobs of those that save checkpoints and read for evaluations beside loaders."""
    saving = None if phase.soak else phase.saving  # a soak saves in the same loop
    jobs: list[tuple[Job, Prepare]] = []
    for other, prepare in ((saving, prepare_periodic), (phase.evaluation, prepare_evaluate)):
        if other is None:
            continue
        own = replace(
            job, phase=other, directory=directory or f"{site.root}/{other.population.directory}",
            calls=partial(calls, other) if calls else job.calls, meeting=Meeting(), only=None,
            journal=None,
        )  # fmt: skip
        jobs.append((own, prepare))
    return jobs


def _trained(measured: Measurement, phase: Phase, whole: Whole) -> Measurement:
    """``measured`` with what accelerators did, and those that saved their checkpoints."""
    outcomes = whole.outcomes
    evaluators = phase.slots + (phase.saving.slots if phase.saving else 0)
    ranks = [o for o in outcomes if phase.slots <= o.slot < evaluators]
    sums = np.array([o.step_sums for o in outcomes if o.step_sums], dtype=np.int64).sum(axis=0)
    evaluated = sum(o.bytes for o in outcomes if o.slot >= evaluators)
    training = Training(
        batch=phase.batch,
        accelerators=whole.accelerated,
        series=merge_intervals(o.steps for o in outcomes if o.steps is not None),
        checkpoints=whole.saved,
        saved_bytes=sum(rank.bytes for rank in ranks),
        while_saving=_steps(sums[0].tolist()) if ranks else None,
        others=_steps(sums[1].tolist()) if ranks else None,
        evaluations=whole.evaluations if phase.evaluation else 0,
        evaluated_bytes=evaluated if phase.evaluation else 0,
    )
    first = max(each.first_batch_ns for each in training.accelerators)
    timers = {**measured.timers, **_longest(ranks)}
    return replace(
        measured,
        training=training,
        timers={**timers, "first_batch": first} if first else timers,
        histograms=merged(outcomes),
    )


def _steps(sums: list[int]) -> Steps:
    steps, whole, computed = sums
    return Steps(steps=steps, whole_ns=whole, compute_ns=computed)


def _longest(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Each timer at its longest over all threads of control."""
    timers: dict[str, int] = {}
    for outcome in outcomes:
        for name, value in outcome.timers.items():
            timers[name] = max(timers.get(name, 0), value)
    return timers


def collect(
    phase: Phase,
    site: Site,
    start: int,
    outcomes: Sequence[Outcome],
    ranks: Mapping[int, int] | None = None,
) -> Measurement:
    """One measurement from all threads of control: first start to last end, nothing trimmed.

    Who had no share, with more workers than files, is not the first that was done. ``ranks`` tells
    the rank of each slot, where there are several.
    """
    hosts = site.meeting.place.hosts
    first = min(outcome.start_ns for outcome in outcomes)
    worked = [outcome for outcome in outcomes if outcome.operations] or outcomes
    return Measurement(
        operations=sum(outcome.operations for outcome in outcomes),
        bytes=sum(outcome.bytes for outcome in outcomes),
        elapsed_ns=max(outcome.end_ns for outcome in outcomes) - first,
        first_done_ns=min(outcome.end_ns for outcome in worked) - first,
        last_done_ns=max(outcome.end_ns for outcome in outcomes) - first,
        start_spread_ns=max(outcome.start_ns for outcome in outcomes) - first,
        timers=_longest(outcomes),
        histograms=merged(outcomes),
        series=merge_intervals(o.intervals for o in outcomes if o.intervals is not None),
        workers=by_rank(
            [
                _result(phase, start, outcome, rank, hosts[rank])
                for outcome in outcomes
                for rank in (ranks[outcome.slot] if ranks else 0,)
            ]
        ),
        errors=sum(outcome.errors for outcome in outcomes),
        wrong_bytes=_wrong_bytes(outcomes),
        beside_bytes=sum(outcome.beside_bytes for outcome in outcomes),
        warnings=_warnings(phase, outcomes),
    )


def _result(phase: Phase, start: int, outcome: Outcome, rank: int, host: str) -> WorkerResult:
    return WorkerResult(
        rank=rank,
        host=host,
        process=outcome.slot // phase.threads,
        thread=outcome.slot % phase.threads,
        operations=outcome.operations,
        bytes=outcome.bytes,
        start_ns=outcome.start_ns - start,
        end_ns=outcome.end_ns - start,
        user_ns=outcome.user_ns,
        system_ns=outcome.system_ns,
    )


def _wrong_bytes(outcomes: Sequence[Outcome]) -> int | None:
    """The bytes that comparisons found wrong; None where nothing was compared."""
    found = [o.wrong_bytes for o in outcomes if o.wrong_bytes is not None]
    return sum(found) if found else None


def _warnings(phase: Phase, outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    if phase.resume and phase.resume.passes_on:
        message = "one rank read for all: the others waited, and what it would send was not sent"
        return (Finding(code="not_passed_on", message=message),)
    generated = sum(
        o.histograms["generate"].total_ns for o in outcomes if "generate" in o.histograms
    )
    spent = sum(outcome.end_ns - outcome.start_ns for outcome in outcomes)
    made = phase.operation in (Operation.SAVE_SHARDS, Operation.INGEST)
    if not made or generated <= 0.02 * spent:
        return ()
    why = "it is more than a worker may hold in memory"
    if phase.checkpoints > 1:
        why = "each checkpoint has its own"
    return (
        Finding(
            code="generated_while_writing",
            message=f"{generated / spent:.0%} of the time went into making the data: {why}, so the "
            "rate is a lower bound",
        ),
    )
