"""The inverse question: what has to be true for a claim to be."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aibench.cluster.comparison import compared
from aibench.cluster.job import Outcome

#: Bandwidths are looked for between these, in bytes per second.
_SLOWEST, _FASTEST = 1e3, 1e16
_STEPS = 60
#: Halvings of a step, which is a factor of 1.65, until a float can be told no better.
_HALVINGS = 50
#: A gain is reached when it is met this closely.
_EXACT = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The baseline that a gain would need: its write bandwidth, and how a job does on it.

    ``others`` is how many more bandwidths would give the same gain, all slower.
    """

    bandwidth: float
    baseline: Outcome
    others: int = 0


def needed_baseline(values: Mapping[str, float], gain: float) -> Needed | None:
    """The fastest baseline over which the candidate of ``values`` has the ``gain``.

    The baseline's read bandwidth moves with its write bandwidth. A candidate that is told as a
    multiple of the baseline moves as well. None where no baseline that makes progress has it.
    """
    ratio = values.get("baseline_read", 1.0) / values.get("baseline_write", 1.0)
    ratio = ratio if {"baseline_read", "baseline_write"} <= values.keys() else 1.0

    def at(bandwidth: float) -> Mapping[str, float]:
        return {**values, "baseline_write": bandwidth, "baseline_read": bandwidth * ratio}

    def beyond(bandwidth: float) -> float:
        found = compared(at(bandwidth)).gain
        return (1e6 if found is None else min(found, 1e6)) - gain

    # Where the baseline stops to progress the gain jumps: no bandwidth has what lies between.
    progressing = [
        root
        for root in _roots(beyond)
        if compared(at(root)).baseline.progresses and abs(beyond(root)) < _EXACT * gain
    ]
    if not progressing:
        return None
    fastest = progressing[-1]
    return Needed(
        bandwidth=fastest,
        baseline=compared(at(fastest)).baseline,
        others=len(progressing) - 1,
    )


def _roots(function: Callable[[float], float]) -> list[float]:
    """Where ``function`` changes its sign, from the slowest bandwidth to the fastest."""
    step = (_FASTEST / _SLOWEST) ** (1 / _STEPS)
    places = [_SLOWEST * step**n for n in range(_STEPS + 1)]
    above = [function(place) > 0 for place in places]
    return [
        _bisected(function, places[n], places[n + 1])
        for n in range(_STEPS)
        if above[n] != above[n + 1]
    ]


def _bisected(function: Callable[[float], float], low: float, high: float) -> float:
    above = function(low) > 0
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if (function(middle) > 0) == above:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
