"""Intervals of a few runs: values by hand, coverage by simulation, sides of a bound."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.stats.intervals import (
    RESOLUTION,
    Side,
    agreed_side,
    estimate,
    order_interval,
    per_unit,
    runs_needed,
    side,
    spread,
)

POSITIVE = st.floats(min_value=1e-3, max_value=1e15)


def test_the_interval_of_three_runs_by_hand() -> None:
    """For e, e² and e³ the mean logarithm is 2, s is 1 and t(.975, 2) is 4.302653."""
    found = estimate([math.e, math.e**2, math.e**3], "higher")
    half = 4.302653 / math.sqrt(3)
    assert found.typical == pytest.approx(math.exp(2))
    assert found.low == pytest.approx(math.exp(2 - half), rel=1e-6)
    assert found.high == pytest.approx(math.exp(2 + half), rel=1e-6)
    assert (found.n, found.method) == (3, "log-t, 95 %")


def test_the_typical_value_is_the_geometric_mean() -> None:
    """Twice as fast and half as fast cancel out."""
    assert estimate([50.0, 200.0], "higher").typical == pytest.approx(100.0)


@pytest.mark.parametrize(("better", "worst", "best"), [("higher", 1.0, 3.0), ("lower", 3.0, 1.0)])
def test_the_worst_run_follows_the_direction(better: str, worst: float, best: float) -> None:
    """The worst rate is the smallest, the worst time the largest."""
    found = estimate([2.0, 1.0, 3.0], better)
    assert (found.worst, found.best) == (worst, best)


def test_one_run_has_no_interval() -> None:
    """One run has a typical value, and says that it has no interval."""
    found = estimate([7.0], "higher")
    assert (found.typical, found.low, found.high) == (7.0, None, None)
    assert found.method == "single run, no interval"


def test_two_runs_have_a_very_wide_interval() -> None:
    """With two runs t is 12.7: runs 1 % apart leave an interval from -6 % to +7 %."""
    found = estimate([100.0, 101.0], "higher")
    assert found.low == pytest.approx(94.35, abs=0.01)
    assert found.high == pytest.approx(107.05, abs=0.01)


def test_equal_runs_get_an_interval_of_the_timers_resolution() -> None:
    """Equal runs don't prove a spread of zero: the interval is small and not empty."""
    found = estimate([20e9] * 5, "higher")
    assert found.typical == 20e9
    assert found.low is not None
    assert found.high is not None
    assert found.low < 20e9 < found.high
    assert (found.high - found.low) / 20e9 < 4 * RESOLUTION


def test_a_value_of_zero_makes_the_interval_linear() -> None:
    """Zero has no logarithm: mean and interval are linear, and don't go below 0."""
    found = estimate([0.0, 1.0, 2.0], "lower")
    assert (found.typical, found.low) == (1.0, 0.0)
    assert found.high == pytest.approx(1 + 4.302653 / math.sqrt(3), rel=1e-6)
    assert found.method == "linear t, 95 %"


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_value_that_is_no_rate_is_an_error(value: float) -> None:
    """Negative and non-finite values are mistakes, and are named."""
    with pytest.raises(ValueError, match="has to be 0 or more"):
        estimate([1.0, value], "higher")


def test_no_values_and_no_direction_are_errors() -> None:
    """An estimate needs a value and knows two directions."""
    with pytest.raises(ValueError, match="at least one value"):
        estimate([], "higher")
    with pytest.raises(ValueError, match="'higher' or 'lower'"):
        estimate([1.0], ">=")


@pytest.mark.parametrize("n", range(3, 11))
def test_log_t_covers_the_typical_run(n: int) -> None:
    """In 4000 seeded simulations with 5 % noise the 95 % interval holds the median in 93 %."""
    runs = np.exp(np.random.default_rng(n).normal(0.0, 0.05, size=(4000, n)))
    held = 0
    for row in runs.tolist():
        found = estimate(row, "higher")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1.0 <= found.high
    assert 0.93 <= held / 4000 <= 0.97


@given(st.lists(POSITIVE, min_size=2, max_size=12), st.floats(min_value=0.001, max_value=1000))
def test_the_interval_scales_with_the_unit(values: list[float], factor: float) -> None:
    """Another unit gives the same interval in that unit."""
    one, other = estimate(values, "higher"), estimate([v * factor for v in values], "higher")
    assert other.typical == pytest.approx(one.typical * factor, rel=1e-6)
    assert one.low is not None
    assert other.low == pytest.approx(one.low * factor, rel=1e-6)


@given(st.lists(POSITIVE, min_size=2, max_size=12))
def test_the_interval_holds_the_typical_value(values: list[float]) -> None:
    """Low, typical and high are in order, and the typical value lies among the runs."""
    found = estimate(values, "lower")
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.typical <= found.high
    assert found.best <= found.typical <= found.worst


def test_per_unit_divides_the_whole_estimate() -> None:
    """A quarter of the system has a quarter of the rate, and of its interval."""
    whole = estimate([80.0, 100.0, 120.0], "higher")
    quarter = per_unit(whole, 4)
    assert whole.low is not None
    assert whole.high is not None
    assert (quarter.low, quarter.high) == (whole.low / 4, whole.high / 4)
    assert (quarter.worst, quarter.best, quarter.n) == (20.0, 30.0, 3)
    single = per_unit(estimate([8.0], "higher"), 2)
    assert (single.typical, single.low, single.high) == (4.0, None, None)


@pytest.mark.parametrize(
    ("n", "ranks", "coverage"),
    [(6, (1, 6), 0.969), (7, (1, 7), 0.984), (8, (1, 8), 0.992), (9, (2, 8), 0.961),
     (10, (2, 9), 0.979), (12, (3, 10), 0.961)],
)  # fmt: skip
def test_order_statistics_by_the_table(n: int, ranks: tuple[int, int], coverage: float) -> None:
    """Six runs: smallest to largest cover the median in 96.9 %; ten: second to ninth, 97.9 %."""
    found = order_interval([float(x) for x in range(n, 0, -1)])
    assert found is not None
    assert found[:2] == ranks
    assert found[2] == pytest.approx(coverage, abs=5e-4)


def test_a_median_interval_needs_six_runs() -> None:
    """Five runs can't give 95 % without assuming a distribution, and six can't give 97.5 %."""
    assert order_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert order_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.975) is None


@pytest.mark.parametrize(
    ("low", "high", "better", "expected"),
    [(10.0, 12.0, "higher", Side.GOOD), (9.0, 12.0, "higher", Side.STRADDLES),
     (8.0, 10.0, "higher", Side.STRADDLES), (8.0, 9.9, "higher", Side.BAD),
     (8.0, 10.0, "lower", Side.GOOD), (9.0, 12.0, "lower", Side.STRADDLES),
     (10.0, 12.0, "lower", Side.STRADDLES), (10.1, 12.0, "lower", Side.BAD)],
)  # fmt: skip
def test_an_interval_that_touches_the_bound(
    low: float, high: float, better: str, expected: Side
) -> None:
    """An interval that begins at the bound is on its good side; one that ends there is open."""
    assert side(low, high, 10.0, better) is expected


def test_one_run_decides_nothing() -> None:
    """One run has no interval, so it is on no side."""
    assert agreed_side([100.0], 1.0, "higher") is Side.STRADDLES


def test_up_to_five_runs_log_t_decides_alone() -> None:
    """Below six runs there is no second interval to agree with."""
    assert agreed_side([11.0, 11.1, 11.2, 11.3, 11.4], 10.0, "higher") is Side.GOOD


def test_from_six_runs_on_both_intervals_have_to_agree() -> None:
    """One run of six below the bound: log-t says above, the order statistics can't say."""
    values = [9.5, 12.0, 12.0, 12.0, 12.0, 12.0]
    assert agreed_side([*values[1:], 12.1], 10.0, "higher") is Side.GOOD
    assert agreed_side(values, 10.0, "higher") is Side.DISAGREE


@given(st.lists(POSITIVE, min_size=2, max_size=12), POSITIVE)
def test_no_result_is_bad_both_as_a_rate_and_as_a_time(values: list[float], bound: float) -> None:
    """What lies below a bound is bad for a rate and good for a time, and the other way round."""
    turned = {Side.BAD: Side.GOOD}
    as_rate, as_time = (agreed_side(values, bound, better) for better in ("higher", "lower"))
    assert as_time is turned.get(as_rate, as_time)
    assert as_rate is turned.get(as_time, as_rate)


@pytest.mark.parametrize(
    ("gap", "n"), [(3.27, 3), (2.14, 4), (1.69, 5), (1.44, 6), (1.28, 7), (1.17, 8), (1.01, 10),
                   (0.9, 12), (0.79, 15), (0.67, 20), (0.535, 30)],
)  # fmt: skip
def test_runs_needed_by_the_table_of_detectable_effects(gap: float, n: int) -> None:
    """Five runs find an effect of 1.68 spreads with 80 % power, ten one of 1.00."""
    assert runs_needed(1.0, gap) == n


def test_no_number_of_runs_finds_no_difference() -> None:
    """At the bound itself, and far within the noise, more runs don't decide."""
    assert runs_needed(0.05, 0.0) is None
    assert runs_needed(0.5, 0.001) is None


def test_quiet_runs_need_only_the_fewest() -> None:
    """With no spread at all three runs are enough."""
    assert runs_needed(0.0, 0.05) == 3


def test_the_spread_is_close_to_the_coefficient_of_variation() -> None:
    """For a few per cent the deviation of the logarithms is the CV."""
    assert spread([0.95, 1.0, 1.05]) == pytest.approx(0.05, rel=0.01)
    assert spread([3.0, 3.0]) == RESOLUTION
