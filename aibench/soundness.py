"""What a record from elsewhere can hold and we could not have counted, told before it is used.

A record is read years later and from other people. What passes here can be divided, merged and
drawn: no length of time below zero, no interval without length, no bin that is not there, no sum
beyond 64 bits.
"""

from collections.abc import Iterable
from itertools import pairwise

from aibench.model import Evidence, Histogram, Measurement, RunRecord, Sample, Series, Telemetry
from aibench.stats.histogram import BINS

#: A million million operations in one bin; 2**22 such bins still add up in 64 bits.
_MOST_IN_BIN = 2**40
_MOST_INTERVALS = 2**20
#: Reports look at all samples for each phase.
MOST_PHASES = 1000


def check_plan(record: RunRecord) -> None:
    """ValueError where the plan or the system of ``record`` can't be one of ours."""
    phases = sum(1 + len(stage.phases) for stage in record.plan.stages)
    if phases > MOST_PHASES:
        raise ValueError(f"its plan has more than {MOST_PHASES} phases")
    if record.system is not None and record.system.units < 1:
        raise ValueError("its system has no unit")


def check_sample(sample: Sample) -> None:
    """ValueError where something in ``sample`` can't have been counted."""
    _check_measurement(sample.measurement)
    for name, histogram in sample.measurement.histograms.items():
        _check_histogram(name, histogram)
    if sample.measurement.series is not None:
        _check_series(sample.measurement.series)
    if (limit := sample.ceiling) is not None:
        _check_counts("ceiling", (limit.operations, limit.bytes, limit.elapsed_ns))
    _check_seen(sample.evidence, sample.telemetry)
    for seen in sample.hosts:
        _check_seen(seen.evidence, seen.telemetry)
    _check_counts("repeat", (sample.repeat,))


def _check_counts(what: str, numbers: Iterable[float | None]) -> None:
    if any(number is not None and number < 0 for number in numbers):
        raise ValueError(f"{what[:60]!r} has a number below 0")


def _check_measurement(measured: Measurement) -> None:
    spans = (measured.first_done_ns, measured.last_done_ns, measured.start_spread_ns)
    compared = (measured.wrong_bytes, measured.beside_bytes)
    _check_counts("measurement", (*spans, *compared, *measured.timers.values()))
    for worker in measured.workers:
        done = (worker.operations, worker.bytes, worker.start_ns, worker.end_ns)
        _check_counts("workers", (*done, worker.process, worker.rank))


def _check_histogram(name: str, found: Histogram) -> None:
    for number, count in found.bins:
        if not 0 <= number < BINS or not 1 <= count <= _MOST_IN_BIN:
            raise ValueError(f"a histogram has {count} in its bin {number}")
    if any(bin_ >= following for (bin_, _), (following, _) in pairwise(found.bins)):
        raise ValueError(f"the bins of histogram {name[:60]!r} are not in order")
    if found.count != sum(count for _, count in found.bins):
        raise ValueError(f"the bins of histogram {name[:60]!r} do not add up to its count")
    low, high = found.min_ns, found.max_ns
    if (low is None or high is None) != (found.count == 0):
        raise ValueError(f"histogram {name[:60]!r} has no smallest or largest value")
    _check_counts(name, (low, high, found.total_ns))
    if low is not None and high is not None and low > high:
        raise ValueError(f"the smallest of histogram {name[:60]!r} is above the largest")


def _check_series(series: Series) -> None:
    if series.interval_ns < 1:
        raise ValueError("a series has intervals of no length")
    length = len(series.operations)
    latencies = (series.p50_ns, series.p99_ns, series.max_ns)
    if len(series.bytes) != length or any(len(each) not in (0, length) for each in latencies):
        raise ValueError("the parts of a series are not as long as each other")
    if length > _MOST_INTERVALS:
        raise ValueError(f"a series has more than {_MOST_INTERVALS} intervals")
    for part in (series.operations, series.bytes, *latencies):
        _check_counts("series", part)


def _check_seen(evidence: Evidence | None, telemetry: Telemetry | None) -> None:
    if evidence is not None:
        _check_evidence(evidence)
    if telemetry is not None:
        ends = telemetry.ends_ns[:1]
        _check_counts("telemetry", (telemetry.cost_ns, telemetry.watched_ns, *ends))


def _check_evidence(evidence: Evidence) -> None:
    counts = (evidence.asked_bytes, evidence.delivered_bytes, evidence.resident_share)
    _check_counts("evidence", (*counts, evidence.resident_files, evidence.files))
