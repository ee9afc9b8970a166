"""Scaling: the exponent and its interval by the published table, the knee, what is not told."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from aibench.stats.scaling import Scaling, exponent_needed, fit


def grown(exponent: float, sizes: tuple[int, ...], sigma: float = 0.0, seed: int = 1) -> Scaling:
    """Three runs at each size of a system that grows with that exponent."""
    rng = np.random.default_rng(seed)
    return fit({n: list(n**exponent * np.exp(rng.normal(0, sigma, 3))) for n in sizes})


@pytest.mark.parametrize(
    ("efficiency", "largest", "exponent"),
    [(0.9, 8, 0.949), (0.8, 8, 0.893), (0.9, 4, 0.924), (0.9, 16, 0.962), (1.0, 8, 1.0)],
)
def test_the_exponent_that_an_efficiency_needs(
    efficiency: float, largest: int, exponent: float
) -> None:
    """Keeping 90 % up to eight times the size takes an exponent of 0.949."""
    assert exponent_needed(efficiency, 1, largest) == pytest.approx(exponent, abs=5e-4)


def test_exact_growth_is_found_exactly() -> None:
    """Runs that grow in proportion have the exponent 1, the efficiency 1 and no bend."""
    found = grown(1.0, (1, 2, 4, 8))
    assert found.exponent == pytest.approx(1.0)
    assert (found.low, found.high) == (pytest.approx(1.0), pytest.approx(1.0))
    assert not found.bends
    assert [level.efficiency for level in found.levels] == pytest.approx([1, 1, 1, 1])
    assert found.largest == 8


@pytest.mark.parametrize(
    ("sizes", "sigma", "half"),
    [((1, 2, 4, 8), 0.02, 0.017), ((1, 2, 4, 8), 0.05, 0.042), ((1, 2, 4), 0.05, 0.070)],
)
def test_the_interval_of_the_exponent_by_the_table(
    sizes: tuple[int, ...], sigma: float, half: float
) -> None:
    """Three runs a size tell the exponent as precisely as the formula says, on the average."""
    widths = [
        (found.high - found.low) / 2
        for seed in range(300)
        for found in [grown(1.0, sizes, sigma, seed)]
    ]
    assert float(np.mean(widths)) == pytest.approx(half, rel=0.08)


def test_the_exponent_is_covered() -> None:
    """95 % intervals of the exponent hold the true one at least 93 times in 100."""
    found = [grown(0.9, (1, 2, 4, 8), 0.05, seed) for seed in range(600)]
    assert np.mean([each.low <= 0.9 <= each.high for each in found]) >= 0.93


def test_a_knee_bends_the_line() -> None:
    """Growth that stops at four is no straight line, and its knee is there."""
    rates = {1: 1.0, 2: 2.0, 4: 4.0, 8: 4.4, 16: 4.5}
    found = fit({n: [rate * (1 + 0.01 * k) for k in (-1, 0, 1)] for n, rate in rates.items()})
    assert found.bends
    assert found.knee(0.9) == 4
    assert found.worst.n == 16


@pytest.mark.parametrize("runs", [{1: [1.0, 1.0], 2: [2.0, 2.0]}, {1: [1.0], 2: [2.0], 4: [4.0]}])
def test_too_little_is_an_error(runs: dict[int, list[float]]) -> None:
    """Two sizes, or one run a size, show no growth."""
    with pytest.raises(ValueError, match="3 sizes with 2 runs"):
        fit(runs)


def drifting(order: Callable[[int], list[int]], seed: int) -> Scaling:
    """Five repeats of four levels in that order, while everything gets 20 % slower."""
    rng = np.random.default_rng(seed)
    runs: dict[int, list[float]] = {n: [] for n in (1, 2, 4, 8)}
    slots = [n for repeat in range(5) for n in order(repeat)]
    for place, n in enumerate(slots):
        slowed = 1 - 0.2 * place / len(slots)
        runs[n].append(n * slowed * float(np.exp(rng.normal(0, 0.02))))
    return fit(runs)


def test_a_random_order_keeps_drift_off_the_exponent() -> None:
    """With levels in random order in each repeat, a drift of 20 % leaves intervals that cover.

    Level after level, or in the same order each time, it would be taken for growth.
    """
    levels = [1, 2, 4, 8]

    def shuffled(seed: int) -> Callable[[int], list[int]]:
        return lambda repeat: Random(f"{seed} {repeat}").sample(levels, 4)

    mixed = [drifting(shuffled(seed), seed) for seed in range(300)]
    fixed = [drifting(lambda _: levels, seed) for seed in range(300)]
    assert np.mean([each.low <= 1 <= each.high for each in mixed]) >= 0.93
    assert abs(np.mean([each.exponent for each in mixed]) - 1) < 0.003
    assert np.mean([each.exponent for each in fixed]) < 0.985
