"""How a rate grows with the number of units: the exponent, the curvature, the efficiency.

``ln y = a + b ln N`` over runs at several levels of N: b is 1 where it grows in proportion. A term
in ``(ln N)^2`` tells whether one exponent describes the growth at all. Nothing here is told about
an N that was not measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aibench.stats.intervals import RESOLUTION

Values = NDArray[np.float64]
#: Fewer levels show a line through anything.
FEWEST_LEVELS = 3
#: The variance below which runs are not told apart.
_FLOOR = RESOLUTION**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One size: its efficiency against the smallest one, with interval. 1 at the smallest."""

    n: int
    efficiency: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """The fit over all levels, smallest first.

    ``bends`` where the interval of the curvature does not hold 0.
    """

    exponent: float
    low: float
    high: float
    bends: bool
    levels: tuple[Level, ...]

    @property
    def largest(self) -> int:
        """The largest size that was measured."""
        return self.levels[-1].n

    @property
    def worst(self) -> Level:
        """The level of the smallest efficiency."""
        return min(self.levels, key=lambda level: level.efficiency)

    def knee(self, efficiency: float) -> int:
        """The largest size up to which every level reached ``efficiency``."""
        reached = self.levels[0].n
        for level in self.levels:
            if level.efficiency < efficiency:
                break
            reached = level.n
        return reached


def exponent_needed(efficiency: float, smallest: int, largest: int) -> float:
    """The exponent that keeps ``efficiency`` from ``smallest`` to ``largest`` units."""
    return 1 + math.log(efficiency) / math.log(largest / smallest)


def fit(runs: Mapping[int, Sequence[float]], confidence: float = 0.95) -> Scaling:
    """The scaling of ``runs``: for each size the rates of its runs, all above 0.

    Intervals are Student's t: of the exponent with all runs less 2 degrees of freedom, of the
    curvature with one less, of efficiencies with the spread within levels. ValueError for fewer
    than `FEWEST_LEVELS` sizes, or a size with less than 2 runs.
    """
    if len(runs) < FEWEST_LEVELS or min(map(len, runs.values())) < 2:
        raise ValueError(f"scaling takes {FEWEST_LEVELS} sizes with 2 runs each, at least")
    from scipy.special import stdtrit

    sizes = sorted(runs)
    x = np.log(np.repeat(np.array(sizes, float), [len(runs[n]) for n in sizes]))
    y = np.log(np.concatenate([np.asarray(runs[n], float) for n in sizes]))
    centered = x - x.mean()
    slope, error = _coefficient(np.column_stack([np.ones_like(x), centered]), y)
    half = float(stdtrit(len(y) - 2, (1 + confidence) / 2)) * error
    curved = np.column_stack([np.ones_like(x), centered, centered**2])
    bend, bend_error = _coefficient(curved, y)
    bends = abs(bend) > float(stdtrit(len(y) - 3, (1 + confidence) / 2)) * bend_error
    return Scaling(
        exponent=slope,
        low=slope - half,
        high=slope + half,
        bends=bends,
        levels=_levels({n: runs[n] for n in sizes}, confidence),
    )


def _coefficient(matrix: Values, y: Values) -> tuple[float, float]:
    """The last coefficient of a least-squares fit, and its standard error."""
    found, *_ = np.linalg.lstsq(matrix, y, rcond=None)
    rest = y - matrix @ found
    variance = max(float(rest @ rest) / (len(y) - matrix.shape[1]), _FLOOR)
    spread = np.linalg.inv(matrix.T @ matrix)[-1, -1]
    return float(found[-1]), math.sqrt(variance * float(spread))


def _levels(runs: Mapping[int, Sequence[float]], confidence: float) -> tuple[Level, ...]:
    """The efficiency of each size, with the spread that all sizes share."""
    from scipy.special import stdtrit

    logs = {n: [math.log(value) for value in values] for n, values in runs.items()}
    means = {n: math.fsum(values) / len(values) for n, values in logs.items()}
    freedom = sum(len(values) - 1 for values in logs.values())
    squares = math.fsum((v - means[n]) ** 2 for n, values in logs.items() for v in values)
    variance = max(squares / freedom, _FLOOR)
    quantile = float(stdtrit(freedom, (1 + confidence) / 2))
    first = next(iter(runs))
    levels = [Level(n=first, efficiency=1.0, low=1.0, high=1.0)]
    for n in list(runs)[1:]:
        center = means[n] - means[first] - math.log(n / first)
        half = quantile * math.sqrt(variance * (1 / len(logs[n]) + 1 / len(logs[first])))
        levels.append(
            Level(n=n, efficiency=math.exp(center), low=math.exp(center - half),
                  high=math.exp(center + half))
        )  # fmt: skip
    return tuple(levels)
