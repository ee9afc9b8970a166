"""How often verdicts are wrong: simulated runs against the published operating characteristics."""

from functools import lru_cache

import numpy as np
import pytest

from aibench.stats.intervals import Side, agreed_side, estimate, side
from aibench.stats.ratios import ratio

TIMES = 3000
CLAIM, BOUND = 1.0, 0.95


@lru_cache
def answers(true: float, cv: float, n: int) -> tuple[float, float, float]:
    """Shares of MET, NOT_MET and no answer for runs that spread by ``cv`` around ``true``."""
    rng = np.random.default_rng([n, int(1000 * cv), int(1000 * true)])
    sigma = np.sqrt(np.log1p(cv**2))
    runs = true * np.exp(rng.normal(0, sigma, (TIMES, n)))
    found = [agreed_side(values, BOUND, "higher") for values in runs.tolist()]
    met, missed = found.count(Side.GOOD) / TIMES, found.count(Side.BAD) / TIMES
    return met, missed, 1 - met - missed


@pytest.mark.parametrize(
    ("cv", "n", "true", "met", "missed"),
    [(0.02, 3, 0.90, 0.00, 0.67), (0.02, 3, 0.95, 0.03, 0.03), (0.02, 3, 1.00, 0.63, 0.00),
     (0.02, 3, 1.05, 0.98, 0.00), (0.02, 5, 0.90, 0.00, 0.99), (0.02, 5, 1.00, 0.99, 0.00),
     (0.05, 5, 0.90, 0.00, 0.46), (0.05, 5, 0.95, 0.02, 0.03), (0.05, 5, 1.00, 0.42, 0.00),
     (0.05, 5, 1.05, 0.91, 0.00), (0.10, 5, 0.90, 0.00, 0.16), (0.10, 5, 1.05, 0.40, 0.00)],
)  # fmt: skip
def test_verdicts_have_the_published_chances(
    cv: float, n: int, true: float, met: float, missed: float
) -> None:
    """With a tolerance of 5 % the shares of met and not met are those of the table, up to 4 %."""
    found = answers(true, cv, n)
    assert found[0] == pytest.approx(met, abs=0.04)
    assert found[1] == pytest.approx(missed, abs=0.04)


@pytest.mark.parametrize(("cv", "n"), [(0.02, 3), (0.05, 5), (0.05, 10), (0.10, 10)])
def test_a_system_at_the_bound_is_called_neither(cv: float, n: int) -> None:
    """At the bound itself each verdict is given in at most 2.5 % of the cases, up to chance."""
    met, missed, _ = answers(BOUND, cv, n)
    assert met <= 0.037
    assert missed <= 0.037


@pytest.mark.parametrize(
    ("true", "cv", "right", "least"),
    [(8.0, 0.05, Side.GOOD, 0.75), (6.0, 0.05, Side.BAD, 0.97), (9.0, 0.05, Side.GOOD, 0.97),
     (8.0, 0.10, Side.GOOD, 0.22)],
)  # fmt: skip
def test_a_claim_of_eight_times_is_decided_as_often_as_it_can_be(
    true: float, cv: float, right: Side, least: float
) -> None:
    """With a tolerance of 10 %, five runs a side decide 81 % at a true 8, and all at 6 and 9."""
    rng = np.random.default_rng(3)
    sides = np.exp(rng.normal(0, cv, (TIMES, 2, 5)))
    found = []
    for new, base in sides.tolist():
        seen = ratio([true * value for value in new], base, "higher")
        assert seen.low is not None
        assert seen.high is not None
        found.append(side(seen.low, seen.high, 7.2, "higher"))
    assert found.count(right) / TIMES >= least


def test_pairs_bear_drift_that_sets_do_not() -> None:
    """A against A under drift: pairs are wrong in 5 % of the cases, sets in a fifth and more."""
    rng = np.random.default_rng(11)
    wrong_pairs = wrong_sets = 0
    for _ in range(TIMES):
        drift = np.linspace(0, -0.06, 10)
        runs = np.exp(drift + rng.normal(0, 0.02, 10))
        order = rng.permuted(np.arange(10).reshape(5, 2), axis=1)
        pairs = estimate([float(runs[a] / runs[b]) for a, b in order], "higher")
        sets = ratio(runs[:5].tolist(), runs[5:].tolist(), "higher")
        assert pairs.low is not None
        assert pairs.high is not None
        assert sets.low is not None
        assert sets.high is not None
        wrong_pairs += not pairs.low <= 1 <= pairs.high
        wrong_sets += not sets.low <= 1 <= sets.high
    assert wrong_pairs / TIMES <= 0.07
    assert wrong_sets / TIMES >= 0.2
