"""What one thread of control writes down: raw times in flat arrays, binned now and then.

The loops store integers into preallocated arrays; every few hundred operations `Log.flush` bins
them with numpy. Memory doesn't grow with the number of operations.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aibench.model import Histogram, Series
from aibench.stats.histogram import BINS, Recorder, bin_value, bins_of

#: Operations between two flushes.
CAPACITY = 4096
_FINEST_NS = 10**8
_COARSER = 10
_MOST_INTERVALS = 600

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Interval:
    """What ended in one interval; ``counts`` are those of ``bins``, which are not empty."""

    operations: int = 0
    bytes: int = 0
    max_ns: int = 0
    bins: NDArray[np.uint16] = field(default_factory=lambda: np.empty(0, np.uint16))
    counts: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))

    def add(self, other: "Interval") -> None:
        """Count what another one counted."""
        self.operations += other.operations
        self.bytes += other.bytes
        self.max_ns = max(self.max_ns, other.max_ns)
        counts = np.zeros(BINS, dtype=np.uint32)
        counts[self.bins] = self.counts
        counts[other.bins] += other.counts
        self.bins, self.counts = _sparse(counts)

    def percentile(self, share: float) -> int | None:
        """The latency in ns at ``share``, as the middle of its bin."""
        if not len(self.bins):
            return None
        seen = np.cumsum(self.counts, dtype=np.int64)
        place = int(np.searchsorted(seen, share * int(seen[-1])))
        return min(bin_value(int(self.bins[place])), self.max_ns)


def _sparse(counts: NDArray[Any]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """(bins, their counts) without the empty ones, in six bytes each."""
    filled = np.flatnonzero(counts)
    return filled.astype(np.uint16), counts[filled].astype(np.uint32)


class Intervals:
    """A time series that gets ten times coarser when it grows past 600 intervals.

    Intervals are 0.1 s up to a minute, 1 s up to ten minutes, 10 s up to 100, and so on.
    """

    def __init__(self) -> None:
        self.interval_ns = _FINEST_NS
        self.filled: dict[int, Interval] = {}

    def add(self, ends: Ints, sizes: Ints, latencies: Ints, bins: Ints) -> None:
        """Count operations by when they ended, in ns from the start; ``ends`` ascend."""
        self._fit(int(ends[-1]))
        numbers = np.maximum(ends, 0) // self.interval_ns
        firsts = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
        for first, last in zip(firsts, [*firsts[1:], len(numbers)], strict=True):
            self._put(
                int(numbers[first]),
                Interval(
                    last - first,
                    int(sizes[first:last].sum()),
                    int(latencies[first:last].max()),
                    *_sparse(np.bincount(bins[first:last])),
                ),
            )

    def __getstate__(self) -> tuple[Any, ...]:
        """Everything in a few arrays: an object for each interval would be sent as many times."""
        rows = list(self.filled.values())
        counts = [(row.operations, row.bytes, row.max_ns, len(row.bins)) for row in rows]
        bins, numbers = [row.bins for row in rows], [row.counts for row in rows]
        return (
            self.interval_ns,
            np.array([*self.filled], dtype=np.int64),
            np.array(counts, dtype=np.int64).reshape(-1, 4),
            np.concatenate(bins) if bins else np.empty(0, np.uint16),
            np.concatenate(numbers) if numbers else np.empty(0, np.uint32),
        )

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.interval_ns, places, counts, bins, numbers = state
        self.filled, begin = {}, 0
        for place, (operations, moved, longest, length) in zip(
            places.tolist(), counts.tolist(), strict=True
        ):
            end = begin + length
            part = (bins[begin:end], numbers[begin:end])
            self.filled[place] = Interval(operations, moved, longest, *part)
            begin = end

    def without_bins(self) -> "Intervals":
        """The same without latencies but the largest: as small as counts are."""
        bare = Intervals()
        bare.interval_ns = self.interval_ns
        bare.filled = {
            place: Interval(each.operations, each.bytes, each.max_ns)
            for place, each in self.filled.items()
        }
        return bare

    def add_bytes(self, end: int, count: int) -> None:
        """Count bytes of an operation that goes on, by when they came, in ns from the start."""
        self._fit(end)
        self.filled.setdefault(max(end, 0) // self.interval_ns, Interval()).bytes += count

    def _fit(self, end: int) -> None:
        """Get coarser as often as ``end`` asks for."""
        while end >= _MOST_INTERVALS * self.interval_ns:
            self.coarsen(self.interval_ns * _COARSER)

    def _put(self, number: int, interval: Interval) -> None:
        if (known := self.filled.get(number)) is None:
            self.filled[number] = interval
        else:
            known.add(interval)

    def coarsen(self, interval_ns: int) -> None:
        """Merge into intervals of ``interval_ns``, a multiple of the present one."""
        factor = interval_ns // self.interval_ns
        if factor <= 1:
            return
        fine, self.filled, self.interval_ns = self.filled, {}, interval_ns
        for number, interval in fine.items():
            self._put(number // factor, interval)


def together(parts: Iterable[Intervals]) -> Intervals | None:
    """The intervals of all workers in one; None when nothing ended."""
    found = [part for part in parts if part.filled]
    if not found:
        return None
    merged = Intervals()
    merged.interval_ns = max(part.interval_ns for part in found)
    for part in found:
        part.coarsen(merged.interval_ns)
        for number, interval in part.filled.items():
            merged.filled.setdefault(number, Interval()).add(interval)
    return merged


def merge_intervals(parts: Iterable[Intervals]) -> Series | None:
    """One series from those of all workers; None when nothing ended."""
    merged = together(parts)
    if merged is None:
        return None
    rows = [merged.filled.get(i, Interval()) for i in range(max(merged.filled) + 1)]
    return Series(
        interval_ns=merged.interval_ns,
        operations=tuple(row.operations for row in rows),
        bytes=tuple(row.bytes for row in rows),
        p50_ns=tuple(row.percentile(0.5) for row in rows),
        p99_ns=tuple(row.percentile(0.99) for row in rows),
        max_ns=tuple(row.max_ns if row.operations else None for row in rows),
    )


class Log:
    """Clock readings of up to `CAPACITY` operations, and the histograms of all before.

    ``parts`` names the steps of an operation. ``stamps`` are arrays of clock readings: before the
    first step and after each. A loop stores into them and then flushes.
    """

    def __init__(self, *parts: str) -> None:
        self._parts = parts or ("whole",)
        self.stamps = tuple(array("q", bytes(8 * CAPACITY)) for _ in range(len(self._parts) + 1))
        self._views = [np.frombuffer(stamps, dtype=np.int64) for stamps in self.stamps]
        self._recorders = {kind: Recorder() for kind in ("whole", *parts)}
        self.intervals = Intervals()

    def flush(self, sizes: Ints, start_ns: int, batch: int = 1) -> None:
        """Bin the first operations in the arrays: as many as there are ``sizes`` in bytes.

        ``batch`` of them at a time make a batch, from its first step to its last.
        """
        count = len(sizes)
        if count == 0:
            return
        first, last = self._views[0][:count], self._views[-1][:count]
        whole = last - first
        bins = bins_of(whole)
        self._recorders["whole"].add(whole, bins)
        if len(self._parts) > 1:
            for part, before, after in zip(
                self._parts, self._views[:-1], self._views[1:], strict=True
            ):
                self._recorders[part].add(after[:count] - before[:count])
        if batch > 1:
            ends = np.minimum(np.arange(batch - 1, count + batch - 1, batch), count - 1)
            self._recorders.setdefault("batch", Recorder()).add(last[ends] - first[::batch])
        self.intervals.add(last - start_ns, sizes, whole, bins)

    def note(self, kind: str, latencies_ns: Sequence[int] | Ints) -> None:
        """Count latencies of a rare kind, such as an fsync."""
        self._recorders.setdefault(kind, Recorder()).add(np.array(latencies_ns, dtype=np.int64))

    def histograms(self) -> Mapping[str, Histogram]:
        """Everything that was flushed or noted, by kind."""
        frozen = {kind: recorder.freeze() for kind, recorder in self._recorders.items()}
        return {kind: histogram for kind, histogram in frozen.items() if histogram.count}
