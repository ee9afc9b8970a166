"""Typical value and interval of a few whole runs, and which side of a bound they lie on.

The unit of analysis is one run: seconds within a run are not replicates. All rates, times and
sizes are positive, so the interval is Student's t on their logarithms; it is about the typical
(median) run. From six runs on, an order-statistic interval, which assumes no distribution, has to
agree. No bootstrap: at three to ten runs its nominal 95 % cover 75 % to 90 %.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from aibench.model import Estimate

#: Fewer runs give no verdict, whatever the claim says.
FEWEST_RUNS = 3
#: From here on the order-statistic interval reaches 95 %, and both have to agree.
BOTH_FROM = 6
#: The spread below which runs are not told apart: a nanosecond in a second.
RESOLUTION = 1e-9
#: Relative slack when an interval is held against a bound. Wider than the interval of equal runs
#: at `RESOLUTION`, so that a result exactly at the bound counts as on its good side.
SLACK = 1e-8


class Side(StrEnum):
    """Where an interval lies against a bound."""

    GOOD = "good"
    BAD = "bad"
    STRADDLES = "straddles"
    DISAGREE = "disagree"


def estimate(values: Sequence[float], better: str, confidence: float = 0.95) -> Estimate:
    """The typical value of ``values``, one for each run, with its interval.

    ``better`` (``higher`` or ``lower``) says which run is the worst. One run has no interval.
    Equal runs get an interval of `RESOLUTION`, never one of no width. The typical value is the
    geometric mean; where a value is 0 there is no logarithm, and mean and interval are linear,
    cut at 0. ValueError for no values, and for one that is negative or not finite.
    """
    _check(values, better)
    logarithmic = min(values) > 0
    scale = [math.log(value) for value in values] if logarithmic else list(values)
    center = math.fsum(scale) / len(scale)
    typical = math.exp(center) if logarithmic else center
    low = high = None
    if len(values) > 1:
        half = _half_width(scale, confidence, floor=RESOLUTION if logarithmic else 0.0)
        low = math.exp(center - half) if logarithmic else max(center - half, 0.0)
        high = math.exp(center + half) if logarithmic else center + half
    best, worst = (max, min) if better == "higher" else (min, max)
    return Estimate(
        typical=min(max(typical, min(values)), max(values)),
        low=low,
        high=high,
        n=len(values),
        worst=worst(values),
        best=best(values),
        method=_method(len(values), logarithmic, confidence),
    )


def _check(values: Sequence[float], better: str) -> None:
    if better not in ("higher", "lower"):
        raise ValueError(f"better is 'higher' or 'lower', not {better!r}")
    if not values:
        raise ValueError("an estimate needs at least one value")
    for value in values:
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{value!r} is not a rate, time or size: it has to be 0 or more")


def _half_width(scale: Sequence[float], confidence: float, floor: float) -> float:
    n = len(scale)
    from scipy.special import stdtrit  # half of the start-up time of every command

    quantile = float(stdtrit(n - 1, (1 + confidence) / 2))
    return quantile * max(_deviation(scale), floor) / math.sqrt(n)


def _deviation(scale: Sequence[float]) -> float:
    center = math.fsum(scale) / len(scale)
    return math.sqrt(math.fsum((x - center) ** 2 for x in scale) / (len(scale) - 1))


def _method(n: int, logarithmic: bool, confidence: float) -> str:
    if n == 1:
        return "single run, no interval"
    return f"{'log-t' if logarithmic else 'linear t'}, {confidence * 100:.3g} %"


def spread(values: Sequence[float]) -> float:
    """The run-to-run spread: standard deviation of the logarithms, close to the CV.

    At least `RESOLUTION`. Needs two or more values above 0.
    """
    return max(_deviation([math.log(value) for value in values]), RESOLUTION)


def per_unit(total: Estimate, units: float) -> Estimate:
    """``total`` divided by the number of ``units`` that it came from; the interval scales."""
    return replace(
        total,
        typical=total.typical / units,
        low=None if total.low is None else total.low / units,
        high=None if total.high is None else total.high / units,
        worst=total.worst / units,
        best=total.best / units,
    )


def order_interval(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float, float, float] | None:
    """The narrowest symmetric order-statistic interval of the median: low, high, coverage.

    Coverage is exact, 1 - 2 BinCDF(k-1; n, 1/2), for any distribution. None where even the
    smallest and the largest value cover less than ``confidence``: below six runs at 95 %.
    """
    ordered, n = sorted(values), len(values)
    found = None
    for k in range(1, n // 2 + 1):
        tail: float = sum(math.comb(n, i) for i in range(k)) / 2**n
        if 1 - 2 * tail < confidence:
            break
        found = (ordered[k - 1], ordered[n - k], 1 - 2 * tail)
    return found


def side(low: float, high: float, bound: float, better: str) -> Side:
    """Where the interval lies: ``good`` when wholly at or beyond ``bound`` on the better side."""
    if better == "lower":
        low, high, bound = -high, -low, -bound
    slack = abs(bound) * SLACK
    if low >= bound - slack:
        return Side.GOOD
    return Side.BAD if high < bound - slack else Side.STRADDLES


def agreed_side(
    values: Sequence[float], bound: float, better: str, confidence: float = 0.95
) -> Side:
    """The side that all intervals fit for ``values`` agree on.

    Below six runs the log-t interval decides alone. From six on it and the order-statistic
    interval have to give the same answer, else ``disagree``: look for two modes, where log-t
    covers as little as 69 %. One run decides nothing.
    """
    found = estimate(values, better, confidence)
    if found.low is None or found.high is None:
        return Side.STRADDLES
    by_t = side(found.low, found.high, bound, better)
    order = order_interval(values, confidence) if len(values) >= BOTH_FROM else None
    if order is None or side(order[0], order[1], bound, better) is by_t:
        return by_t
    return Side.DISAGREE


def runs_needed(
    cv: float, gap: float, power: float = 0.8, confidence: float = 0.95, limit: int = 200
) -> int | None:
    """How many runs find a difference of ``gap`` with the chance ``power``.

    ``cv`` is the `spread` from run to run and ``gap`` the distance to the bound as a difference
    of logarithms. One-sample t test, by the noncentral t distribution: five runs find 1.68
    spreads, ten find 1.00. None where ``limit`` runs don't suffice.
    """
    from scipy.special import nctdtr, stdtrit

    if gap <= 0:
        return None

    def suffices(n: int) -> bool:
        critical = stdtrit(n - 1, (1 + confidence) / 2)
        # scipy has no value for a noncentrality this large, where the chance is 1 to all digits.
        shift = min(gap / max(cv, RESOLUTION) * math.sqrt(n), 30.0)
        return shift == 30.0 or bool(1 - nctdtr(n - 1, shift, critical) >= power)

    counts = range(FEWEST_RUNS, limit + 1)
    place = bisect_left(counts, True, key=suffices)  # with more runs the chance only grows
    return counts[place] if place < len(counts) else None
