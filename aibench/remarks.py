"""What a reader has to know about one sample, and why it may not count at all."""

from aibench.metrics import CLIENT_BOUND_BELOW, headroom, stalled
from aibench.model import Finding, Measurement, Sample
from aibench.pipeline import SOURCE_BOUND, source_share

_SHORT_NS = 60 * 10**9
#: Below this, who ended last tells about the scheduler of the client, not about the storage.
_TELLING_NS = 200_000_000
#: Where accelerators wait longer with no I/O behind, in shares of their time, the harness is why.
_HELD_UP = 0.02


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


def reasons(sample: Sample) -> tuple[Finding, ...]:
    """Why a sample does not count at all."""
    measured = sample.measurement
    if measured.errors:
        return (Finding(code="errors", message=f"{measured.errors} operations failed"),)
    if measured.operations == 0:
        return (Finding(code="nothing_measured", message="no operation ended"),)
    return ()
