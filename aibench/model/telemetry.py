"""What was seen around a phase: the client interval by interval, its NFS mount by operation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """The client during a phase, interval by interval, as one light process watched it.

    ``ends_ns`` are the ends of the intervals, from the start of the watch; each entry of ``series``
    has one value for each of them, None where it was not known. Names are dotted and end in what
    is counted: a ``_share`` is between 0 and 1, a ``_rate`` is per second (bytes, where the name
    says bytes), ``_bytes`` and ``_count`` are what there was at the end of the interval.
    ``cost_ns`` is the CPU time that watching took, over ``watched_ns``.
    """

    ends_ns: tuple[int, ...]
    series: Mapping[str, tuple[float | None, ...]]
    cost_ns: int
    watched_ns: int

    def __post_init__(self) -> None:
        if any(len(values) != len(self.ends_ns) for values in self.series.values()):
            raise ValueError("every series has one value for each interval")
        known = (v for values in self.series.values() for v in values if v is not None)
        if not all(map(math.isfinite, known)):
            raise ValueError("a value is finite, or None where it is not known")
        begins = (0, *self.ends_ns)
        if any(end < begin for begin, end in zip(begins, self.ends_ns, strict=False)):
            raise ValueError("intervals follow one another")

    def mean(self, name: str) -> float | None:
        """The mean of a series over time; None where it has no value."""
        values = self.series.get(name, ())
        lengths = (
            end - begin for begin, end in zip((0, *self.ends_ns), self.ends_ns, strict=False)
        )
        known = [(v, n) for v, n in zip(values, lengths, strict=False) if v is not None and n > 0]
        spent = sum(length for _, length in known)
        return sum(value * length for value, length in known) / spent if spent else None

    def largest(self, name: str) -> float | None:
        """The largest value of a series; None where it has none."""
        return max(
            (value for value in self.series.get(name, ()) if value is not None), default=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsOperation:
    """One type of NFS operation during a phase, from the mount's own counters.

    Times are sums over all operations: in the client's queue, on the way and at the server (a
    round trip), and both together (``execute_ns``). The kernel counts them in milliseconds.
    """

    name: str
    operations: int
    transmissions: int
    timeouts: int
    sent_bytes: int
    received_bytes: int
    queue_ns: int
    round_trip_ns: int
    execute_ns: int
    errors: int | None = None

    def __post_init__(self) -> None:
        counts = (
            *(self.transmissions, self.timeouts, self.sent_bytes, self.received_bytes),
            *(self.queue_ns, self.round_trip_ns, self.execute_ns, self.errors or 0),
        )
        if self.operations < 1 or min(counts) < 0:
            raise ValueError("an operation occurred, and counts and times are never negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsFigures:
    """What an NFS mount did during a phase.

    ``asked_bytes`` is what programs read and wrote through system calls, ``served_bytes`` what
    went from and to the server, both as (read, written); ``direct_bytes`` is the part of the
    former that went past the page cache. ``backlog_mean`` is how many requests on the average
    waited for a free slot, where the transport tells. Operations that did not occur are left out.
    """

    operations: tuple[NfsOperation, ...] = field(default=())
    asked_bytes: tuple[int, int] = (0, 0)
    direct_bytes: tuple[int, int] = (0, 0)
    served_bytes: tuple[int, int] = (0, 0)
    backlog_mean: float | None = None

    def operation(self, name: str) -> NfsOperation | None:
        """The operation of that name (``READ``, ``GETATTR``…), where it occurred."""
        return next((each for each in self.operations if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What limited a phase, as far as its figures tell.

    ``limiter`` is one of ``harness``, ``client_cpu``, ``network``, ``slots``, ``server``,
    ``device``, ``cache``, ``latency``, ``source`` and ``unknown``. ``sentence`` says it plainly,
    ``figures`` are what says so, ``next_step`` is what to try.
    """

    limiter: str
    sentence: str
    figures: tuple[str, ...] = ()
    next_step: str = ""
