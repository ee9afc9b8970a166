"""The law of scalability: known parameters are found again, and nothing is fitted to too little."""

import numpy as np
import pytest

from aibench.stats.usl import Usl, fit

SIZES = (1, 2, 4, 8, 16, 32)


def runs_of(law: Usl, sizes: tuple[int, ...] = SIZES, sigma: float = 0.0) -> dict[int, list[float]]:
    """Three runs at each size of a system that keeps the law."""
    rng = np.random.default_rng(1)
    return {n: list(law.at(n) * np.exp(rng.normal(0, sigma, 3))) for n in sizes}


@pytest.mark.parametrize(
    ("contention", "coherence"), [(0.05, 0.001), (0.2, 0.0), (0.0, 0.01), (0.0, 0.0)]
)
def test_known_parameters_are_found(contention: float, coherence: float) -> None:
    """Rates by the law give its parameters back, also where one of them is 0."""
    law = Usl(rate=3e8, contention=contention, coherence=coherence)
    found = fit(runs_of(law))
    assert found is not None
    assert found.rate == pytest.approx(law.rate, rel=1e-3)
    assert found.contention == pytest.approx(contention, abs=1e-3)
    assert found.coherence == pytest.approx(coherence, abs=1e-4)


def test_noise_leaves_the_curve_near() -> None:
    """With 3 % of noise the curve stays within 5 % of the true one at every size measured."""
    law = Usl(rate=1e9, contention=0.08, coherence=0.002)
    found = fit(runs_of(law, sigma=0.03))
    assert found is not None
    assert [found.at(n) / law.at(n) for n in SIZES] == pytest.approx([1] * 6, abs=0.05)


def test_growth_of_more_than_its_size_is_no_contention() -> None:
    """Neither parameter is below 0: what grows faster than its size is as good as ideal."""
    found = fit({n: [n**1.1] * 2 for n in SIZES})
    assert found is not None
    assert (found.contention, found.coherence) == (0.0, 0.0)
    assert found.peak is None


def test_where_the_rate_falls_again() -> None:
    """The peak is where contention and coherence outweigh one more unit."""
    law = Usl(rate=1.0, contention=0.02, coherence=0.005)
    assert law.peak == pytest.approx(14)
    assert law.at(14) > max(law.at(13), law.at(15))


def test_five_sizes_are_too_few() -> None:
    """Below six sizes there is no curve, and rates of 0 are none."""
    assert fit({n: [1.0, 2.0] for n in range(1, 6)}) is None
    with pytest.raises(ValueError, match="above 0"):
        fit({n: [0.0] for n in range(1, 7)})
