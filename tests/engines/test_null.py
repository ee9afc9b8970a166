"""With a given time for each call, every reported figure is what one computes by hand."""

from dataclasses import replace
from typing import Any

import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.formats.files import granule
from aibench.metrics import metrics
from aibench.model import (
    Measurement,
    Operation,
    Order,
    Phase,
    Sizes,
    SyncPolicy,
)
from aibench.workers.share import dealt
from tests import build
from tests.engines.by_hand import (
    Done,
    assert_histogram,
    assert_series,
    assert_simple,
    assert_times,
    batches,
    block_shares,
    moving,
    name_operation,
    pieces,
    populated,
    read,
    site,
    sizes,
)

MS = 10**6
SECOND = 10**9
#: A slow network filesystem: every call has a time of its own.
PACE = {
    "open": 3_000_017, "fstat": 500_009, "read": 1_000_003, "close": 200_003, "write": 700_001,
    "fsync": 9_000_011, "rename": 2_000_003, "stat": 600_011, "listdir": 4_000_037,
    "unlink": 1_500_007, "mkdir": 10**9, "ftruncate": 10**8,
}  # fmt: skip
BANDWIDTH = 123_456_789
SLOTS = [(1, 1), (3, 1), (1, 3), (2, 2)]
spread_out = pytest.mark.parametrize(("processes", "threads"), SLOTS)


def measure(phase: Phase, latency: dict[str, int] | None = None, **pace: Any) -> Measurement:
    """What the null engine measures at the given pace."""
    chosen = Pace(latency_ns=PACE if latency is None else latency, **pace)
    return NullEngine(chosen).run(phase, site(), lambda *_: None)


@spread_out
@pytest.mark.parametrize("reader", ["lean", "stat"])
@pytest.mark.parametrize("order", list(Order))
def test_reading_files(processes: int, threads: int, reader: str, order: Order) -> None:
    """An epoch of files of many sizes: times, steps, batches, series and workers add up."""
    population = populated(137)
    phase = build.phase(
        population=population, processes=processes, threads=threads, reader=reader, order=order,
        batch=8, io_size=65_536,
    )  # fmt: skip
    measured = measure(phase, bandwidth=BANDWIDTH)
    of = sizes(population)
    slots = [
        [
            read(phase, of[index], PACE, BANDWIDTH)
            for chunk in dealt(phase, 1, slot)
            for index in chunk
        ]
        for slot in range(phase.slots)
    ]
    assert_simple(measured, slots, threads)
    for kind in ("open", "read", "close"):
        assert_histogram(measured, kind, (d.steps[kind] for slot in slots for d in slot))
    whole = []
    for slot, counts in zip(slots, batches(137, 8, phase.slots), strict=True):
        left = list(slot)
        for count in counts:
            whole.append(sum(done.whole for done in left[:count]))
            del left[:count]
    assert_histogram(measured, "batch", whole)
    assert set(measured.histograms) == {"whole", "open", "read", "close", "batch"}
    assert (measured.timers, measured.warnings) == ({}, ())


@spread_out
def test_loading_shards(processes: int, threads: int) -> None:
    """Each rank reads the shards of the next one, in pieces; the makespan is the slowest rank's."""
    population = populated(11, Sizes(distribution="fixed", mean=1_000_000))
    phase = build.phase(
        operation=Operation.LOAD_SHARDS, population=population, processes=processes,
        threads=threads, io_size=262_144, shift=1, order=Order.SEQUENTIAL,
    )  # fmt: skip
    measured = measure(phase, bandwidth=BANDWIDTH)
    one = read(phase, 1_000_000, PACE, BANDWIDTH)
    assert_simple(measured, [[one] * len(part) for part in block_shares(11, phase)], threads)
    found = {
        metric.name: metric.value for metric in metrics(phase, build.sample(measurement=measured))
    }
    slowest = -(-11 // phase.slots) * one.whole
    assert found["makespan"] == slowest
    assert found["read_bandwidth"] == 11_000_000 * 10**9 / slowest


@spread_out
@pytest.mark.parametrize("sync", list(SyncPolicy))
def test_saving_shards(processes: int, threads: int, sync: SyncPolicy) -> None:
    """Blocked time ends with the last write, durable time with the last sync of a directory."""
    shards, size, io_size = 14, 1_000_001, 262_144
    population = populated(shards, Sizes(distribution="fixed", mean=size))
    phase = build.phase(
        operation=Operation.SAVE_SHARDS, population=population, processes=processes,
        threads=threads, io_size=io_size, sync=sync,
    )  # fmt: skip
    measured = measure(phase, bandwidth=BANDWIDTH)
    parts = block_shares(shards, phase)
    calls = [moving(PACE["write"], piece, BANDWIDTH) for piece in pieces(size, io_size)]
    one = PACE["open"] + sum(calls)
    fsync = 0 if sync is SyncPolicy.NONE else PACE["fsync"]
    commit = fsync + PACE["close"] + PACE["rename"]
    per_directory = PACE["open"] + PACE["fsync"] + PACE["close"]
    directories = [
        len({index // 10 for index in part}) if sync is SyncPolicy.COMMIT else 0 for part in parts
    ]
    ends = [
        len(part) * (one + commit) + count * per_directory
        for part, count in zip(parts, directories, strict=True)
    ]
    assert_times(measured, ends, threads)
    assert (measured.operations, measured.bytes) == (shards, shards * size)
    timers = {"blocked": max(len(part) * one for part in parts)}
    if sync is not SyncPolicy.NONE:
        timers["durable"] = max(ends)
    assert measured.timers == timers
    whole = [end - k * one for part, end in zip(parts, ends, strict=True) for k in range(len(part))]
    assert_histogram(measured, "whole", whole)
    assert_histogram(measured, "write", calls * shards)
    if fsync:
        assert_histogram(measured, "fsync", [fsync] * shards)
    kinds = {"whole", "write"} | ({"fsync"} if fsync else set())
    assert set(measured.histograms) == kinds
    written = []
    for part in parts:
        now = 0
        for _ in part:
            now += PACE["open"]
            for call, piece in zip(calls, pieces(size, io_size), strict=True):
                now += call
                written.append((now, piece, call))
    assert_series(measured, written)
    found = {
        metric.name: metric.value for metric in metrics(phase, build.sample(measurement=measured))
    }
    assert found["makespan"] == max(ends)
    assert found["blocked_time"] == timers["blocked"]
    assert found.get("durable_time") == timers.get("durable")


@spread_out
@pytest.mark.parametrize("sync", [SyncPolicy.NONE, SyncPolicy.END])
def test_writing_files(processes: int, threads: int, sync: SyncPolicy) -> None:
    """Generating a data set: open, writes of at most the I/O size, [fsync], close."""
    population = populated(137)
    phase = build.phase(
        operation=Operation.WRITE_FILES, population=population, processes=processes,
        threads=threads, io_size=65_536, sync=sync,
    )  # fmt: skip
    measured = measure(phase, bandwidth=BANDWIDTH)
    extra = PACE["open"] + PACE["close"] + (PACE["fsync"] if sync is SyncPolicy.END else 0)

    def write(size: int) -> Done:
        calls = [moving(PACE["write"], piece, BANDWIDTH) for piece in pieces(size, 65_536)]
        return Done({"whole": sum(calls) + extra}, size)

    of, each = sizes(population), granule(population)
    granules = [of[start : start + each] for start in range(0, 137, each)]
    shares = block_shares(len(granules), phase)
    slots = [[write(size) for number in part for size in granules[number]] for part in shares]
    assert_simple(measured, slots, threads)


@spread_out
@pytest.mark.parametrize(
    "operation",
    [Operation.CREATE, Operation.STAT, Operation.OPEN_CLOSE, Operation.LIST, Operation.RENAME,
     Operation.DELETE],
)  # fmt: skip
def test_names(processes: int, threads: int, operation: Operation) -> None:
    """Each namespace operation takes its own calls; a listing is one operation a directory."""
    population = populated(137, Sizes(distribution="fixed", mean=0, smallest=0))
    phase = build.phase(
        operation=operation, population=population, processes=processes, threads=threads, shift=1
    )
    measured = measure(phase)
    count = 14 if operation is Operation.LIST else 137
    one = name_operation(operation, PACE)
    assert_simple(measured, [[one] * len(part) for part in block_shares(count, phase)], threads)
    found = {
        metric.name: metric.value for metric in metrics(phase, build.sample(measurement=measured))
    }
    slowest = -(-count // phase.slots) * one.whole
    assert found["operations_per_second"] == count * 10**9 / slowest


def test_the_figures_of_one_simple_epoch() -> None:
    """1000 files of 4 KiB by two workers at 1 ms each: half a second, 2000 files/s, 8.19 MB/s."""
    phase = build.phase(population=build.population(files=1000), batch=10)
    measured = measure(phase, {"open": 300_000, "read": 600_000, "close": 100_000})
    found = {m.name: m.value for m in metrics(phase, build.sample(measurement=measured))}
    assert measured.elapsed_ns == SECOND // 2
    assert found["files_per_second"] == 2000
    assert found["read_bandwidth"] == 8_192_000
    assert found["latency_p50"] == found["latency_p99"] == found["latency_max"] == MS
    assert found["latency_mean"] == MS
    assert found["latency_p99.9"] is None  # 1000 operations are too few
    assert found["batch_latency_p50"] == 10 * MS
    assert found["first_done"] == SECOND // 2
    series = measured.series
    assert series is not None
    assert series.operations == (198, 200, 200, 200, 200, 2)  # what ends at 0.1 s is in the next
    assert series.bytes == tuple(4096 * count for count in series.operations)


def test_bandwidth_alone_decides() -> None:
    """With a bandwidth and no latencies, each thread of control moves exactly that much."""
    population = build.population(files=64, sizes=Sizes(distribution="fixed", mean=10**6))
    phase = build.phase(population=population, processes=4, io_size=2**20)
    measured = measure(phase, {}, bandwidth=10**9)
    assert measured.elapsed_ns == 16 * MS
    assert measured.bytes * 10**9 / measured.elapsed_ns == 4 * 10**9


@pytest.mark.parametrize("files", [100_000, 30])
def test_a_bounded_phase_ends_in_time(files: int) -> None:
    """A phase bounded in time ends with the operation that reaches it, epoch after epoch."""
    phase = build.phase(population=build.population(files=files), batch=10, runtime_ns=100 * MS)
    measured = measure(phase, {"read": MS})
    assert measured.elapsed_ns == 100 * MS
    assert measured.operations == 200
    assert [worker.operations for worker in measured.workers] == [100, 100]


@pytest.mark.parametrize(
    "operation", [Operation.LOAD_SHARDS, Operation.CREATE, Operation.STAT, Operation.OPEN_CLOSE,
                  Operation.LIST, Operation.RENAME, Operation.DELETE]
)  # fmt: skip
def test_a_bounded_phase_goes_over_few_files_again(operation: Operation) -> None:
    """So that the harness alone can be measured: 30 files, or 15 directories, last for any time."""
    population = build.population(files=30, files_per_directory=2)
    phase = build.phase(operation=operation, population=population, processes=3, shift=1,
                        runtime_ns=100 * MS)  # fmt: skip
    measured = measure(phase, dict.fromkeys(("close", "stat", "rename", "unlink"), MS))
    assert measured.elapsed_ns == 100 * MS
    assert [worker.operations for worker in measured.workers] == [100, 100, 100]


def test_workers_without_a_batch_do_not_hang() -> None:
    """A bounded phase with fewer batches than workers ends, and the idle ones did nothing."""
    phase = build.phase(population=build.population(files=10), processes=4, batch=8,
                        runtime_ns=50 * MS)  # fmt: skip
    measured = measure(phase, {"read": MS})
    assert [worker.operations for worker in measured.workers] == [50, 50, 0, 0]
    for operation in (Operation.LIST, Operation.LOAD_SHARDS):
        few = replace(phase, operation=operation, population=build.population(files=1))
        assert measure(few, {"close": MS}).operations == 50


@pytest.mark.parametrize(
    "operation", [Operation.READ_FILES, Operation.LOAD_SHARDS, Operation.SAVE_SHARDS,
                  Operation.WRITE_FILES, Operation.STAT]
)  # fmt: skip
def test_workers_with_nothing_to_do_are_not_the_first_done(operation: Operation) -> None:
    """More workers than files: who had nothing to do is neither first done nor a failure."""
    population = build.population(files=3, files_per_directory=1)
    phase = build.phase(operation=operation, population=population, processes=5)
    measured = measure(phase)
    assert measured.operations == 3
    assert measured.first_done_ns == measured.last_done_ns == measured.elapsed_ns > 0
