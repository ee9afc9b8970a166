"""From the outcomes of a pool of workers to one measurement; shared by posix and null."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from aibench.calls import Calls
from aibench.engine import Report, Site
from aibench.model import Finding, Measurement, Operation, Phase, Training, WorkerResult
from aibench.stats.histogram import merge
from aibench.workers.job import Job, Outcome
from aibench.workers.log import merge_intervals
from aibench.workers.loops import LOOPS
from aibench.workers.loops.feed import conductor_of
from aibench.workers.pool import run_pool


def measure(
    phase: Phase,
    site: Site,
    report: Report,
    calls: Callable[[], Calls],
    *,
    directory: str | None = None,
    only: tuple[int, ...] | None = None,
    journal: str | None = None,
) -> Measurement:
    """Run ``phase`` in worker processes, with ``calls`` behind it."""
    conductor = conductor_of(phase, site.seed)
    job = Job(
        phase=phase,
        directory=directory or f"{site.root}/{phase.population.directory}",
        seed=site.seed,
        calls=calls,
        only=only,
        journal=journal,
        conductor=conductor,
    )
    start, outcomes = run_pool(job, LOOPS[phase.operation], report, site.patience_ns)
    measured = collect(phase, site, start, outcomes)
    if conductor is None:
        return measured
    training = Training(
        batch=phase.batch,
        accelerators=conductor.results(site.host, min(outcome.start_ns for outcome in outcomes)),
        series=merge_intervals(o.steps for o in outcomes if o.steps is not None),
    )
    first = max(each.first_batch_ns for each in training.accelerators)
    timers = {**measured.timers, "first_batch": first} if first else measured.timers
    return replace(measured, training=training, timers=timers)


def collect(phase: Phase, site: Site, start: int, outcomes: Sequence[Outcome]) -> Measurement:
    """One measurement from all threads of control: first start to last end, nothing trimmed.

    Who had no share, with more workers than files, is not the first that was done.
    """
    first = min(outcome.start_ns for outcome in outcomes)
    worked = [outcome for outcome in outcomes if outcome.operations] or outcomes
    timers: dict[str, int] = {}
    for outcome in outcomes:
        for name, value in outcome.timers.items():
            timers[name] = max(timers.get(name, 0), value)
    kinds = sorted({kind for outcome in outcomes for kind in outcome.histograms})
    return Measurement(
        operations=sum(outcome.operations for outcome in outcomes),
        bytes=sum(outcome.bytes for outcome in outcomes),
        elapsed_ns=max(outcome.end_ns for outcome in outcomes) - first,
        first_done_ns=min(outcome.end_ns for outcome in worked) - first,
        last_done_ns=max(outcome.end_ns for outcome in outcomes) - first,
        start_spread_ns=max(outcome.start_ns for outcome in outcomes) - first,
        timers=timers,
        histograms={
            kind: merge(o.histograms[kind] for o in outcomes if kind in o.histograms)
            for kind in kinds
        },
        series=merge_intervals(o.intervals for o in outcomes if o.intervals is not None),
        workers=tuple(_result(phase, site, start, outcome) for outcome in outcomes),
        errors=sum(outcome.errors for outcome in outcomes),
        wrong_bytes=_wrong_bytes(outcomes),
        warnings=_warnings(phase, outcomes),
    )


def _result(phase: Phase, site: Site, start: int, outcome: Outcome) -> WorkerResult:
    return WorkerResult(
        host=site.host,
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
