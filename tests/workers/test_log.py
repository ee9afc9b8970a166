"""What a loop writes down: histograms and a time series that both add up."""

import pickle
import tracemalloc
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.stats.histogram import bins_of
from aibench.workers.log import CAPACITY, Intervals, Log, merge_intervals

MS = 10**6
SECOND = 10**9
#: (time since the operation before, bytes, latency) of operations; up to half an hour each.
OPERATIONS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, SECOND), st.integers(0, 1800 * SECOND)),
        st.integers(0, 10**9),
        st.integers(0, 10**12),
    ),
    min_size=1,
    max_size=60,
)
Operations = Sequence[tuple[int, int, int]]


def series_of(*parts: Operations, flushes: int = 1) -> Intervals:
    """One worker's series of ``parts``, noted in ``flushes`` pieces each."""
    found = Intervals()
    now = 0
    for part in parts:
        rows = []
        for pause, size, latency in part:
            now += pause
            rows.append((now, size, latency))
        each = -(-len(rows) // flushes)
        for start in range(0, len(rows), each):
            ends, sizes, latencies = np.array(rows[start : start + each], dtype=np.int64).T
            found.add(ends, sizes, latencies, bins_of(latencies))
    return found


def totals(part: Intervals) -> tuple[int, int, int]:
    """(operations, bytes, largest latency) of a whole series."""
    rows = part.filled.values()
    return (
        sum(row.operations for row in rows),
        sum(row.bytes for row in rows),
        max((row.max_ns for row in rows), default=0),
    )


def binned(part: Intervals) -> Counter[int]:
    """The latencies of a whole series, by bin."""
    found: Counter[int] = Counter()
    for row in part.filled.values():
        found.update(dict(zip(row.bins.tolist(), row.counts.tolist(), strict=True)))
    return found


@settings(deadline=None)
@given(OPERATIONS, st.integers(1, 5))
def test_the_series_adds_up(operations: Operations, flushes: int) -> None:
    """Over all intervals, operations and bytes are those that were noted; nothing is lost."""
    found = series_of(operations, flushes=flushes)
    expected = (
        len(operations),
        sum(size for _, size, _ in operations),
        max(latency for _, _, latency in operations),
    )
    assert totals(found) == expected
    assert all(int(row.counts.sum()) == row.operations for row in found.filled.values())


@settings(deadline=None)
@given(OPERATIONS, st.sampled_from([10, 100, 1000]))
def test_coarser_intervals_hold_the_same(operations: Operations, factor: int) -> None:
    """Making a series coarser moves counts together and changes no sum."""
    found = series_of(operations)
    before, latencies = totals(found), binned(found)
    found.coarsen(found.interval_ns * factor)
    assert totals(found) == before
    assert binned(found) == latencies


@settings(deadline=None)
@given(OPERATIONS, st.integers(1, 5))
def test_when_it_is_noted_does_not_matter(operations: Operations, flushes: int) -> None:
    """A series is the same, interval by interval, whether noted at once or in pieces."""
    at_once = merge_intervals([series_of(operations)])
    in_pieces = merge_intervals([series_of(operations, flushes=flushes)])
    assert at_once == in_pieces


@settings(deadline=None)
@given(OPERATIONS, OPERATIONS)
def test_merged_series_add_up(one: Operations, other: Operations) -> None:
    """The series of all workers has all their operations and bytes, however long each ran."""
    merged = merge_intervals([series_of(one), Intervals(), series_of(other)])
    assert merged is not None
    assert sum(merged.operations) == len(one) + len(other)
    assert sum(merged.bytes) == sum(size for _, size, _ in (*one, *other))
    columns = (merged.bytes, merged.p50_ns, merged.p99_ns, merged.max_ns)
    assert {len(column) for column in columns} == {len(merged.operations)}


@settings(deadline=None)
@given(OPERATIONS)
def test_latencies_of_the_series_are_sane(operations: Operations) -> None:
    """In each interval p50 <= p99 <= the exact maximum; where nothing ended there is no value."""
    merged = merge_intervals([series_of(operations)])
    assert merged is not None
    rows = zip(merged.operations, merged.p50_ns, merged.p99_ns, merged.max_ns, strict=True)
    for ended, p50, p99, largest in rows:
        if ended:
            assert p50 is not None
            assert p99 is not None
            assert largest is not None
            assert p50 <= p99 <= largest
        else:
            assert (p50, p99, largest) == (None, None, None)


def test_percentiles_of_an_interval_are_within_one_per_cent() -> None:
    """The percentiles of an interval agree with sorting its latencies."""
    latencies = np.arange(1, 10_001, dtype=np.int64) * 1000
    found = Intervals()
    found.add(np.full(10_000, MS), np.zeros(10_000, dtype=np.int64), latencies, bins_of(latencies))
    merged = merge_intervals([found])
    assert merged is not None
    assert merged.p50_ns[0] == pytest.approx(5_000_000, rel=0.01)
    assert merged.p99_ns[0] == pytest.approx(9_900_000, rel=0.01)
    assert merged.max_ns[0] == 10_000_000


@pytest.mark.parametrize(
    ("seconds", "interval"), [(59, SECOND // 10), (61, SECOND), (599, SECOND), (601, 10 * SECOND),
                              (700, 10 * SECOND), (10**5, 1000 * SECOND)],
)  # fmt: skip
def test_intervals_follow_the_length_of_the_run(seconds: int, interval: int) -> None:
    """Intervals are 0.1 s up to a minute, 1 s up to ten minutes, ten times as long each."""
    found = series_of([(0, 1, 1), (seconds * SECOND, 1, 1)])
    assert found.interval_ns == interval
    assert totals(found)[:2] == (2, 2)


def test_no_operations_have_no_series() -> None:
    """Where nothing ended there is no series, not an empty one."""
    assert merge_intervals([Intervals(), Intervals()]) is None


def test_an_operation_counts_where_it_ended() -> None:
    """Operations and bytes are counted in the interval in which they ended."""
    merged = merge_intervals(
        [series_of([(99 * MS, 5, 99 * MS), (1 * MS, 7, MS), (150 * MS, 1, 1)])]
    )
    assert merged is not None
    assert merged.operations == (1, 1, 1)
    assert merged.bytes == (5, 7, 1)


def store(log: Log, rows: Sequence[tuple[int, ...]]) -> None:
    """Store clock readings as a loop does."""
    for stamps, readings in zip(log.stamps, zip(*rows, strict=True), strict=True):
        for k, reading in enumerate(readings):
            stamps[k] = reading


def test_steps_and_the_whole() -> None:
    """Each step has its own histogram, and the whole operation is their sum."""
    log = Log("open", "read", "close")
    store(log, [(0, 10, 110, 115), (200, 220, 420, 427)])
    log.flush(np.array([1, 2], dtype=np.int64), 0)
    found = log.histograms()
    expected = {"open": (30, 10, 20), "read": (300, 100, 200), "close": (12, 5, 7),
                "whole": (342, 115, 227)}  # fmt: skip
    assert {k: (h.total_ns, h.min_ns, h.max_ns) for k, h in found.items()} == expected
    assert {h.count for h in found.values()} == {2}


def test_a_batch_is_from_its_first_step_to_its_last() -> None:
    """Batches span their files and the time between them; a last short batch counts too."""
    log = Log()
    store(log, [(0, 10), (20, 30), (40, 55), (60, 70), (80, 99)])
    log.flush(np.ones(5, dtype=np.int64), 0, batch=2)
    batch = log.histograms()["batch"]
    assert (batch.count, batch.total_ns, batch.min_ns, batch.max_ns) == (3, 30 + 30 + 19, 19, 30)


def test_kinds_that_never_occurred_are_missing() -> None:
    """A kind of operation without a single latency has no histogram at all."""
    log = Log("open", "read", "close")
    assert log.histograms() == {}
    log.note("fsync", [])
    assert log.histograms() == {}
    log.note("fsync", [7, 9])
    assert {kind: h.count for kind, h in log.histograms().items()} == {"fsync": 2}


def noted(log: Log, flushes: int, step_ns: int) -> None:
    """Note ``flushes`` full logs of operations, one every ``step_ns``."""
    sizes = np.full(CAPACITY, 4096, dtype=np.int64)
    before, after = (np.frombuffer(stamps, dtype=np.int64) for stamps in log.stamps)
    for turn in range(flushes):
        start = turn * CAPACITY * step_ns
        before[:] = start + np.arange(CAPACITY) * step_ns
        after[:] = before + step_ns
        log.flush(sizes, 0)


def test_memory_does_not_grow_with_operations() -> None:
    """Twenty times the operations, over twenty times the time, take no more memory."""

    def peak(flushes: int) -> int:
        log = Log()
        tracemalloc.start()
        noted(log, flushes, 25 * MS)
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    noted(Log(), 1, MS)  # what is made once is made now
    assert peak(100) < 2 * peak(5)


def test_latencies_of_all_magnitudes_stay_small() -> None:
    """A series of the longest form takes a few bytes a bin, in memory and on the way home."""
    latencies = np.geomspace(100, 10**10, 4096).astype(np.int64)
    sizes, bins = np.full(4096, 4096, dtype=np.int64), bins_of(latencies)
    found = Intervals()
    tracemalloc.start()
    for number in range(599):
        ends = np.full(4096, number * SECOND // 10, dtype=np.int64)
        for _ in range(3):
            found.add(ends, sizes, latencies, bins)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    filled = sum(len(row.counts) for row in found.filled.values())
    assert held < 10 * filled
    assert len(pickle.dumps(found)) < 10 * filled
