"""What can be said of the intervals of one phase, which are not independent of each other.

At a lag-1 autocorrelation of 0.8 a trend test on the intervals themselves finds a trend in half of
all flat runs. So intervals are put together to batches that are much longer than they remember.
"""

import math

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

#: Intervals that make one batch when the end of the warm-up is looked for.
WARM_UP_BATCH = 5
#: In fewer batches than this no warm-up is looked for.
_FEWEST_BATCHES = 20
#: Less than this share of the batches, at the end of a window, can be alike by chance.
_LEFT_SHARE = 0.25
#: The autocorrelation time of values that are independent of each other.
FORGETFUL = 0.5
#: An autocorrelation up to this many times 1/√n can't be told from none (one-sided, 5 %).
_TOLD_APART = 1.645


def batch_means(values: Values, length: int) -> Values:
    """The means of consecutive batches of ``length``; what is too much is left out in front."""
    count = len(values) // length
    kept = values[len(values) - count * length :]
    means: Values = kept.reshape(count, length).mean(axis=1)
    return means


def equal_means(values: Values, count: int) -> Values:
    """The means of ``count`` consecutive batches that differ in length by one value at most."""
    return np.array([part.mean() for part in np.array_split(values, count)])


def line_residuals(values: Values) -> Values:
    """``values`` less the straight line that fits them best."""
    place = np.arange(len(values)) - (len(values) - 1) / 2
    centered = values - values.mean()
    slope = float(place @ centered) / max(float(place @ place), 1.0)
    residuals: Values = centered - slope * place
    return residuals


def between(values: Values) -> Values:
    """How much of the sum of squares two levels explain, for each place where they could meet.

    Entry ``i`` is for a first level of ``i + 1`` values. Works along the last axis.
    """
    n = values.shape[-1]
    first = np.arange(1, n)
    sums = np.cumsum(values - values.mean(axis=-1, keepdims=True), axis=-1)[..., :-1]
    explained: Values = sums**2 * n / (first * (n - first))
    return explained


def level_residuals(values: Values) -> Values:
    """``values`` less the two consecutive levels that fit them best."""
    cut = int(np.argmax(between(values))) + 1
    levels = np.concatenate(
        [np.full(cut, values[:cut].mean()), np.full(len(values) - cut, values[cut:].mean())]
    )
    residuals: Values = values - levels
    return residuals


def autocorrelation_time(values: Values) -> float:
    """The integrated autocorrelation time ½ + Σρ in intervals; `FORGETFUL` where there is none.

    The sum ends with the first lag whose autocorrelation can't be told from none. It is that of
    the residuals around a line or around two levels, whichever fits better: neither a trend nor a
    cliff is memory.
    """
    if len(values) < 3:
        return FORGETFUL
    line, levels = line_residuals(values), level_residuals(values)
    rest = line if float(line @ line) <= float(levels @ levels) else levels
    power = float(rest @ rest)
    if power <= 1e-18 * max(float(values @ values), 1e-300):
        return FORGETFUL
    n = len(rest)
    spectrum = np.fft.rfft(rest, 2 * n)
    found = np.fft.irfft(spectrum * np.conj(spectrum), 2 * n)[1 : n // 2] / power
    ends = np.flatnonzero(found < _TOLD_APART / math.sqrt(n))
    return FORGETFUL + float(found[: ends[0] if len(ends) else len(found)].sum())


def warm_up(values: Values) -> int:
    """How many of the first ``values`` are warm-up, by MSER on batches of five.

    The cut with the smallest Σ(y - ȳ)² / (m - d)². 0 where that lies beyond the middle, for then
    there is no level that the phase warms up to. 0 also where the rate was higher before than
    after, or a straight line fits better than two levels: MSER alone would cut off a part of any
    slope, and call the rest steady.
    """
    count = len(values) // WARM_UP_BATCH
    if count < _FEWEST_BATCHES:
        return 0
    means = values[: count * WARM_UP_BATCH].reshape(count, WARM_UP_BATCH).mean(axis=1)
    means = means - means.mean()
    left = np.arange(count, 0, -1)
    sums, squares = np.cumsum(means[::-1])[::-1], np.cumsum(means[::-1] ** 2)[::-1]
    score = (np.maximum(squares - sums**2 / left, 0) / left**2)[: -int(_LEFT_SHARE * count)]
    best = int(np.argmin(score))
    if not 0 < best <= count // 2 or means[:best].mean() >= means[best:].mean():
        return 0
    sloping = float(np.sum(means**2) - np.sum(line_residuals(means) ** 2))
    return best * WARM_UP_BATCH if between(means)[best - 1] > sloping else 0
