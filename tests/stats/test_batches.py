"""Batches of intervals: values by hand, memory and warm-up by simulation."""

import numpy as np
import pytest

from aibench.stats.batches import (
    autocorrelation_time,
    batch_means,
    between,
    equal_means,
    level_residuals,
    line_residuals,
    warm_up,
)
from tests.flow import noise


def test_what_does_not_fill_a_batch_is_left_out_in_front() -> None:
    """The end of a phase counts, its beginning is what may not belong to it."""
    assert batch_means(np.array([9.0, 1, 3, 5, 7]), 2).tolist() == [2, 6]


def test_ten_batches_hold_everything() -> None:
    """Batches of equal number leave nothing out; some are longer by one."""
    assert equal_means(np.arange(5.0), 2).tolist() == [1, 3.5]
    assert equal_means(np.arange(10.0), 5).tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]


def test_a_line_leaves_nothing_of_a_line() -> None:
    """The residuals of a straight line are zero, and those of flat values too."""
    assert line_residuals(np.arange(10.0)) == pytest.approx(np.zeros(10))
    assert line_residuals(np.full(1, 3.0)).tolist() == [0]


def test_two_levels_leave_nothing_of_two_levels() -> None:
    """The best cut of two levels is where they meet, and explains all of the squares."""
    values = np.array([4.0, 4, 4, 1, 1, 1, 1])
    assert level_residuals(values) == pytest.approx(np.zeros(7))
    explained = between(values)
    assert int(np.argmax(explained)) + 1 == 3
    assert explained[2] == pytest.approx(np.sum((values - values.mean()) ** 2))


@pytest.mark.parametrize(("memory", "true"), [(0.0, 0.5), (0.5, 1.5), (0.8, 4.5)])
@pytest.mark.parametrize("shape", ["flat", "sloping", "cliff"])
def test_memory_is_told_apart_from_trend_and_cliff(memory: float, true: float, shape: str) -> None:
    """The autocorrelation time is ½(1 + ρ)/(1 - ρ) within a third, whatever the level does."""
    found = []
    for seed in range(40):
        values = np.array(noise(seed, 1000, 0.05, memory, drift=0.5 if shape == "sloping" else 0))
        values[400:] *= 0.5 if shape == "cliff" else 1
        found.append(autocorrelation_time(values))
    # The noise of a cliff is smaller behind it, which hides part of the memory.
    assert np.median(found) == pytest.approx(true, rel=0.34)


def test_equal_values_remember_nothing() -> None:
    """Without any noise there is no memory, and nothing is divided by zero."""
    for values in (np.full(50, 7.0), np.zeros(50), np.arange(50.0), np.array([1.0])):
        assert autocorrelation_time(values) == 0.5


def test_a_slow_start_is_warm_up() -> None:
    """MSER cuts off all that comes before the level and little after, or else nothing."""
    cuts = []
    for seed in range(20):
        values = np.array(noise(seed, 300, 0.05, 0.3))
        values[:40] *= 0.3
        cuts.append(warm_up(values))
    assert all(cut == 0 or cut >= 40 for cut in cuts)
    assert sum(40 <= cut <= 60 for cut in cuts) >= 17


def test_a_fall_is_no_warm_up() -> None:
    """Whatever the rate falls from is not cut off: the fall is what a reader has to know."""
    for seed in range(20):
        assert warm_up(np.array(noise(seed, 300, 0.05, 0.3, drift=-0.2))) == 0


def test_a_flat_phase_has_hardly_any_warm_up() -> None:
    """On average less than a twentieth of flat noise is taken for warm-up."""
    cuts = [warm_up(np.array(noise(seed, 300, 0.1, 0.5))) for seed in range(60)]
    assert np.mean(cuts) < 15


def test_no_level_no_warm_up() -> None:
    """A phase that drifts all along warms up to nothing; neither does one that is too short."""
    assert warm_up(np.arange(100.0, 400.0)) == 0
    assert warm_up(np.array([0.0] * 10 + [1.0] * 80)) == 0
