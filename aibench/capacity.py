"""How many accelerators a target can feed: which level a search tries next, and what it found.

Pure functions of the samples, so that a search goes on from a record, and a report years later says
what it found. A search doubles the number of accelerators until they are no longer fed and bisects
what is between; with what it may try besides it looks for where that is sure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aibench.metrics import of_one_state
from aibench.model import Accelerators, Phase, Sample, Stage
from aibench.stats.intervals import estimate
from aibench.training import utilisation

#: Levels that a search may try beyond those that halving an interval takes.
_SPARE = 2


class Fed(StrEnum):
    """Whether so many accelerators were at the bar: surely, or as far as the mean goes."""

    YES = "yes"
    LIKELY = "likely"
    UNLIKELY = "unlikely"
    NO = "no"
    #: The harness with no I/O behind it does not feed them either.
    CLIENT = "client"

    @property
    def passes(self) -> bool:
        """Whether the typical utilisation is at the bar."""
        return self in (Fed.YES, Fed.LIKELY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a search found: the largest number ``fed``, and between which numbers it surely lies.

    ``low`` is the largest number that is surely fed, ``high`` one less than the smallest that
    surely is not; None where all that were tried may be fed. ``client`` means that the harness ends
    the search and not the target.
    """

    fed: int
    low: int
    high: int | None
    client: bool


def levels_at_most(most: int) -> int:
    """How many levels a search up to ``most`` accelerators tries at most."""
    return min(2 * (most - 1).bit_length() + _SPARE, most)


def judged(phase: Phase, samples: Sequence[Sample]) -> Fed | None:
    """Whether the accelerators of ``phase`` were fed in its ``samples``; None where none counts.

    They surely are where the 95 % interval of the typical utilisation lies above the bar, and
    surely not where it lies below. One repeat has no interval and decides by itself.
    """
    asked = phase.accelerators
    assert asked is not None
    counted = of_one_state([sample for sample in samples if not sample.reasons])
    if any(_client_bound(asked, sample) for sample in counted):
        return Fed.CLIENT
    found = [_utilisation(sample) for sample in counted]
    values = [value for value in found if value is not None]
    if not values:
        return None
    shown = estimate(values, "higher")
    low, high = (shown.typical if end is None else end for end in (shown.low, shown.high))
    if low >= asked.bar:
        return Fed.YES
    if high < asked.bar:
        return Fed.NO
    return Fed.LIKELY if shown.typical >= asked.bar else Fed.UNLIKELY


def _utilisation(sample: Sample) -> float | None:
    training = sample.measurement.training
    return utilisation(training) if training else None


def _client_bound(asked: Accelerators, sample: Sample) -> bool:
    """Whether the harness alone keeps fewer accelerators than these at the bar."""
    training = sample.ceiling.training if sample.ceiling else None
    alone = utilisation(training) if training else None
    return alone is not None and alone < asked.bar


def following(tried: Mapping[int, Fed | None], levels: Sequence[int], at_most: int) -> int | None:
    """Which of the ascending ``levels`` to try next; None where the search is over.

    ``tried`` says what is known of those before. A level of which nothing counts ends it.
    """
    if len(tried) >= min(at_most, len(levels)) or None in tried.values():
        return None
    fails = [level for level, fed in tried.items() if fed and not fed.passes]
    top = min(fails, default=None)
    fed = max((n for n in tried if top is None or n < top), default=0)
    if top is None:
        wanted = next((n for n in levels if n >= 2 * fed), levels[-1])
        return None if wanted in tried else wanted
    return _between(levels, fed, top) or _surer(tried, levels, fed, top)


def _between(levels: Sequence[int], low: int, high: int) -> int | None:
    """The middle one of the levels between two others; None where there is none."""
    inside = [level for level in levels if low < level < high]
    return inside[(len(inside) - 1) // 2] if inside else None


def _surer(
    tried: Mapping[int, Fed | None], levels: Sequence[int], fed: int, top: int
) -> int | None:
    """A level that may be surely fed where ``fed`` is not, or surely not where ``top`` is not."""
    sure = max((n for n, found in tried.items() if found is Fed.YES and n <= fed), default=0)
    likely = min((n for n in tried if sure < n <= fed), default=sure)
    if middle := _between(levels, sure, likely):
        return middle
    over = [n for n, found in tried.items() if found in (Fed.NO, Fed.CLIENT) and n >= top]
    end = min(over, default=None)
    if end == top:
        return None
    unsure = max(n for n in tried if n >= top and (end is None or n < end))
    return _between(levels, unsure, end or 2 * unsure + 1)


def capacity(tried: Mapping[int, Fed | None]) -> Capacity:
    """What is known when so many accelerators were tried; fewer never need more."""
    known = {level: fed for level, fed in tried.items() if fed is not None}
    top = min((level for level, fed in known.items() if not fed.passes), default=None)
    below = {n: fed for n, fed in known.items() if top is None or n < top}
    over = [n for n, fed in known.items() if fed in (Fed.NO, Fed.CLIENT) and n not in below]
    end = min(over, default=None)
    return Capacity(
        fed=max(below, default=0),
        low=max((level for level, fed in below.items() if fed is Fed.YES), default=0),
        high=None if end is None else end - 1,
        client=top is not None and known[top] is Fed.CLIENT,
    )


def searched(stage: Stage) -> int:
    """How many levels a stage tries at most; 0 where it is no search."""
    asked = stage.measured[-1].accelerators if stage.measured else None
    return asked.searched if asked else 0


def candidates(stage: Stage) -> dict[int, Phase]:
    """The levels of a search by their numbers of accelerators, in ascending order."""
    return {
        phase.accelerators.count: phase
        for phase in stage.measured
        if phase.accelerators and phase.accelerators.searched
    }


def next_level(stage: Stage, samples: Iterable[Sample]) -> Phase | None:
    """The phase that a search measures next, after ``samples``; None where it is over.

    A level that has less than all its repeats comes first, but one is enough where the client is
    the limit.
    """
    phases = candidates(stage)
    every: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.workload == stage.workload:
            every.setdefault(sample.phase, []).append(sample)
    tried: dict[int, Fed | None] = {}
    for count, phase in phases.items():
        if found := every.get(phase.name):
            tried[count] = judged(phase, found)
            if len(found) < stage.repeats and tried[count] is not Fed.CLIENT:
                return phase
    wanted = following(tried, list(phases), searched(stage))
    return None if wanted is None else phases[wanted]
