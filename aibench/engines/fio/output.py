"""fio's standard output as documents, and its documents as counts.

``--status-interval`` prints the whole cumulative record again and again; fio's manual says to
split it. A document begins with a line ``{`` and ends with a line ``}``, and fio indents all
between, so what it or a library prints in the middle is told apart and kept as notes. fio's
errors go to standard error. (With ``--output`` fio would write them into the same file.)
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aibench.errors import WorkerFailed
from aibench.model import Histogram
from aibench.stats.histogram import Recorder, bin_of

_LINE_LIMIT = 2**20
_DOCUMENT_LIMIT = 2**28
_NOTES_LIMIT = 100
_LONGEST_NOTE = 1000
#: No count, size or time in nanoseconds is larger; sums over all jobs fit into 64 bits.
_LARGEST = 2**53
_NOT_FIOS = (
    *(ValueError, KeyError, TypeError, AttributeError),
    *(IndexError, OverflowError, RecursionError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """What one job has done so far; times in nanoseconds, ``bins`` by latency in nanoseconds."""

    name: str
    error: int
    operations: int
    bytes: int
    runtime_ns: int
    started_ns: int | None
    user_ns: int
    system_ns: int
    bins: Mapping[int, int]
    total_ns: int
    min_ns: int
    max_ns: int

    @property
    def completed(self) -> int:
        """Operations whose latency was counted."""
        return sum(self.bins.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All jobs at one moment; ``at_ns`` is our monotonic clock when the reading came."""

    at_ns: int
    jobs: tuple[JobCounts, ...]

    @property
    def operations(self) -> int:
        """Operations of all jobs."""
        return sum(job.operations for job in self.jobs)

    @property
    def bytes(self) -> int:
        """Bytes of all jobs."""
        return sum(job.bytes for job in self.jobs)

    @property
    def runtime_ns(self) -> int:
        """The time of the job that runs longest."""
        return max((job.runtime_ns for job in self.jobs), default=0)


class Splitter:
    """Takes fio's standard output in chunks; hands on a `Reading` for every document."""

    def __init__(self, direction: str, take: Callable[[Reading], None]) -> None:
        self.notes: list[str] = []
        self._direction = direction
        self._take = take
        self._rest = b""
        self._document: bytearray | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk of output."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LINE_LIMIT:
            raise WorkerFailed("fio printed a line without an end")
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if line == b"{":
            self._document = bytearray(line)
        elif self._document is None or not line.startswith((b" ", b"}")):
            if line.strip() and len(self.notes) < _NOTES_LIMIT:
                self.notes.append(line[:_LONGEST_NOTE].decode(errors="replace"))
        else:
            self._document += b"\n" + line
            if len(self._document) > _DOCUMENT_LIMIT:
                raise WorkerFailed("fio printed a record without an end")
            if line == b"}":
                document, self._document = bytes(self._document), None
                self._take(reading(document, self._direction, time.monotonic_ns()))


def reading(document: bytes, direction: str, at_ns: int) -> Reading:
    """What one of fio's documents says about ``direction`` (``read`` or ``write``).

    `WorkerFailed` where it is no record of fio, or counts what can't be counted.
    """
    try:
        jobs = json.loads(document)["jobs"]
        return Reading(at_ns=at_ns, jobs=tuple(_counts(job, direction) for job in jobs))
    except _NOT_FIOS as error:
        raise WorkerFailed(f"fio's record can't be read: {error!r}") from error


def _counts(job: Mapping[str, Any], direction: str) -> JobCounts:
    side = job[direction]
    latency = side["lat_ns"] if side["lat_ns"].get("bins") else side["clat_ns"]
    percent = _count(job["job_runtime"]) * 10  # in µs, as exact as fio's six digits
    started = job.get("job_start")
    return JobCounts(
        name=str(job["jobname"]),
        error=_count(job["error"]),
        operations=_count(side["total_ios"]),
        bytes=_count(side["io_bytes"]),
        runtime_ns=_count(side["runtime"]) * 10**6,
        started_ns=None if started is None else _count(started) * 10**6,
        user_ns=_count(round(_measure(job["usr_cpu"]) * percent)) * 1000,
        system_ns=_count(round(_measure(job["sys_cpu"]) * percent)) * 1000,
        bins={
            _count(int(value)): _count(count)
            for value, count in (latency.get("bins") or {}).items()
        },
        total_ns=round(_measure(latency["mean"]) * _count(latency["N"])),
        min_ns=_count(latency["min"]),
        max_ns=_count(latency["max"]),
    )


def _count(number: Any) -> int:
    """``number`` where it is a whole one that can have been counted. ValueError elsewhere."""
    if type(number) is not int or not 0 <= number <= _LARGEST:
        raise ValueError(f"{str(number)[:60]} is no count")
    return number


def _measure(number: Any) -> float:
    """``number`` where it is one at all. ValueError elsewhere."""
    if type(number) not in (int, float):
        raise ValueError(f"{str(number)[:60]} is no number")
    return float(number)


def histogram(jobs: tuple[JobCounts, ...]) -> Histogram:
    """The latencies of all ``jobs``; fio's bins are ours."""
    recorder = Recorder()
    for job in jobs:
        if job.bins:
            bins = ((bin_of(value), count) for value, count in job.bins.items())
            recorder.add_bins(bins, job.total_ns, job.min_ns, job.max_ns)
    return recorder.freeze()
