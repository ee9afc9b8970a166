"""Goodput over bandwidth, and from where on more bandwidth is hardly worth it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aibench.cluster.comparison import job_of, storage_of
from aibench.cluster.job import Job, Storage, outcome
from aibench.cluster.ranges import Values

#: Points a decade, and how far the curve goes on either side of the storages that are shown.
_A_DECADE, _BEYOND = 12, 30.0
#: From the knee on a doubling of the bandwidth gives less than this share of the time.
KNEE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Goodput at a write bandwidth, and where failures come soonest; None without progress."""

    bandwidth: float
    goodput: float | None
    soonest: float | None


def curve(typical: Values, soonest: Values, shown: Sequence[float]) -> tuple[Point, ...]:
    """Points around the bandwidths ``shown``: reads move with writes, all else is the candidate's.

    ``soonest`` are the inputs with the shortest time between failures.
    """
    storage = storage_of(typical, "candidate")
    jobs = job_of(typical), job_of(soonest)
    low = math.floor(math.log10(min(shown) / _BEYOND) * _A_DECADE)
    high = math.ceil(math.log10(max(shown) * _BEYOND) * _A_DECADE)
    found = []
    for bandwidth in sorted({*shown, *(10 ** (n / _A_DECADE) for n in range(low, high + 1))}):
        first, second = (_goodput(job, storage, bandwidth) for job in jobs)
        found.append(Point(bandwidth=bandwidth, goodput=first, soonest=second))
    return tuple(found)


def knee(typical: Values, points: Sequence[Point]) -> float | None:
    """The bandwidth from which on a doubling gives less than `KNEE` of the time.

    None where it lies outside of the curve.
    """
    storage, job = storage_of(typical, "candidate"), job_of(typical)
    found = None
    for point in reversed(points):
        twice = _goodput(job, storage, 2 * point.bandwidth)
        if point.goodput is None or twice is None or twice - point.goodput >= KNEE:
            return found
        found = point.bandwidth
    return None


def _goodput(job: Job, storage: Storage, bandwidth: float) -> float | None:
    moved = replace(storage, write=bandwidth, read=bandwidth * storage.read / storage.write)
    found = outcome(job, moved)
    return found.goodput if found.progresses else None
