"""Ratios of two sides: of pairs measured side by side, and of runs measured one after the other.

All values are positive, so everything is in natural logarithms: a ratio of 1.05 is 0.0488, and that
of the other side over this one is exactly its negative. Paired: Student's t on the logarithms of
the ratios. Unpaired: Welch's t with Satterthwaite's degrees of freedom. The unit of analysis is one
run of each side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aibench.stats.intervals import RESOLUTION

#: The chance with which a difference has to be found, for it to be called detectable.
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference of logarithms with what decides on it.

    ``error`` is its standard error with ``freedom`` degrees of freedom, ``spread`` the standard
    deviation of the logarithms of one ratio (None where sides are not paired), ``n`` the number of
    pairs, or of runs of the side that has fewer.
    """

    center: float
    error: float
    freedom: float
    n: int
    spread: float | None

    def interval(self, confidence: float) -> tuple[float, float]:
        """The interval of the difference; with the sides swapped it is exactly mirrored."""
        half = _quantile(self.freedom, (1 + confidence) / 2) * self.error
        return self.center - half, self.center + half

    def p_different(self) -> float:
        """The two-sided p of there being no difference."""
        return min(2 * _tail(self.freedom, abs(self.center) / self.error), 1.0)

    def p_equivalent(self, margin: float) -> float:
        """The p of a difference of ``margin`` or more, either way (two one-sided t tests)."""
        return _tail(self.freedom, (margin - abs(self.center)) / self.error)

    def detectable(self, confidence: float, power: float = POWER) -> float:
        """The smallest difference that would be found with the chance ``power``.

        By the noncentral t distribution: for five pairs 1.68 spreads, for ten 1.00.
        """
        from scipy.special import nctdtrinc

        critical = _quantile(self.freedom, (1 + confidence) / 2)
        shift = float(nctdtrinc(self.freedom, 1 - power, critical))
        return shift * self.error


def of_pairs(first: Sequence[float], second: Sequence[float]) -> Contrast | None:
    """The contrast of ``first`` over ``second``, pair by pair; None for fewer than two pairs.

    A spread below `RESOLUTION` counts as that: equal pairs don't prove that nothing varies.
    ValueError where a value is not above 0.
    """
    ratios = [a - b for a, b in zip(_logs(first), _logs(second), strict=True)]
    n = len(ratios)
    if n < 2:
        return None
    spread = max(_deviation(ratios), RESOLUTION)
    return Contrast(math.fsum(ratios) / n, spread / math.sqrt(n), n - 1, n, spread)


def of_sets(first: Sequence[float], second: Sequence[float]) -> Contrast | None:
    """The contrast of two sets of runs that nothing pairs; None where one has fewer than two.

    ValueError where a value is not above 0.
    """
    logs = [_logs(first), _logs(second)]
    if min(map(len, logs)) < 2:
        return None
    means = [math.fsum(each) / len(each) for each in logs]
    parts = [max(_deviation(each), RESOLUTION) ** 2 / len(each) for each in logs]
    error = math.fsum(parts)
    freedom = error**2 / math.fsum(
        part**2 / (len(each) - 1) for part, each in zip(parts, logs, strict=True)
    )
    fewest = min(map(len, logs))
    return Contrast(means[0] - means[1], math.sqrt(error), freedom, fewest, None)


def logarithms(first: Sequence[float], second: Sequence[float]) -> tuple[float, ...]:
    """The logarithm of the ratio of each pair."""
    return tuple(a - b for a, b in zip(_logs(first), _logs(second), strict=True))


def _logs(values: Sequence[float]) -> list[float]:
    for value in values:
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{value!r} has no logarithm: only what is above 0 has a ratio")
    return [math.log(value) for value in values]


def _deviation(values: Sequence[float]) -> float:
    center = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((x - center) ** 2 for x in values) / (len(values) - 1))


def _quantile(freedom: float, share: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def _tail(freedom: float, t: float) -> float:
    """The chance of a t of at least ``t``."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))
