"""Slow drift over sessions, which no comparison with the day before sees.

Storage that fills, fragments or ages loses a little each day. The slope is Theil and Sen's, the
median of all slopes between two sessions; the test is that of Mann and Kendall. Neither minds a few
odd sessions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: So many of the latest sessions are looked at, and no fewer than the first number.
FEWEST, MOST = 10, 30
SMALLEST = 0.05
P_VALUE = 0.01


@dataclass(frozen=True, slots=True)
class Drift:
    """The share that a level gained or lost over ``sessions``, with its 95 % interval, and p."""

    total: float
    low: float
    high: float
    p_value: float
    sessions: int

    @property
    def told(self) -> bool:
        """Whether it is at least 5 % and can't be chance (p < .01)."""
        return abs(self.total) >= SMALLEST and self.p_value < P_VALUE


def drift(values: Sequence[float]) -> Drift | None:
    """The drift over the last 30 of ``values``, all above 0; None for fewer than ten."""
    from scipy.stats import kendalltau, theilslopes

    recent = values[-MOST:]
    if len(recent) < FEWEST:
        return None
    logs = [math.log(value) for value in recent]
    if max(logs) == min(logs):
        return Drift(0.0, 0.0, 0.0, 1.0, len(recent))
    places = list(range(len(logs)))
    slope, _, low, high = theilslopes(logs, places)
    tau = kendalltau(places, logs)
    steps = len(logs) - 1
    total, least, most = (math.expm1(float(each) * steps) for each in (slope, low, high))
    return Drift(total, least, most, float(tau.pvalue), len(recent))
