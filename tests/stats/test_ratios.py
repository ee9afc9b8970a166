"""Ratios of runs that were not measured in pairs: known values, coverage, identity and swap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.stats.ratios import difference, inverse, mean, ratio

RATES = st.lists(st.floats(1e3, 1e12), min_size=2, max_size=8)


def test_the_interval_of_two_sets_by_hand() -> None:
    """Welch on logarithms: three runs a side, worked out by hand."""
    found = ratio([2.0, 2.2, 2.42], [1.0, 1.1, 1.21], "higher")
    assert found.typical == pytest.approx(2.0)
    spread = np.log(1.1) * np.sqrt(2 / 3)
    assert found.high == pytest.approx(2 * np.exp(2.7764451 * spread))
    assert found.low == pytest.approx(2 / np.exp(2.7764451 * spread))
    assert (found.n, found.worst, found.best) == (3, pytest.approx(2 / 1.1), pytest.approx(2.2))


@settings(max_examples=60, deadline=None)
@given(new=RATES, base=RATES)
def test_swapping_the_sides_turns_the_ratio_over(new: list[float], base: list[float]) -> None:
    """The ratio of B over A is the inverse of that of A over B, and so are its ends."""
    one, other = ratio(new, base, "higher"), inverse(ratio(base, new, "higher"))
    assert one.typical == pytest.approx(other.typical)
    assert (one.low, one.high) == (pytest.approx(other.low), pytest.approx(other.high))


@settings(max_examples=60, deadline=None)
@given(runs=RATES, unit=st.floats(0.01, 1000))
def test_a_set_against_itself_is_one_in_any_unit(runs: list[float], unit: float) -> None:
    """Identity gives exactly no difference, and the unit of both sides does not matter."""
    found = ratio([unit * value for value in runs], [unit * value for value in runs], "lower")
    assert found.typical == pytest.approx(1.0)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1 < found.high


def test_a_single_run_has_no_interval() -> None:
    """One run on a side gives a ratio without an interval."""
    found = ratio([2.0], [1.0, 1.0], "higher")
    assert (found.typical, found.low, found.high, found.n) == (2.0, None, None, 1)


def test_a_difference_of_shares_keeps_its_unit() -> None:
    """From 40 to 70 points is 30 points more, whatever their ratio."""
    found = difference([69.0, 70.0, 71.0], [39.0, 40.0, 41.0], "higher")
    assert found.typical == pytest.approx(30.0)
    assert found.low == pytest.approx(30 - 2.7764451 * np.sqrt(2 / 3))
    assert found.worst == pytest.approx(29.0)


def test_differences_of_pairs_may_have_any_sign() -> None:
    """Pairs give one difference each; around 0 the interval holds 0."""
    found = mean([-1.0, 0.0, 1.0], "higher")
    assert (found.typical, found.n, found.worst, found.best) == (0.0, 3, -1.0, 1.0)
    assert found.high == pytest.approx(4.3026527 / np.sqrt(3))
    assert mean([2.0], "lower").low is None


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_covers_the_true_ratio(n: int) -> None:
    """At three to ten runs a side, 95 % intervals hold the true ratio at least 93 times in 100."""
    rng = np.random.default_rng(7)
    held, times = 0, 1500
    sides = np.exp(rng.normal(0, 0.05, (times, 2, n)))
    for new, base in sides:
        found = ratio(8 * new, base, "higher")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 8 <= found.high
    assert 0.93 <= held / times <= 0.99
