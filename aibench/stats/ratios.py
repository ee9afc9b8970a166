"""The ratio, or the difference, of two sets of runs that were not measured in pairs.

Rates and times are compared on their logarithms by Welch's t, with Satterthwaite's degrees of
freedom: at three to ten runs a side its interval covers 95 to 97 %. Pairs need nothing of this:
the ratio of each pair is one value for `stats.intervals.estimate`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from aibench.model import Estimate
from aibench.stats.intervals import RESOLUTION


def ratio(
    new: Sequence[float], base: Sequence[float], better: str, confidence: float = 0.95
) -> Estimate:
    """The typical ratio of ``new`` over ``base``, all above 0, with its interval.

    ``worst`` and ``best`` are ratios of one run to the other side's middle; ``better`` (``higher``
    or ``lower``) says which is which. A side of a single run gives no interval. ``n`` is that of
    the smaller side.
    """
    over, under = [math.log(value) for value in new], [math.log(value) for value in base]
    center = _mean(over) - _mean(under)
    half = _half_width(over, under, confidence, RESOLUTION)
    middle = math.exp(_mean(under))
    return Estimate(
        typical=math.exp(center),
        low=None if half is None else math.exp(center - half),
        high=None if half is None else math.exp(center + half),
        n=min(len(new), len(base)),
        worst=_ends(new, better)[0] / middle,
        best=_ends(new, better)[1] / middle,
        method=_method(half, "Welch's t on logarithms", confidence),
    )


def difference(
    new: Sequence[float], base: Sequence[float], better: str, confidence: float = 0.95
) -> Estimate:
    """The typical difference of ``new`` and ``base``, in their unit, with its interval."""
    center, middle = _mean(new) - _mean(base), _mean(base)
    half = _half_width(new, base, confidence, RESOLUTION * (abs(middle) or 1.0))
    return Estimate(
        typical=center,
        low=None if half is None else center - half,
        high=None if half is None else center + half,
        n=min(len(new), len(base)),
        worst=_ends(new, better)[0] - middle,
        best=_ends(new, better)[1] - middle,
        method=_method(half, "Welch's t", confidence),
    )


def mean(differences: Sequence[float], better: str, confidence: float = 0.95) -> Estimate:
    """The typical difference of pairs, of any sign, with Student's t interval."""
    center = _mean(differences)
    half = None
    if len(differences) > 1:
        from scipy.special import stdtrit

        floor = RESOLUTION * (abs(center) or 1.0)
        spread = max(math.sqrt(_variance(differences)), floor)
        quantile = float(stdtrit(len(differences) - 1, (1 + confidence) / 2))
        half = quantile * spread / math.sqrt(len(differences))
    worst, best = _ends(differences, better)
    return Estimate(
        typical=center,
        low=None if half is None else center - half,
        high=None if half is None else center + half,
        n=len(differences),
        worst=worst,
        best=best,
        method=_method(half, "t", confidence),
    )


def inverse(found: Estimate) -> Estimate:
    """The same ratio the other way round."""
    return replace(
        found,
        typical=1 / found.typical,
        low=None if found.high is None else 1 / found.high,
        high=None if found.low is None else 1 / found.low,
        worst=1 / found.worst,
        best=1 / found.best,
    )


def _ends(values: Sequence[float], better: str) -> tuple[float, float]:
    """(worst, best)."""
    return (min(values), max(values)) if better == "higher" else (max(values), min(values))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _half_width(
    new: Sequence[float], base: Sequence[float], confidence: float, floor: float
) -> float | None:
    """Half the interval of the difference of means (Welch 1947); None for a single run."""
    if min(len(new), len(base)) < 2:
        return None
    from scipy.special import stdtrit

    parts = [max(_variance(values), floor**2) / len(values) for values in (new, base)]
    whole = sum(parts)
    freedom = whole**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (new, base), strict=True)
    )
    return float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(whole)


def _variance(values: Sequence[float]) -> float:
    center = _mean(values)
    return math.fsum((value - center) ** 2 for value in values) / (len(values) - 1)


def _method(half: float | None, name: str, confidence: float) -> str:
    return "single run, no interval" if half is None else f"{name}, {confidence * 100:.3g} %"
