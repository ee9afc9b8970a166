"""What each host and each rank of a phase did, derived from what its threads of control counted."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aibench.model import Measurement, NfsFigures, NfsOperation, OnHost, Sample, WorkerResult
from aibench.pipeline import per_second

#: A host whose workers are slower than those of the others by this factor holds all of them up.
SLOW_HOST = 1.25
#: Ranks differ more than hosts do, by the scheduler of their client alone.
SLOW_RANK = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the threads of control of one host, or of one rank, did together.

    Times are in nanoseconds after the common start. ``first_done_ns`` is when the first of those
    ended that did anything; ``spent_ns`` is the time of all of them added up.
    """

    host: str
    ranks: tuple[int, ...]
    workers: int
    operations: int
    bytes: int
    start_ns: int
    first_done_ns: int
    end_ns: int
    spent_ns: int

    @property
    def elapsed_ns(self) -> int:
        """From its own first start to its own last end."""
        return self.end_ns - self.start_ns

    @property
    def name(self) -> str:
        """``rank 3 on n1``, or ``n1`` for the ranks of a whole host."""
        return f"rank {self.ranks[0]} on {self.host}" if len(self.ranks) == 1 else self.host


def by_host(measured: Measurement) -> tuple[Part, ...]:
    """What each host did, in the order in which workers name them."""
    return _parts(measured.workers, lambda worker: worker.host)


def by_rank(measured: Measurement) -> tuple[Part, ...]:
    """What each rank did."""
    return _parts(measured.workers, lambda worker: worker.rank)


def _parts(
    workers: Iterable[WorkerResult], key: Callable[[WorkerResult], str | int]
) -> tuple[Part, ...]:
    grouped: dict[str | int, list[WorkerResult]] = {}
    for worker in workers:
        grouped.setdefault(key(worker), []).append(worker)
    return tuple(map(_part, grouped.values()))


def _part(workers: Sequence[WorkerResult]) -> Part:
    busy = [worker for worker in workers if worker.operations] or workers
    return Part(
        host=workers[0].host,
        ranks=tuple(sorted({worker.rank for worker in workers})),
        workers=len(workers),
        operations=sum(worker.operations for worker in workers),
        bytes=sum(worker.bytes for worker in workers),
        start_ns=min(worker.start_ns for worker in workers),
        first_done_ns=min(worker.end_ns for worker in busy),
        end_ns=max(worker.end_ns for worker in workers),
        spent_ns=sum(worker.end_ns - worker.start_ns for worker in workers),
    )


def machines(samples: Iterable[Sample]) -> set[str]:
    """The client machines that did ``samples``, each by its name or by the boot id of its kernel.

    Hosts that have one kernel are containers of one machine, which is one client.
    """
    found: set[str] = set()
    for sample in samples:
        kernels = {each.host: each.boot for each in sample.hosts}
        names = {worker.host for worker in sample.measurement.workers}
        found |= {kernels.get(name) or name for name in names}
    return found


def rank_count(measured: Measurement) -> int:
    """How many ranks worked; 1 where no MPI was."""
    return max(len({worker.rank for worker in measured.workers}), 1)


def rate(part: Part, unit: str) -> float | None:
    """Bytes (``B/s``) or operations a second of a part, over its own time."""
    return per_second(_count(part, unit), part.elapsed_ns)


def share(part: Part, measured: Measurement, unit: str) -> float | None:
    """The share of all bytes (``B/s``) or operations that a part did; None of nothing."""
    whole = measured.bytes if unit == "B/s" else measured.operations
    return _count(part, unit) / whole if whole else None


def pace(part: Part, unit: str) -> float | None:
    """Bytes (``B/s``) or operations a second of one worker of a part, in the mean."""
    return per_second(_count(part, unit), part.spent_ns)


def unit_of(measured: Measurement) -> str:
    """What tells the rates of parts: ``B/s`` where bytes were moved, else ``op/s``."""
    return "B/s" if measured.bytes else "op/s"


def _count(part: Part, unit: str) -> int:
    return part.bytes if unit == "B/s" else part.operations


def slowest(parts: Sequence[Part], unit: str) -> Part | None:
    """The part whose workers were slowest, of equals the last one done; None where none worked."""
    paces = [(pace(part, unit), -part.end_ns, n) for n, part in enumerate(parts)]
    known = [(found, end, n) for found, end, n in paces if found]
    return parts[min(known)[2]] if known else None


class Straggler(NamedTuple):
    """Who held the others up: its pace, and that of the middle one of the others."""

    part: Part
    pace: float
    others: float
    unit: str


def straggler(measured: Measurement) -> Straggler | None:
    """The host, or the one rank of a host, whose workers were much slower than those of the others.

    Each is held against the median of all others. None for a single rank.
    """
    ranks, unit = by_rank(measured), unit_of(measured)
    host = _slow(by_host(measured), unit, SLOW_HOST)
    if host is None:
        return _slow(ranks, unit, SLOW_RANK)
    own = [rank for rank in ranks if rank.host == host.part.host]
    alone = _slow(own, unit, SLOW_RANK)
    return alone if alone and _fast_without(alone.part, own, host) else host


def _slow(parts: Sequence[Part], unit: str, factor: float) -> Straggler | None:
    part = slowest(parts, unit)
    others = [found for each in parts if each is not part and (found := pace(each, unit))]
    mine = pace(part, unit) if part else None
    if part is None or mine is None or not others:
        return None
    middle = statistics.median(others)
    return Straggler(part, mine, middle, unit) if middle >= factor * mine else None


def _fast_without(rank: Part, own: Sequence[Part], host: Straggler) -> bool:
    """Whether the rest of a slow host was no straggler."""
    rest = [each for each in own if each is not rank]
    count = sum(_count(each, host.unit) for each in rest)
    found = per_second(count, sum(each.spent_ns for each in rest))
    return found is not None and host.others < SLOW_HOST * found


@dataclass(frozen=True, slots=True, kw_only=True)
class Stonewall:
    """What all ranks had done when the ``first`` of them was done, ``at_ns`` after the start.

    It is counted up to the last whole interval of the series before that: ``elapsed_ns`` is a
    multiple of ``interval_ns``, and 0 where the first interval had not ended.
    """

    first: Part
    at_ns: int
    interval_ns: int
    elapsed_ns: int
    operations: int
    bytes: int


def stonewall(measured: Measurement) -> Stonewall | None:
    """The work done while all ranks were at work; None for one rank, or without a series."""
    ranks, series = [r for r in by_rank(measured) if r.operations], measured.series
    if len(ranks) < 2 or series is None:
        return None
    first = min(ranks, key=lambda each: each.end_ns)
    whole = first.end_ns // series.interval_ns
    return Stonewall(
        first=first,
        at_ns=first.end_ns,
        interval_ns=series.interval_ns,
        elapsed_ns=whole * series.interval_ns,
        operations=sum(series.operations[:whole]),
        bytes=sum(series.bytes[:whole]),
    )


def counters(hosts: Iterable[OnHost]) -> list[list[OnHost]]:
    """The hosts, together where they are known to read the same counters of one kernel."""
    found: dict[tuple[str, ...], list[OnHost]] = {}
    for host in hosts:
        known = host.boot is not None and host.device_id is not None
        key = (host.boot or "", host.device_id or "") if known else (host.host,)
        found.setdefault(key, []).append(host)
    return list(found.values())


def nfs_together(hosts: Sequence[OnHost]) -> NfsFigures | None:
    """What the NFS mounts of all hosts did; None unless all of them tell.

    Counters that several hosts share are counted once. ``backlog_mean`` is the longest one.
    """
    told = [figures for group in counters(hosts) if (figures := _busiest(group)) is not None]
    if not told or len(told) < len(counters(hosts)):
        return None
    names = dict.fromkeys(each.name for figures in told for each in figures.operations)
    lines = [figures.backlog_mean for figures in told if figures.backlog_mean is not None]
    return NfsFigures(
        operations=tuple(_added([figures.operation(name) for figures in told]) for name in names),
        asked_bytes=_pair([figures.asked_bytes for figures in told]),
        direct_bytes=_pair([figures.direct_bytes for figures in told]),
        served_bytes=_pair([figures.served_bytes for figures in told]),
        backlog_mean=max(lines, default=None),
    )


def _busiest(group: Sequence[OnHost]) -> NfsFigures | None:
    """Of hosts that share counters, what the one saw that looked longest."""
    told = [host.nfs for host in group if host.nfs is not None]
    return max(told, key=lambda each: sum(op.operations for op in each.operations), default=None)


def _added(found: Sequence[NfsOperation | None]) -> NfsOperation:
    each = [operation for operation in found if operation is not None]
    errors = [operation.errors for operation in each if operation.errors is not None]
    return NfsOperation(
        name=each[0].name,
        operations=sum(op.operations for op in each),
        transmissions=sum(op.transmissions for op in each),
        timeouts=sum(op.timeouts for op in each),
        sent_bytes=sum(op.sent_bytes for op in each),
        received_bytes=sum(op.received_bytes for op in each),
        queue_ns=sum(op.queue_ns for op in each),
        round_trip_ns=sum(op.round_trip_ns for op in each),
        execute_ns=sum(op.execute_ns for op in each),
        errors=sum(errors) if len(errors) == len(each) else None,
    )


def _pair(found: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(one for one, _ in found), sum(other for _, other in found)
