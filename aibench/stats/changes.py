"""Where the level of a series of sessions changed: E-divisive, with a test of its maximum.

The energy distance between the two parts of a series (Matteson & James 2014, doi
10.1080/01621459.2013.849605) is largest where the series is cut best. Looking at all cuts and
taking the best one makes noise look like a change; so each permutation looks at all cuts as well,
and only a maximum that few of them reach is one.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

#: No level is shorter than this many sessions.
SHORTEST = 3
#: Fewer sessions than this have no change that could be told.
FEWEST = 10
#: A smaller change of level, as a difference of logarithms' share, is not told of.
SMALLEST = 0.05
P_VALUE = 0.01
#: Only so many sessions, the latest, are looked at.
MOST = 100
_PERMUTATIONS = 299


@dataclass(frozen=True, slots=True)
class Change:
    """The first session ``at`` the new level, medians on both sides, and the chance of noise."""

    at: int
    before: float
    after: float
    p_value: float

    @property
    def ratio(self) -> float:
        """The new level over the old one."""
        return self.after / self.before


def changes(values: Sequence[float]) -> tuple[Change, ...]:
    """All changes of level in ``values``, positive and in order of time, oldest first.

    The best cut of the whole, then of its parts, as long as fewer than 1 % of orders by chance have
    one as good (p < .01, 299 orders, the same ones each time); then cuts between levels that differ
    by less than 5 % are taken back, the smallest first. Only the latest 100 values are looked at.
    ValueError where a value is not above 0.
    """
    if any(not value > 0 for value in values):
        raise ValueError("a level is above 0")
    first = max(len(values) - MOST, 0)
    logs = np.log(np.array(values[first:], dtype=np.float64))
    if len(logs) < FEWEST:
        return ()
    cuts = _cuts(logs)
    while True:
        medians = _medians(logs, sorted(cuts))
        steps = {
            at: abs(after - before)
            for at, (before, after) in zip(sorted(cuts), itertools.pairwise(medians), strict=True)
        }
        smallest = min(steps, key=lambda at: steps[at], default=None)
        if smallest is None or steps[smallest] >= -np.log1p(-SMALLEST):
            break
        del cuts[smallest]
    levels = [float(np.exp(median)) for median in medians]
    return tuple(
        Change(at=first + at, before=before, after=after, p_value=cuts[at])
        for at, (before, after) in zip(sorted(cuts), itertools.pairwise(levels), strict=True)
    )


def _medians(logs: Values, cuts: Sequence[int]) -> list[float]:
    """The median of each part between ``cuts``."""
    return [float(np.median(logs[a:b])) for a, b in itertools.pairwise([0, *cuts, len(logs)])]


def _cuts(logs: Values) -> dict[int, float]:
    """The first place of each new level, with its p."""
    found: dict[int, float] = {}
    parts = [(0, len(logs))]
    while parts:
        begin, end = parts.pop()
        best = _best_cut(logs[begin:end])
        if best is not None:
            at, found[begin + best[0]] = begin + best[0], best[1]
            parts += [(begin, at), (at, end)]
    return found


def _best_cut(logs: Values) -> tuple[int, float] | None:
    """(place, p) of the best cut; None where it could be chance."""
    if len(logs) < 2 * SHORTEST:
        return None
    distances = np.abs(logs[:, None] - logs[None, :])
    energies = _energies(distances[None])[0]
    place = int(np.argmax(energies))
    at = place + SHORTEST
    if not energies[place] > 0:
        return None
    random = np.random.default_rng(len(logs))
    orders = random.permuted(np.tile(np.arange(len(logs)), (_PERMUTATIONS, 1)), axis=1)
    highest = _energies(distances[orders[:, :, None], orders[:, None, :]]).max(axis=1)
    reached = int(np.sum(highest >= energies[place] * (1 - 1e-9)))
    p_value = (1 + reached) / (1 + _PERMUTATIONS)
    return (at, p_value) if p_value < P_VALUE else None


def _energies(distances: NDArray[np.float64]) -> Values:
    """The scaled energy distance of each cut, for each of the distance matrices.

    With m values before a cut and n after it: m·n/(m+n) · (2·E|X−Y| − E|X−X'| − E|Y−Y'|), where
    X and X' are two different values.
    """
    count = distances.shape[1]
    sums = distances.cumsum(axis=1).cumsum(axis=2)
    m = np.arange(SHORTEST, count - SHORTEST + 1)
    n = count - m
    within_first = sums[:, m - 1, m - 1]
    rows = sums[:, m - 1, count - 1]
    across = rows - within_first
    within_second = sums[:, count - 1, count - 1][:, None] - 2 * rows + within_first
    energy: Values = (
        m
        * n
        / count
        * (2 * across / (m * n) - within_first / (m * (m - 1)) - within_second / (n * (n - 1)))
    )
    return energy
