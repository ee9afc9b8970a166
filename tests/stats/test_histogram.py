"""Histograms against numpy's exact order statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.stats.histogram import (
    BINS,
    Recorder,
    bin_of,
    bin_range,
    bin_value,
    bins_of,
    enough_for,
    mean,
    merge,
    percentile,
)
from tests.build import histogram

LARGEST = 2**40 - 1
LATENCIES = st.integers(min_value=0, max_value=LARGEST)
#: Latencies of all magnitudes alike, where plain integers are nearly all huge.
WIDE = st.builds(lambda bits, x: x % 2**bits, st.integers(min_value=0, max_value=40), LATENCIES)
MANY = st.lists(WIDE, min_size=1, max_size=300)


@given(MANY, st.floats(min_value=0.0, max_value=1.0))
def test_a_percentile_is_within_one_per_cent_of_the_order_statistic(
    latencies: list[int], share: float
) -> None:
    """Any percentile is within 1 % of the value that sorting would give."""
    exact = int(np.quantile(latencies, share, method="inverted_cdf"))
    found = percentile(histogram(*latencies), share)
    assert found is not None
    assert abs(found - exact) <= 0.01 * exact


@given(MANY)
def test_the_largest_and_the_smallest_are_exact(latencies: list[int]) -> None:
    """The 100th percentile is the largest latency itself, and the smallest is kept too."""
    found = histogram(*latencies)
    assert percentile(found, 1.0) == max(latencies) == found.max_ns
    assert found.min_ns == min(latencies)


@given(MANY)
def test_the_mean_is_exact(latencies: list[int]) -> None:
    """The mean comes from the exact total, not from the bins."""
    assert mean(histogram(*latencies)) == sum(latencies) / len(latencies)


@given(st.lists(MANY, max_size=5))
def test_merging_is_concatenation(parts: list[list[int]]) -> None:
    """Merged histograms equal the histogram of all latencies together."""
    merged = merge(histogram(*part) for part in parts)
    assert merged == histogram(*(latency for part in parts for latency in part))


@given(MANY)
def test_one_and_many_latencies_find_the_same_bins(latencies: list[int]) -> None:
    """The fast path for arrays and the plain one for single values agree."""
    expected = [bin_of(latency) for latency in latencies]
    assert bins_of(np.array(latencies, dtype=np.int64)).tolist() == expected


def test_bins_agree_at_every_power_of_two() -> None:
    """Around each power of two, where bins change their width, both paths agree."""
    edges = [2**n + d for n in range(1, 42) for d in (-1, 0, 1)]
    expected = [bin_of(edge) for edge in edges]
    assert bins_of(np.array(edges, dtype=np.int64)).tolist() == expected


def test_bins_are_a_partition() -> None:
    """Bins follow one another without gap or overlap from 0 to 2**40 - 1 ns."""
    following = 0
    for number in range(BINS):
        low, high = bin_range(number)
        assert low == following
        assert bin_of(low) == bin_of(high) == number
        following = high + 1
    assert following == LARGEST + 1


def test_a_bins_middle_is_within_one_per_cent_of_all_in_it() -> None:
    """Below 128 ns bins are exact; above, the middle is within 1/128 of both ends."""
    for number in range(BINS):
        low, high = bin_range(number)
        assert max(high - bin_value(number), bin_value(number) - low) * 128 <= low


def test_a_latency_longer_than_the_last_bin_is_counted_in_it() -> None:
    """An operation of more than 18 minutes is counted, and its exact length kept as the maximum."""
    found = histogram(2**41)
    assert (found.bins, found.max_ns) == (((BINS - 1, 1),), 2**41)


def test_bins_of_another_tool_are_added() -> None:
    """(bin, count) pairs add up with single latencies; a bin beyond the end counts in the last."""
    recorder = Recorder()
    recorder.add(np.array([100], dtype=np.int64))
    recorder.add_bins([(100, 2), (BINS + 5, 1)], total_ns=1000, low=90, high=2**41)
    found = recorder.freeze()
    assert found.bins == ((100, 3), (BINS - 1, 1))
    assert (found.count, found.total_ns, found.min_ns, found.max_ns) == (4, 1100, 90, 2**41)


def test_an_empty_histogram_has_no_percentile_and_no_mean() -> None:
    """Nothing counted gives nothing, never 0."""
    empty = histogram()
    assert (empty.count, empty.min_ns, empty.max_ns) == (0, None, None)
    assert (percentile(empty, 0.5), mean(empty)) == (None, None)
    assert merge([]) == merge([empty, empty]) == empty


@pytest.mark.parametrize(("share", "n"), [(0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_a_percentile_needs_enough_operations(share: float, n: int) -> None:
    """A p99 of 64 operations is the maximum: 299 are the least for a p99."""
    assert enough_for(share, n)
    assert not enough_for(share, n - 1)
