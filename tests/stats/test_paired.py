"""Ratios of two sides: by hand, mirrored, with the error and the power that the tables say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aibench.stats.intervals import RESOLUTION
from aibench.stats.multiplicity import benjamini_hochberg, holm
from aibench.stats.paired import Contrast, logarithms, of_pairs, of_sets
from aibench.stats.signflip import sign_flip_p

POSITIVE = st.floats(min_value=1e-3, max_value=1e15)
PAIRS = st.lists(st.tuples(POSITIVE, POSITIVE), min_size=2, max_size=12)


def found(contrast: Contrast | None) -> Contrast:
    """A contrast that there has to be."""
    assert contrast is not None
    return contrast


def test_three_pairs_by_hand() -> None:
    """For ratios e, e² and e³ the mean logarithm is 2, s is 1 and t(.975, 2) is 4.302653."""
    contrast = found(of_pairs([math.e, math.e**2, math.e**3], [1.0, 1.0, 1.0]))
    half = 4.302653 / math.sqrt(3)
    assert contrast.center == pytest.approx(2)
    assert contrast.interval(0.95) == pytest.approx((2 - half, 2 + half), rel=1e-6)


def test_it_agrees_with_scipy() -> None:
    """Paired, Welch and their p are those of scipy's tests on the logarithms."""
    chance = np.random.default_rng(5)
    one, other = np.exp(chance.normal(0.1, 0.2, 9)), np.exp(chance.normal(0, 0.5, 9))
    paired, apart = found(of_pairs(one, other)), found(of_sets(one, other[:6]))
    theirs = stats.ttest_rel(np.log(one), np.log(other))
    welch = stats.ttest_ind(np.log(one), np.log(other[:6]), equal_var=False)
    assert paired.p_different() == pytest.approx(theirs.pvalue)
    assert paired.interval(0.9) == pytest.approx(tuple(theirs.confidence_interval(0.9)))
    assert apart.p_different() == pytest.approx(welch.pvalue)
    assert apart.interval(0.95) == pytest.approx(tuple(welch.confidence_interval(0.95)))


@given(PAIRS)
def test_a_side_against_itself_is_no_difference(pairs: list[tuple[float, float]]) -> None:
    """Equal values have the ratio 1, an interval of no more than the resolution, and p 1."""
    values = [one for one, _ in pairs]
    contrast = found(of_pairs(values, values))
    assert contrast.center == 0
    low, high = contrast.interval(0.95)
    assert -20 * RESOLUTION < low < 0 < high < 20 * RESOLUTION
    assert contrast.p_different() == 1


@given(PAIRS)
def test_swapping_negates_exactly(pairs: list[tuple[float, float]]) -> None:
    """With the sides swapped every logarithm is the negative to the last bit, and p is the same."""
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    for compared in (of_pairs, of_sets):
        there, back = found(compared(one, other)), found(compared(other, one))
        assert there.center == -back.center
        low, high = there.interval(0.95)
        assert back.interval(0.95) == (-high, -low)
        assert there.p_different() == back.p_different()


@given(PAIRS, st.floats(min_value=0.001, max_value=1000))
def test_the_unit_does_not_matter(pairs: list[tuple[float, float]], factor: float) -> None:
    """Values in another unit have the same ratio."""
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    plain = found(of_pairs(one, other))
    scaled = found(of_pairs([a * factor for a in one], [b * factor for b in other]))
    assert scaled.center == pytest.approx(plain.center, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_what_has_no_logarithm_is_an_error(value: float) -> None:
    """Zero, negative and non-finite values have no ratio, and are named."""
    with pytest.raises(ValueError, match="no logarithm"):
        of_pairs([1.0, value], [1.0, 1.0])


def test_one_pair_has_no_interval() -> None:
    """One pair tells nothing of its own noise."""
    assert of_pairs([1.0], [2.0]) is None
    assert of_sets([1.0, 2.0], [2.0]) is None


@pytest.mark.parametrize(
    ("n", "paired", "apart"),
    [(3, 3.26, 3.07), (5, 1.68, 2.02), (7, 1.27, 1.63), (10, 1.00, 1.32), (20, 0.66, 0.91)],
)
def test_the_smallest_detectable_difference(n: int, paired: float, apart: float) -> None:
    """What is found with a chance of 80 %, in standard deviations, by the number of runs."""
    one = Contrast(0.0, 1 / math.sqrt(n), n - 1, n, 1.0)
    two = Contrast(0.0, math.sqrt(2 / n), 2 * n - 2, n, None)
    assert one.detectable(0.95) == pytest.approx(paired, abs=0.01)
    assert two.detectable(0.95) == pytest.approx(apart, abs=0.01)


def test_a_difference_of_that_size_is_found_four_times_in_five() -> None:
    """In 2000 seeded duels of six pairs the detectable difference is found in 80 %."""
    n, spread = 6, 0.03
    shift = Contrast(0.0, spread / math.sqrt(n), n - 1, n, spread).detectable(0.95)
    ratios = np.exp(np.random.default_rng(1).normal(shift, spread, (2000, n)))
    seen = sum(found(of_pairs(row, [1.0] * n)).interval(0.95)[0] > 0 for row in ratios.tolist())
    assert 0.77 <= seen / 2000 <= 0.83


@pytest.mark.parametrize("noise", ["normal", "slow runs", "two modes"])
@pytest.mark.parametrize("n", [3, 4, 6, 10, 20])
def test_pairs_of_equal_sides_differ_no_more_often_than_the_level(n: int, noise: str) -> None:
    """In 2000 seeded A/A duels the 95 % interval leaves out 1 in at most 5 %."""
    chance = np.random.default_rng(n)
    shape = (2000, n, 2)
    drawn = {
        "normal": chance.normal(0, 0.05, shape),
        "slow runs": chance.normal(0, 0.02, shape) - 0.3 * (chance.random(shape) < 0.1),
        "two modes": chance.normal(0, 0.02, shape) + 0.1 * (chance.random(shape) < 0.5),
    }[noise]
    values = np.exp(drawn)
    wrong = sum(found(of_pairs(row[:, 0], row[:, 1])).p_different() <= 0.05 for row in values)
    assert wrong / 2000 <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize(("n", "smallest"), [(6, 0.03125), (8, 0.0078125), (10, 0.001953125)])
def test_the_smallest_exact_p(n: int, smallest: float) -> None:
    """Where all pairs agree the sign-flip p is 2^(1-n); fewer than six can't reach 5 %."""
    assert sign_flip_p([0.1 * (k + 1) for k in range(n)]) == smallest
    assert sign_flip_p([0.1] * 5) is None


@given(st.lists(st.floats(min_value=-1, max_value=1), min_size=6, max_size=11))
def test_the_sign_flip_p_is_that_of_all_signs(logarithms: list[float]) -> None:
    """Counting half against half gives the p of counting all 2^n choices of signs."""
    values = np.array(logarithms)
    signs = 1 - 2 * ((np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1)
    slack = 1e-12 * np.abs(values).sum()
    expected = np.mean(np.abs(signs @ values) >= abs(values.sum()) - slack)
    assert sign_flip_p(logarithms) == pytest.approx(expected)
    assert sign_flip_p(logarithms) == sign_flip_p([-value for value in logarithms])


def test_forty_pairs_are_exact_too() -> None:
    """The sums of forty pairs are counted without 2^40 steps; more are not counted."""
    assert sign_flip_p([0.01] * 40) == 2.0**-39
    assert sign_flip_p([0.01] * 41) is None


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=20))
def test_adjusting_for_many_questions(values: list[float]) -> None:
    """Holm is never below Benjamini-Hochberg, which is scipy's; one question is not adjusted."""
    adjusted, screened = holm(values), benjamini_hochberg(values)
    assert screened == pytest.approx(tuple(stats.false_discovery_control(values)))
    assert all(p <= s + 1e-12 and s <= h + 1e-12
               for p, s, h in zip(values, screened, adjusted, strict=True))  # fmt: skip
    assert min(adjusted) == pytest.approx(min(1, len(values) * min(values)))
    assert holm([0.03]) == benjamini_hochberg([0.03]) == (0.03,)


def test_holm_by_hand() -> None:
    """Three p of .01, .04 and .03 become .03, .06 and .06."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))


def test_logarithms_of_pairs() -> None:
    """The logarithm of each pair's ratio stands by itself."""
    assert logarithms([math.e, 1.0], [1.0, math.e]) == pytest.approx((1.0, -1.0))
