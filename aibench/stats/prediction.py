"""Whether one more session is like those before it: a prediction interval on logarithms.

The interval of a mean says where the typical session lies; the next one varies by itself as well,
so its interval is wider by that (s·√(1 + 1/k), Student's t).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

#: One side of the interval is left by one session in a hundred that is like the others.
ALPHA = 0.01
#: A lag-1 autocorrelation above this widens the interval, where it can be told from none.
REMEMBERED = 0.3
_TOLD_APART = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Where the next session is expected, in the unit of the values.

    ``spread`` is the standard deviation of logarithms from session to session with ``freedom``
    degrees of freedom, widened where sessions remember (``memory``, the lag-1 autocorrelation).
    """

    center: float
    low: float
    high: float
    spread: float
    freedom: int
    memory: float

    @property
    def detectable(self) -> float:
        """The smallest share by which a session has to be off to leave the interval downwards."""
        return 1 - self.low / self.center


def predicted(
    levels: Sequence[Sequence[float]], alpha: float = ALPHA, smallest_spread: float = 1e-9
) -> Prediction:
    """The one-sided limits, each left with the chance ``alpha``, after the last of ``levels``.

    Each level is a run of sessions between two changes; the centre is that of the last one, the
    spread is pooled over all of them, because a change moves the centre and not the noise.
    ValueError where there are fewer than three sessions at the last level, or where a value is not
    above 0.
    """
    from scipy.special import stdtrit

    if len(levels[-1]) < 3:
        raise ValueError("a prediction takes three sessions of the last level")
    logs = [[math.log(value) for value in level] for level in levels if level]
    rests = [[x - math.fsum(each) / len(each) for x in each] for each in logs]
    freedom = sum(len(each) - 1 for each in rests)
    variance = math.fsum(x * x for each in rests for x in each) / freedom
    memory = _memory(rests)
    spread = max(math.sqrt(variance * _widened(memory)), smallest_spread)
    center, k = math.fsum(logs[-1]) / len(logs[-1]), len(logs[-1])
    half = float(stdtrit(freedom, 1 - alpha)) * spread * math.sqrt(1 + 1 / k)
    return Prediction(
        center=math.exp(center),
        low=math.exp(center - half),
        high=math.exp(center + half),
        spread=spread,
        freedom=freedom,
        memory=memory,
    )


def _memory(rests: Sequence[Sequence[float]]) -> float:
    """The lag-1 autocorrelation within levels; 0 where it can't be told from none."""
    power = math.fsum(x * x for each in rests for x in each)
    count = sum(map(len, rests))
    if not power:
        return 0.0
    lagged = math.fsum(a * b for each in rests for a, b in itertools.pairwise(each))
    found = lagged / power
    return found if found > max(REMEMBERED, _TOLD_APART / math.sqrt(count)) else 0.0


def _widened(memory: float) -> float:
    """The factor of the variance for sessions that remember: (1 + ρ) / (1 − ρ)."""
    memory = min(memory, 0.95)
    return (1 + memory) / (1 - memory)
