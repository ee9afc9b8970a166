"""The Universal Scalability Law, for a chart: what contention and coherence would explain.

``X(N) = l N / (1 + s (N - 1) + k N (N - 1))`` (Gunther, Guerrilla Capacity Planning, 2007): ``s``
is the share of the work that is done one after another, ``k`` what keeping each other informed
costs. It describes what was measured; nothing follows from it about sizes that were not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Three parameters through fewer levels fit anything.
FEWEST_LEVELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Usl:
    """``rate`` of one unit alone, ``contention`` and ``coherence``; both 0 or more."""

    rate: float
    contention: float
    coherence: float

    def at(self, n: float) -> float:
        """The rate of ``n`` units."""
        return self.rate * n / (1 + self.contention * (n - 1) + self.coherence * n * (n - 1))

    @property
    def peak(self) -> float | None:
        """The number of units beyond which the rate falls; None where it never does."""
        if self.coherence == 0 or self.contention >= 1:
            return None
        return math.sqrt((1 - self.contention) / self.coherence)


def fit(runs: Mapping[int, Sequence[float]]) -> Usl | None:
    """The law that is nearest to ``runs``, the rates of each size, on a logarithmic scale.

    Each size counts as much as it has runs. None for fewer than `FEWEST_LEVELS` sizes. ValueError
    for a rate or a size that is not above 0.
    """
    if len(runs) < FEWEST_LEVELS:
        return None
    from scipy.optimize import least_squares

    n = np.repeat(np.array(list(runs), float), [len(values) for values in runs.values()])
    rates = np.concatenate([np.asarray(values, float) for values in runs.values()])
    if min(n.min(), rates.min()) <= 0:
        raise ValueError("sizes and rates are above 0")
    first = int(n.argmin())
    start = math.log(rates[first] / n[first])
    logs = np.log(rates / n)

    def off(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        rate, contention, coherence = parameters
        slowed: NDArray[np.float64] = contention * (n - 1) + coherence * n * (n - 1)
        return np.asarray(rate - np.log1p(slowed) - logs)

    found = least_squares(
        off, [start, 0.01, 1e-4], bounds=([-np.inf, 0, 0], np.inf), x_scale=[1, 0.1, 1e-3],
        xtol=1e-12, ftol=1e-12, gtol=1e-12,
    ).x  # fmt: skip
    rate, contention, coherence = (float(value) for value in found)
    return Usl(rate=math.exp(rate), contention=_settled(contention), coherence=_settled(coherence))


def _settled(value: float) -> float:
    """What an interior method leaves above the bound is 0."""
    return value if value > 1e-9 else 0.0
