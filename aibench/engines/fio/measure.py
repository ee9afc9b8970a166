"""fio's readings as a measurement: everything from one source, so that parts add up to wholes."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from aibench.engines.fio.output import JobCounts, Reading, histogram
from aibench.model import Finding, Histogram, Measurement, Series, ToolRun, WorkerResult
from aibench.stats.histogram import Recorder, bin_of, bin_value, percentile

_SECOND = 10**9
#: Below this, the millisecond of fio's clock is worth more than 1 %.
_CLOCK_FLOOR_NS = 100 * 10**6
#: A longer run has longer intervals, as those of our own loops are.
_MOST_INTERVALS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """What was done between two readings."""

    at_ns: int
    runtime_ns: int
    completed: int
    bins: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Log:
    """Keeps of every reading what the series needs, and the last reading whole."""

    last: Reading | None = None
    _seen: Counter[int] = field(default_factory=Counter)
    _spans: list[_Span] = field(default_factory=list)

    def add(self, reading: Reading) -> None:
        """Note a reading; they come in order of time and only grow."""
        bins: Counter[int] = Counter()
        for job in reading.jobs:
            for value, count in job.bins.items():
                bins[bin_of(value)] += count
        fresh = bins - self._seen
        self._spans.append(
            _Span(
                at_ns=reading.at_ns,
                runtime_ns=reading.runtime_ns,
                completed=bins.total(),
                bins=tuple(fresh.items()),
            )
        )
        self._seen, self.last = bins, reading

    @property
    def began_ns(self) -> int:
        """When the jobs began: the earliest that any reading allows, by our clock.

        A reading comes late when a job is stuck: it is when it came, less its runtime.
        """
        return min(span.at_ns - span.runtime_ns for span in self._spans)

    @property
    def spans(self) -> tuple[_Span, ...]:
        """What was done between readings, in order."""
        return tuple(self._spans)


@dataclass(frozen=True, slots=True)
class Part:
    """What the fio of a rank did, which was let go at ``start_ns`` on its clock."""

    rank: int
    host: str
    start_ns: int
    log: Log

    @property
    def last(self) -> Reading:
        """Its last reading, which is there when it ended well."""
        assert self.log.last is not None
        return self.log.last

    def late_ns(self, first_ns: int) -> int:
        """How long after the first one its jobs began."""
        return self.log.began_ns - self.start_ns - first_ns

    def ends(self, first_ns: int, elapsed_ns: int) -> list[int]:
        """When each of its spans ended, after the first began; the last ends with it all."""
        begin = self.log.began_ns - self.late_ns(first_ns)
        ends = [min(max(span.at_ns - begin, 0), elapsed_ns) for span in self.log.spans]
        return [*ends[:-1], elapsed_ns]


def _first(parts: Sequence[Part]) -> int:
    """When the first of all began, after they were let go."""
    return min(part.log.began_ns - part.start_ns for part in parts)


def _series(parts: Sequence[Part], elapsed_ns: int, interval_ns: int, longest: int) -> Series:
    """Cumulative counts, interpolated onto intervals that add up to the totals exactly.

    Latencies of a span between two readings count in the interval of the span's middle.
    """
    count, first = max(math.ceil(elapsed_ns / interval_ns), 1), _first(parts)
    edges = np.minimum(np.arange(count + 1, dtype=np.int64) * interval_ns, elapsed_ns)
    done = np.zeros(count + 1)
    recorders = [Recorder() for _ in range(count)]
    for part in parts:
        ends = part.ends(first, elapsed_ns)
        completed = [span.completed for span in part.log.spans]
        done += np.interp(edges, [0, *ends], [0, *completed])
        for begin, end, span in zip([0, *ends[:-1]], ends, part.log.spans, strict=True):
            place = min((begin + end) // 2 // interval_ns, count - 1)
            if span.bins:
                largest = min(bin_value(max(span.bins)[0]), longest)
                smallest = min(bin_value(min(span.bins)[0]), largest)
                recorders[place].add_bins(span.bins, 0, smallest, largest)
    total = sum(part.last.operations for part in parts)
    moved = sum(part.last.bytes for part in parts)
    operations = np.floor(done).astype(np.int64).tolist()
    operations[-1] = total
    latencies = [recorder.freeze() for recorder in recorders]
    return Series(
        interval_ns=interval_ns,
        operations=_steps(operations),
        bytes=_steps([moved * n // max(total, 1) for n in operations]),
        p50_ns=tuple(percentile(each, 0.5) for each in latencies),
        p99_ns=tuple(percentile(each, 0.99) for each in latencies),
        max_ns=tuple(each.max_ns for each in latencies),
    )


def _steps(cumulative: Sequence[int]) -> tuple[int, ...]:
    return tuple(after - before for before, after in pairwise(cumulative))


def measurement(
    parts: Sequence[Part], tool: ToolRun, interval_ns: int, warnings: tuple[Finding, ...]
) -> Measurement:
    """The measurement that the last readings of the fio of each rank are.

    Time is that of the I/O with its fsync, without opening and laying out files. fio counts it
    in milliseconds. It releases all jobs together; only fio 3.36 and later say when each began.
    """
    first = _first(parts)
    workers = tuple(
        _worker(number, job, part, part.late_ns(first))
        for number, (part, job) in enumerate(
            (part, job) for part in parts for job in part.last.jobs
        )
    )
    elapsed = max((worker.end_ns for worker in workers), default=0)
    jobs = tuple(job for part in parts for job in part.last.jobs)
    whole = histogram(jobs)
    operations = sum(part.last.operations for part in parts)
    series = None
    while elapsed >= _MOST_INTERVALS * interval_ns:
        interval_ns *= 10
    if operations and elapsed:
        series = _series(parts, elapsed, interval_ns, whole.max_ns or 0)
    return Measurement(
        operations=operations,
        bytes=sum(part.last.bytes for part in parts),
        elapsed_ns=elapsed,
        first_done_ns=min((worker.end_ns for worker in workers), default=0),
        last_done_ns=elapsed,
        start_spread_ns=max((worker.start_ns for worker in workers), default=0),
        histograms={"whole": whole},
        series=series,
        workers=workers,
        tool=tool,
        warnings=warnings + _doubts(jobs, whole, elapsed),
    )


def _worker(number: int, job: JobCounts, part: Part, late_ns: int) -> WorkerResult:
    starts = [each.started_ns for each in part.last.jobs if each.started_ns is not None]
    start = late_ns + (0 if job.started_ns is None else job.started_ns - min(starts))
    return WorkerResult(
        rank=part.rank,
        host=part.host,
        process=number,
        thread=0,
        operations=job.operations,
        bytes=job.bytes,
        start_ns=start,
        end_ns=start + job.runtime_ns,
        user_ns=job.user_ns,
        system_ns=job.system_ns,
    )


def _doubts(jobs: Sequence[JobCounts], whole: Histogram, elapsed_ns: int) -> tuple[Finding, ...]:
    found = []
    if elapsed_ns < _CLOCK_FLOOR_NS:
        message = f"took {elapsed_ns / 10**6:g} ms, and fio's clock counts whole milliseconds"
        found.append(Finding(code="too_short", message=message))
    operations = sum(job.operations for job in jobs)
    if operations != whole.count:
        message = f"fio counts {operations} operations, its histogram {whole.count}"
        found.append(Finding(code="counts_differ", message=message))
    idle = [job.name for job in jobs if job.operations == 0]
    if idle:
        message = f"{len(idle)} of {len(jobs)} jobs did no operation: {', '.join(idle[:5])}"
        found.append(Finding(code="idle_jobs", message=message))
    return tuple(found)
