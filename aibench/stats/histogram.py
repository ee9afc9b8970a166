"""Log-linear latency histograms: 64 bins an octave, exact below 128 ns, merged by addition.

The bins are those of fio's ``clat_ns`` output (``FIO_IO_U_PLAT_BITS`` 6), so fio's bins map onto
ours one to one. A bin's middle is within 1/128 (0.8 %) of every value in it.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from aibench.model import Histogram

_BITS = 6
_PER_OCTAVE = 1 << _BITS
#: Enough for 2**40 ns, 18 minutes for a single operation; longer ones count in the last bin.
BINS = (41 - _BITS) * _PER_OCTAVE
_LARGEST = (1 << 40) - 1

Counts = NDArray[np.int64]


def bin_of(value: int) -> int:
    """The bin of a latency in ns."""
    value = min(max(value, 0), _LARGEST)
    shift = max(value.bit_length() - _BITS - 1, 0)
    return (shift << _BITS) + (value >> shift)


def bins_of(values: Counts) -> Counts:
    """The bins of many latencies in ns."""
    clipped = np.clip(values, 0, _LARGEST)
    octave = np.frexp(clipped.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(octave - _BITS - 1, 0)
    bins: Counts = (shift << _BITS) + (clipped >> shift)
    return bins


def bin_range(number: int) -> tuple[int, int]:
    """The smallest and the largest latency in ns of a bin."""
    if number < 2 * _PER_OCTAVE:
        return number, number
    shift = (number >> _BITS) - 1
    low = ((number & (_PER_OCTAVE - 1)) + _PER_OCTAVE) << shift
    return low, low + (1 << shift) - 1


def bin_value(number: int) -> int:
    """The latency in ns that stands for a bin: its middle."""
    low, high = bin_range(number)
    return (low + high + 1) // 2


class Recorder:
    """Collects latencies in one flat array of counts; freezes into a `Histogram`."""

    def __init__(self) -> None:
        self.counts: Counts = np.zeros(BINS, dtype=np.int64)
        self._total = 0
        self._min: int | None = None
        self._max: int | None = None

    def add(self, values: Counts, bins: Counts | None = None) -> None:
        """Count latencies in ns; ``bins`` saves the time of finding their bins again."""
        if len(values) == 0:
            return
        numbers = bins_of(values) if bins is None else bins
        self.counts += np.bincount(numbers, minlength=BINS)
        self._note(int(values.sum()), int(values.min()), int(values.max()))

    def add_bins(self, bins: Iterable[tuple[int, int]], total_ns: int, low: int, high: int) -> None:
        """Count what another tool has binned already: (bin number, count) pairs."""
        for number, count in bins:
            self.counts[min(number, BINS - 1)] += count
        self._note(total_ns, low, high)

    def _note(self, total: int, low: int, high: int) -> None:
        self._total += total
        self._min = low if self._min is None else min(self._min, low)
        self._max = high if self._max is None else max(self._max, high)

    def freeze(self) -> Histogram:
        """What was counted, as a noun."""
        filled = np.flatnonzero(self.counts)
        return Histogram(
            bins=tuple((int(i), int(self.counts[i])) for i in filled),
            count=int(self.counts.sum()),
            total_ns=self._total,
            min_ns=self._min,
            max_ns=self._max,
        )


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram of all that several ones counted."""
    recorder = Recorder()
    for histogram in histograms:
        if histogram.count and histogram.min_ns is not None and histogram.max_ns is not None:
            recorder.add_bins(
                histogram.bins, histogram.total_ns, histogram.min_ns, histogram.max_ns
            )
    return recorder.freeze()


def percentile(histogram: Histogram, share: float) -> int | None:
    """The latency in ns below or at which ``share`` (0 to 1) of the operations ended.

    Within 1 % of the exact order statistic; None for an empty histogram. Clamped to the exact
    smallest and largest value.
    """
    if histogram.count == 0 or histogram.min_ns is None or histogram.max_ns is None:
        return None
    rank = max(math.ceil(share * histogram.count), 1)
    if rank == histogram.count:
        return histogram.max_ns
    seen = 0
    for number, count in histogram.bins:
        seen += count
        if seen >= rank:
            return min(max(bin_value(number), histogram.min_ns), histogram.max_ns)
    return histogram.max_ns


def mean(histogram: Histogram) -> float | None:
    """The exact mean in ns, or None for an empty histogram."""
    return histogram.total_ns / histogram.count if histogram.count else None


def enough_for(share: float, operations: int) -> bool:
    """Whether ``operations`` suffice to print the percentile ``share``.

    The floor is Wilks' n >= ln 0.05 / ln q for a one-sided 95 % statement: 59 for p95, 299 for
    p99, 2995 for p99.9.
    """
    return operations >= math.log(0.05) / math.log(share)
