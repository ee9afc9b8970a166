"""One change of level: found where it is, and not where there is none."""

import numpy as np
import pytest

from aibench.stats.plateaus import level_shift
from tests.flow import cliff, noise


@pytest.mark.parametrize(
    ("count", "at", "then", "cv"),
    [
        (20, 6, 0.4, 0.05),
        (40, 10, 0.4, 0.05),
        (100, 7, 0.3, 0.05),
        (100, 40, 0.5, 0.15),
        (300, 200, 0.8, 0.05),
    ],
)
def test_a_cliff_is_found_where_it_is(count: int, at: int, then: float, cv: float) -> None:
    """The place is exact to one interval in a hundred, the levels to 3 %, nine times out of ten."""
    good = 0
    for seed in range(30):
        found = level_shift(np.array(cliff(1.0, then, at, count, cv=cv, seed=seed)))
        good += (
            found is not None
            and abs(found.at - at) <= max(count // 100, 1)
            and abs(found.after / then - 1) < max(0.03, cv)
            and found.p_value < 0.01
        )
    assert good >= 27


@pytest.mark.parametrize(
    ("count", "cv", "memory", "drift"),
    [(20, 0.2, 0.0, 0), (20, 0.2, 0.5, 0), (60, 0.2, 0.0, 0), (60, 0.2, 0.5, 0),
     (300, 0.05, 0.5, 0), (300, 0.2, 0.8, 0), (300, 0.5, 0.0, 0),
     (300, 0.05, 0.5, -0.2), (300, 0.05, 0.5, -0.5)],
)  # fmt: skip
def test_no_cliff_in_noise_or_in_a_slope(
    count: int, cv: float, memory: float, drift: float
) -> None:
    """Of 150 phases without a cliff at most two in a hundred are said to have one."""
    flagged = sum(
        level_shift(np.array(noise(seed, count, cv, memory, drift=drift))) is not None
        for seed in range(150)
    )
    assert flagged <= 3


def test_a_small_step_is_none() -> None:
    """Less than 10 % is not told of, however sure it is."""
    assert level_shift(np.array(cliff(1.0, 0.92, 50, 100, cv=0.001))) is None
    assert level_shift(np.array(cliff(1.0, 0.88, 50, 100, cv=0.001))) is not None


def test_a_stall_at_the_end_is_no_plateau() -> None:
    """What is left after a change has to be a fifth of all to be called a level."""
    assert level_shift(np.array(cliff(1.0, 0.3, 92, 100))) is None


def test_ups_and_downs_are_no_plateaus() -> None:
    """A rate that goes to and fro, as with garbage collection, has no two levels."""
    waves = np.where(np.arange(300) // 30 % 2 == 0, 1.0, 0.5)
    assert level_shift(waves * np.array(noise(1, 300, 0.03, 0.0))) is None


def test_exact_levels_are_told_apart() -> None:
    """Without any noise a cliff is a cliff, and a flat rate is flat."""
    found = level_shift(np.array([3.0] * 20 + [1.0] * 40))
    assert found is not None
    assert (found.at, found.before, found.after) == (20, 3, 1)
    assert level_shift(np.full(60, 3.0)) is None
    assert level_shift(np.zeros(60)) is None


def test_too_few_values_have_no_levels() -> None:
    """Ten values are the least whose order says anything."""
    for count in (0, 1, 2, 5, 9):
        assert level_shift(np.array([2.0] * (count // 2) + [1.0] * (count - count // 2))) is None
