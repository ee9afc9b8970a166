"""What a phase has to measure when every call takes a known time: plain sums, no aibench code.

Each thread of control is a list of operations; each operation a tuple of named steps in ns, and
the bytes that it moves. Time passes in the steps alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from aibench.engine import Site
from aibench.formats.files import sizes_of
from aibench.model import Measurement, Operation, Phase, Population, Sizes
from aibench.stats.histogram import percentile
from aibench.workers.share import block_of
from tests import build

TENTH = 10**8
Steps = Mapping[str, int]
LOGNORMAL = Sizes(distribution="lognormal", mean=50_000, sigma=0.8, smallest=100, largest=300_000)


@dataclass(frozen=True)
class Done:
    """One operation: its steps and its bytes.

    ``early`` holds (time after its start, bytes) for what came before its last piece.
    """

    steps: Steps
    bytes: int = 0
    early: tuple[tuple[int, int], ...] = ()

    @property
    def whole(self) -> int:
        """The time of all steps."""
        return sum(self.steps.values())


def site(seed: int = 1) -> Site:
    """A site for an engine that touches nothing."""
    return Site(root="/nowhere", target=build.target(), seed=seed, host="client1")


def sizes(population: Population) -> list[int]:
    """The size of each file."""
    return sizes_of(population, np.arange(population.files, dtype=np.int64)).tolist()


def populated(files: int, sizes: Sizes = LOGNORMAL, **changes: Any) -> Population:
    """``files`` files in directories of ten."""
    return build.population(files=files, sizes=sizes, **{"files_per_directory": 10} | changes)


def moving(latency: int, size: int, bandwidth: int) -> int:
    """The time of one call that moves ``size`` bytes."""
    return latency + (size * 10**9 // bandwidth if bandwidth else 0)


def pieces(size: int, largest: int) -> list[int]:
    """How a file of ``size`` bytes is split into calls of at most ``largest``."""
    return [min(largest, size - start) for start in range(0, size, largest)]


def read(phase: Phase, size: int, pace: Mapping[str, int], bandwidth: int) -> Done:
    """Open, [fstat], read to the end, close."""
    look = pace["fstat"] if phase.reader == "stat" else 0
    calls = pieces(size, phase.io_size) or [0]
    times = [moving(pace["read"], call, bandwidth) for call in calls]
    opening = pace["open"] + look
    early = [(opening + sum(times[: n + 1]), call) for n, call in enumerate(calls[:-1])]
    steps = {"open": opening, "read": sum(times), "close": pace["close"]}
    return Done(steps, size, tuple(early))


def name_operation(operation: Operation, pace: Mapping[str, int]) -> Done:
    """The calls of one namespace operation."""
    calls = {
        Operation.CREATE: ("open", "close"),
        Operation.STAT: ("stat",),
        Operation.OPEN_CLOSE: ("open", "close"),
        Operation.LIST: ("open", "listdir", "close"),
        Operation.RENAME: ("rename",),
        Operation.DELETE: ("unlink",),
    }[operation]
    return Done({call: pace[call] for call in calls})


def batches(files: int, batch: int, slots: int) -> list[list[int]]:
    """How many files the batches of each slot have, dealt in turn."""
    sizes = [min(batch, files - first) for first in range(0, files, batch)]
    return [sizes[slot::slots] for slot in range(slots)]


def block_shares(count: int, phase: Phase) -> list[range]:
    """The contiguous share of each slot."""
    return [block_of(count, phase.slots, slot, phase.shift) for slot in range(phase.slots)]


def assert_times(measured: Measurement, ends: Sequence[int], threads: int) -> None:
    """Elapsed, first and last done, spread and workers for slots that end at ``ends``."""
    assert measured.elapsed_ns == measured.last_done_ns == max(ends)
    assert measured.start_spread_ns == 0
    assert [w.end_ns for w in measured.workers] == list(ends)
    assert {w.start_ns for w in measured.workers} == {0}
    places = [(w.host, w.process, w.thread) for w in measured.workers]
    assert places == [("client1", slot // threads, slot % threads) for slot in range(len(ends))]


def assert_histogram(measured: Measurement, kind: str, latencies: Iterable[int]) -> None:
    """Count, sum, extremes exactly; every bin within 1 % of the latencies that are in it."""
    found, expected = measured.histograms[kind], np.array(sorted(latencies))
    assert (found.count, found.total_ns) == (len(expected), int(expected.sum()))
    assert (found.min_ns, found.max_ns) == (int(expected[0]), int(expected[-1]))
    for share in (0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0):
        exact = int(np.quantile(expected, share, method="inverted_cdf"))
        value = percentile(found, share)
        assert value is not None
        assert abs(value - exact) <= 0.01 * exact


def assert_series(
    measured: Measurement,
    ended: Iterable[tuple[int, int, int]],
    came: Iterable[tuple[int, int]] = (),
) -> None:
    """The series of operations that are (end, bytes, latency), in intervals of 0.1 s.

    ``came`` holds (time, bytes) for pieces of operations that went on.
    """
    operations: Counter[int] = Counter()
    moved: Counter[int] = Counter()
    for time, size in came:
        moved[time // TENTH] += size
    latencies: dict[int, list[int]] = {}
    for end, size, latency in ended:
        operations[end // TENTH] += 1
        moved[end // TENTH] += size
        latencies.setdefault(end // TENTH, []).append(latency)
    series = measured.series
    assert series is not None
    assert series.interval_ns == TENTH
    numbers = range(max(operations) + 1)
    assert series.operations == tuple(operations[n] for n in numbers)
    assert series.bytes == tuple(moved[n] for n in numbers)
    assert series.max_ns == tuple(max(latencies[n]) if n in latencies else None for n in numbers)
    for column, share in ((series.p50_ns, 0.5), (series.p99_ns, 0.99)):
        for number, value in enumerate(column):
            if number not in latencies:
                assert value is None
                continue
            exact = int(np.quantile(latencies[number], share, method="inverted_cdf"))
            assert value is not None
            assert abs(value - exact) <= 0.01 * exact


def assert_simple(measured: Measurement, slots: Sequence[Sequence[Done]], threads: int) -> None:
    """Everything about a phase whose time is the sum of its operations."""
    ends = [[int(e) for e in np.cumsum([d.whole for d in slot])] for slot in slots]
    everything = [done for slot in slots for done in slot]
    assert measured.operations == len(everything)
    assert measured.bytes == sum(done.bytes for done in everything)
    assert measured.errors == 0
    last = [slot[-1] if slot else 0 for slot in ends]
    assert_times(measured, last, threads)
    assert measured.first_done_ns == min(end for end in last if end)
    assert [w.operations for w in measured.workers] == [len(slot) for slot in slots]
    assert [w.bytes for w in measured.workers] == [sum(d.bytes for d in slot) for slot in slots]
    assert_histogram(measured, "whole", (done.whole for done in everything))
    assert_series(
        measured,
        ((end, done.bytes - sum(size for _, size in done.early), done.whole)
         for done, end in zip(everything, chain.from_iterable(ends), strict=True)),
        ((end - done.whole + at, size)
         for done, end in zip(everything, chain.from_iterable(ends), strict=True)
         for at, size in done.early),
    )  # fmt: skip
