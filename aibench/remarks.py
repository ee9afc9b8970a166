"""What a reader has to know about one sample, and why it may not count at all."""

from aibench.metrics import CLIENT_BOUND_BELOW, headroom
from aibench.model import READS, WRITES, Finding, Measurement, Phase, Sample
from aibench.pipeline import SOURCE_BOUND, source_share
from aibench.stats.steady import FLOOR_NS, Cliff, Plateau, State, Steadiness, steadiness
from aibench.training import stalled
from aibench.units import format_duration, format_size, format_value

#: Below this, who ended last tells about the scheduler of the client, not about the storage.
_TELLING_NS = 200_000_000
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
    slow = _slowest_share(measured)
    if slow is not None and slow > 1.5 and measured.elapsed_ns > _TELLING_NS:
        found.append(
            Finding(
                code="straggler",
                message=f"the last worker ended {slow:.2f} times as late as the first",
            )
        )
    return tuple(found)


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
