"""What a reader has to know about one sample, and why it may not count at all."""

from aibench.hosts import rank_count, straggler
from aibench.metrics import CLIENT_BOUND_BELOW, headroom
from aibench.model import READS, WRITES, Finding, Launch, Measurement, Phase, RunRecord, Sample
from aibench.pipeline import SOURCE_BOUND, source_share
from aibench.stats.steady import FLOOR_NS, Cliff, Plateau, State, Steadiness, steadiness
from aibench.training import stalled
from aibench.units import format_duration, format_size, format_value

#: Below this, who ended last tells about the scheduler of the client, not about the storage.
_TELLING_NS = 200_000_000
#: Ranks that start so far apart, in shares of the time, measure their start as well.
_STARTS_APART = 0.01
#: Where accelerators wait longer with no I/O behind, in shares of their time, the harness is why.
_HELD_UP = 0.02


def warnings(sample: Sample) -> tuple[Finding, ...]:
    """What a reader has to know about a sample: the engine's warnings, and ours."""
    measured = sample.measurement
    found = list(measured.warnings)
    if measured.elapsed_ns < FLOOR_NS:
        found.append(
            Finding(
                code="short_run",
                message="measured for less than 60 s: a cache in the storage and its sustained "
                "rate are not told apart",
            )
        )
    room = headroom([sample], "op/s")
    if room is not None and room < CLIENT_BOUND_BELOW:
        found.append(
            Finding(
                code="client_bound",
                message=f"the harness alone does only {room:.2f} times this rate: the "
                "storage may be faster than it could show here",
            )
        )
    else:
        found += _held_up(sample)
    found += _waited_for_source(measured)
    idle = sum(worker.operations == 0 for worker in measured.workers)
    if idle and measured.operations and measured.tool is None:
        message = f"{idle} of {len(measured.workers)} workers had nothing to do"
        found.append(Finding(code="idle_workers", message=message))
    if measured.elapsed_ns > _TELLING_NS:
        found += _last_worker(measured) if rank_count(measured) == 1 else _straggler(measured)
    return (*found, *_spread_starts(measured))


def _held_up(sample: Sample) -> tuple[Finding, ...]:
    """Whether the harness alone can't keep accelerators busy."""
    training = sample.ceiling.training if sample.ceiling else None
    held_up = stalled(training) if training else None
    if held_up is None or held_up <= _HELD_UP:
        return ()
    return (
        Finding(
            code="client_bound",
            message=f"with no I/O behind it, the harness lets the accelerators wait "
            f"{100 * held_up:.3g} % of the time: the storage may be faster than it could show here",
        ),
    )


def _waited_for_source(measured: Measurement) -> tuple[Finding, ...]:
    """Whether copying took longer at the other end."""
    share = source_share(measured)
    if share is None or share <= SOURCE_BOUND:
        return ()
    return (
        Finding(
            code="source_bound",
            message=f"reading the source took {share:.0%} of the time: the target may be faster "
            "than it could show here",
        ),
    )


def _last_worker(measured: Measurement) -> tuple[Finding, ...]:
    slow = _slowest_share(measured)
    if slow is None or slow <= 1.5:
        return ()
    message = f"the last worker ended {slow:.2f} times as late as the first"
    return (Finding(code="straggler", message=message),)


def _straggler(measured: Measurement) -> tuple[Finding, ...]:
    """The host or rank that was slow, by name, and what that cost where it ended last."""
    found = straggler(measured)
    if found is None:
        return ()
    part, whole = found.part, len(found.part.ranks) > 1
    mine, others = (format_value(pace, found.unit) for pace in (found.pace, found.others))
    rest = [w for w in measured.workers if w.host != part.host or w.rank not in part.ranks]
    last = max(worker.end_ns for worker in rest)
    late = (
        f"; it was done after {format_duration(part.end_ns)}, all others after "
        f"{format_duration(last)}"
    )
    message = (
        f"{'host ' if whole else ''}{part.name} was the straggler: {mine} a worker, {others} in "
        f"the middle of the others{late if part.end_ns > last else ''}"
    )
    return (Finding(code="straggler", message=message),)


def _spread_starts(measured: Measurement) -> tuple[Finding, ...]:
    """Whether ranks began so far apart that it is a part of the time that was measured."""
    spread, whole = measured.start_spread_ns, measured.elapsed_ns
    if rank_count(measured) == 1 or spread <= _STARTS_APART * whole:
        return ()
    last = max(measured.workers, key=lambda worker: worker.start_ns)
    return (
        Finding(
            code="start_spread",
            message=f"ranks started up to {format_duration(spread)} apart, {spread / whole:.1%} of "
            f"the time that was measured: rank {last.rank} on {last.host} was the last",
        ),
    )


def together_remarks(record: RunRecord) -> tuple[Finding, ...]:
    """What to know of the hosts of a run under MPI; derived anew, never stored.

    Codes: ``own_reads`` where a guard is missing because there is one host, and ``clock_error``.
    """
    launch = record.launch
    if launch is None:
        return ()
    return (*_own_reads(record, launch), *_clocks(record, launch))


def _own_reads(record: RunRecord, launch: Launch) -> tuple[Finding, ...]:
    """Reads that are moved on so that nobody reads what its own host wrote, which takes a host."""
    phases = {
        f"{stage.workload} {phase.name}"
        for stage in record.plan.stages
        for phase in stage.phases
        if phase.shift and phase.operation in READS
    }
    kernels = {each.boot or each.host for sample in record.samples for each in sample.hosts}
    if not phases or (len(launch.hosts) > 1 and len(kernels) != 1):
        return ()
    where = f"on one host, {launch.hosts[0].name}"
    if len(launch.hosts) > 1:
        where = f"on one machine, that of {launch.hosts[0].name}"
    message = (
        f"all ranks were {where}: {', '.join(sorted(phases))} read what the same client wrote, and "
        "only its emptied caches and the evidence tell that it came from storage"
    )
    return (Finding(code="own_reads", message=message),)


def _clocks(record: RunRecord, launch: Launch) -> tuple[Finding, ...]:
    """Whether clocks are known too badly to say when the last of all ranks was done."""
    worst = max(launch.hosts, key=lambda host: host.clock_error_ns)
    times = [s.measurement.elapsed_ns for s in record.samples if s.measurement.elapsed_ns]
    if not times or worst.clock_error_ns <= _STARTS_APART * min(times):
        return ()
    message = (
        f"the clock of {worst.name} is known to ±{format_duration(worst.clock_error_ns)}, "
        f"{worst.clock_error_ns / min(times):.1%} of the shortest phase: starts and ends of hosts "
        "are no more exact"
    )
    return (Finding(code="clock_error", message=message),)


def _slowest_share(measured: Measurement) -> float | None:
    """How late the last worker that did anything ended, in units of when the first did."""
    ends = [worker.end_ns for worker in measured.workers if worker.operations]
    if len(ends) < 2 or min(ends) <= 0:
        return None
    return max(ends) / min(ends)


def steadiness_remarks(phase: Phase, sample: Sample) -> tuple[Finding, ...]:
    """What the series of a sample says of its rate: a burst, a drift, or that it can't be told.

    Codes: ``burst``, ``not_steady`` and ``steadiness_unknown``. Never stored: derived anew from
    the record. A phase of less than 60 s has its ``short_run`` instead of the last.
    """
    found = steadiness(phase, sample.measurement)
    if found is None:
        return ()
    remarks = []
    if found.cliff is not None:
        message = _burst(found.cliff, moves_bytes=phase.operation in READS | WRITES)
        remarks.append(Finding(code="burst", message=message))
    if found.heading or found.unproven:
        remarks.append(Finding(code="not_steady", message=_unsteady(found)))
    elif found.state is not State.STEADY and sample.measurement.elapsed_ns >= FLOOR_NS:
        message = f"whether the rate was steady can't be told: {found.reason or _drift(found)}"
        remarks.append(Finding(code="steadiness_unknown", message=message))
    return tuple(remarks)


def _burst(cliff: Cliff, *, moves_bytes: bool) -> str:
    size = format_size(cliff.bytes) if moves_bytes else format_value(cliff.operations, "operations")
    first, then = (_printed(part, moves_bytes) for part in (cliff.burst, cliff.sustained))
    return (
        f"a burst of {size} at {first} for {format_duration(cliff.at_ns)}, then sustained {then}: "
        "claims are held against the sustained rate"
    )


def _printed(part: Plateau, moves_bytes: bool) -> str:
    count, unit = (part.bytes, "B/s") if moves_bytes else (part.operations, "op/s")
    return format_value(count * 10**9 / (part.end_ns - part.begin_ns), unit)


def _unsteady(found: Steadiness) -> str:
    if found.unproven:
        return f"the rate after the burst is not shown to last: {found.reason}"
    sure = found.state is State.DRIFTING
    fell, rose = ("fell", "rose") if sure else ("seems to have fallen", "seems to have risen")
    verb = fell if found.heading < 0 else rose
    return f"the rate {verb} while it was measured: {_drift(found)}"


def _drift(found: Steadiness) -> str:
    assert found.drift is not None
    assert found.drift_low is not None
    assert found.drift_high is not None
    low, high = f"{found.drift_low:+.1%}", f"{found.drift_high:+.1%}"
    over = format_duration(found.end_ns - found.begin_ns)
    return f"{found.drift:+.1%} from end to end of {over}, 90 % interval {low} to {high}"


def reasons(sample: Sample) -> tuple[Finding, ...]:
    """Why a sample does not count at all."""
    measured = sample.measurement
    if measured.errors:
        return (Finding(code="errors", message=f"{measured.errors} operations failed"),)
    if measured.operations == 0:
        return (Finding(code="nothing_measured", message="no operation ended"),)
    return ()
