"""Where a rate falls from one level to another: the end of a burst that a cache has taken."""

import math
from dataclasses import dataclass

import numpy as np

from aibench.stats.batches import (
    FORGETFUL,
    Values,
    autocorrelation_time,
    batch_means,
    between,
    line_residuals,
)

#: A smaller change of level than this share of the first is not told of.
SMALLEST_SHIFT = 0.1
#: The chance that an order of the same batches by luck alone looks as much like two levels.
P_VALUE = 0.01
_FEWEST_BATCHES = 10
_MOST_BATCHES = 40
#: A batch is so many autocorrelation times long, so that the order of batches is exchangeable;
#: values that remember nothing need no batches.
_TIMES = 3
_PERMUTATIONS = 1999
#: The first level has at least so many batches, the last so large a share of all of them.
_FIRST_BATCHES = 2
_LAST_SHARE = 0.2
#: Two levels have to explain this share of what varies from batch to batch; the larger one where
#: the values are so few that their memory, which can look like levels, may go unseen.
_EXPLAINED, _EXPLAINED_OF_FEW = 0.5, 0.8
_FEW = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Two levels of a series: ``at`` is the first value that belongs to the second."""

    at: int
    before: float
    after: float
    p_value: float


def level_shift(values: Values) -> Shift | None:
    """The one change of level in ``values``; None where none can be told from noise or a trend.

    The best split of up to 40 batch means, with a permutation test of its maximum (1,999 orders,
    p < 0.01) that makes up for having looked at all splits. It is at least 10 %, explains most of
    the variation and fits better than a straight line. The place is exact to one batch, and then
    sought among the values next to it.
    """
    length = _batch_length(values)
    if length is None:
        return None
    means = batch_means(values, length)
    explained = between(means)
    last = max(math.ceil(_LAST_SHARE * len(means)), 3)
    usable = slice(_FIRST_BATCHES - 1, len(means) - last)
    cut = int(np.argmax(explained[usable])) + _FIRST_BATCHES
    total = float(np.sum((means - means.mean()) ** 2))
    most = float(explained[cut - 1])
    line = line_residuals(means)
    share = _EXPLAINED_OF_FEW if len(values) < _FEW else _EXPLAINED
    if not total or most < max(share * total, total - float(line @ line)):
        return None
    before, after = float(means[:cut].mean()), float(means[cut:].mean())
    if abs(after - before) < SMALLEST_SHIFT * abs(before):
        return None
    p_value = _chance(means, most, usable)
    if p_value >= P_VALUE:
        return None
    return _placed(values, len(values) - length * (len(means) - cut), length, p_value)


def _batch_length(values: Values) -> int | None:
    """How many values make a batch; None where there are too few of them."""
    times = autocorrelation_time(values)
    needed = math.ceil(_TIMES * times) if times > FORGETFUL else 1
    length = max(needed, math.ceil(len(values) / _MOST_BATCHES))
    return length if len(values) // length >= _FEWEST_BATCHES else None


def _chance(means: Values, most: float, usable: slice) -> float:
    """Which share of random orders of ``means`` has a split that explains as much."""
    random = np.random.default_rng(len(means))
    orders = random.permuted(np.tile(means, (_PERMUTATIONS, 1)), axis=1)
    highest = between(orders)[:, usable].max(axis=1)
    return (1 + int(np.sum(highest >= most * (1 - 1e-9)))) / (1 + _PERMUTATIONS)


def _placed(values: Values, near: int, length: int, p_value: float) -> Shift:
    """The shift at the best place within one batch of ``near``.

    The levels leave out the values on both sides of it: the change happens within one of them.
    """
    first, last = max(near - length, 1), min(near + length, len(values) - 1)
    at = first + int(np.argmax(between(values)[first - 1 : last]))
    before, after = values[: max(at - 1, 1)], values[min(at + 1, len(values) - 1) :]
    return Shift(at=at, before=float(before.mean()), after=float(after.mean()), p_value=p_value)
