"""What the ranks of a phase bring home, and how it becomes the whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from aibench.model import Accelerated, Checkpointed, Histogram, WorkerResult
from aibench.stats.histogram import merge
from aibench.workers.conductor import Conductor
from aibench.workers.job import Outcome
from aibench.workers.log import together
from aibench.world import Place

#: Up to so many ranks tell the latencies in each interval.
_WITH_LATENCIES = 64
#: A record has so many workers at most, and beyond that ranks: 4 MB of a sample.
_MOST_WORKERS = 2**14


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What one rank brings home of a phase that began at ``start_ns`` on its own clock.

    Times of ``accelerated`` and ``saved`` count from the first start of its own.
    """

    start_ns: int
    outcomes: tuple[Outcome, ...]
    accelerated: tuple[Accelerated, ...] = ()
    saved: tuple[Checkpointed, ...] = ()
    evaluations: int = 0

    @property
    def first_ns(self) -> int:
        """The first start of its own, after the common one."""
        starts = (outcome.start_ns for outcome in self.outcomes)
        return min(starts, default=self.start_ns) - self.start_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What all ranks brought home, on the clock of rank 0; ``ranks`` has the rank of each slot."""

    start_ns: int
    outcomes: list[Outcome]
    ranks: dict[int, int]
    accelerated: tuple[Accelerated, ...]
    saved: tuple[Checkpointed, ...]
    evaluations: int


def harvest(
    start: int, outcomes: Sequence[Outcome], conductor: Conductor | None, place: Place
) -> Harvest:
    """What a rank brings home; one of many has the histograms and series of all its slots in one.

    So it sends as much as they take once, and a few numbers for each slot. Of very many ranks each
    sends its series without latencies, which would be many times the histograms.
    """
    found = tuple(outcomes)
    if place.size > 1:
        found = _condensed(found, latencies=place.size <= _WITH_LATENCIES)
    own, host = Harvest(start_ns=start, outcomes=found), place.host
    if conductor is None or not outcomes:
        return own
    first = start + own.first_ns
    return replace(
        own,
        accelerated=conductor.results(host, first),
        saved=conductor.saved(first),
        evaluations=conductor.evaluations,
    )


def joined(harvests: Sequence[Harvest]) -> Whole:
    """The whole of what all ranks brought home, by rank.

    They began together, so that their clocks need not be compared.
    """
    start = harvests[0].start_ns
    first = min(each.first_ns for each in harvests if each.outcomes)
    ranks: dict[int, int] = {}
    outcomes: list[Outcome] = []
    for rank, each in enumerate(harvests):
        ahead = each.start_ns - start
        outcomes += [
            replace(o, start_ns=o.start_ns - ahead, end_ns=o.end_ns - ahead) for o in each.outcomes
        ]
        ranks |= {outcome.slot: rank for outcome in each.outcomes}
    late = [each.first_ns - first for each in harvests]
    accelerated = [
        _later(one, ns) for each, ns in zip(harvests, late, strict=True) for one in each.accelerated
    ]
    return Whole(
        start_ns=start,
        outcomes=sorted(outcomes, key=lambda outcome: outcome.slot),
        ranks=ranks,
        accelerated=tuple(sorted(accelerated, key=lambda one: one.number)),
        saved=_saved(harvests, late),
        evaluations=max(each.evaluations for each in harvests),
    )


def merged(outcomes: Sequence[Outcome]) -> dict[str, Histogram]:
    """The histograms of all threads of control, by kind."""
    kinds = sorted({kind for outcome in outcomes for kind in outcome.histograms})
    return {
        kind: merge(o.histograms[kind] for o in outcomes if kind in o.histograms) for kind in kinds
    }


def by_rank(workers: Sequence[WorkerResult]) -> tuple[WorkerResult, ...]:
    """All of them, or where they are very many one for each rank that they are of.

    It stands for the workers of its rank: what they did together, from the first start to the last
    end, under the number of the first.
    """
    if len(workers) <= _MOST_WORKERS:
        return tuple(workers)
    found: dict[int, WorkerResult] = {}
    for each in workers:
        known = found.get(each.rank)
        found[each.rank] = _both(known, each) if known else each
    return tuple(found.values())


def _both(one: WorkerResult, other: WorkerResult) -> WorkerResult:
    return replace(
        one,
        operations=one.operations + other.operations,
        bytes=one.bytes + other.bytes,
        start_ns=min(one.start_ns, other.start_ns),
        end_ns=max(one.end_ns, other.end_ns),
        user_ns=(one.user_ns or 0) + (other.user_ns or 0),
        system_ns=(one.system_ns or 0) + (other.system_ns or 0),
    )


def _condensed(outcomes: Sequence[Outcome], *, latencies: bool) -> tuple[Outcome, ...]:
    """The same, with the histograms and series of all in the first one."""
    if not outcomes:
        return ()
    intervals = together(o.intervals for o in outcomes if o.intervals is not None)
    steps = together(o.steps for o in outcomes if o.steps is not None)
    first = replace(
        outcomes[0],
        histograms=merged(outcomes),
        intervals=intervals if latencies or intervals is None else intervals.without_bins(),
        steps=steps if latencies or steps is None else steps.without_bins(),
    )
    bare = (replace(o, histograms={}, intervals=None, steps=None) for o in outcomes[1:])
    return (first, *bare)


def _later(one: Accelerated, by_ns: int) -> Accelerated:
    """The same on a clock that began so much earlier."""
    return replace(
        one,
        first_batch_ns=one.first_batch_ns + by_ns,
        first_step_ns=one.first_step_ns + by_ns,
        end_ns=one.end_ns + by_ns,
    )


def _saved(harvests: Sequence[Harvest], late: Sequence[int]) -> tuple[Checkpointed, ...]:
    """Each checkpoint: asked for first, let go and complete last, of all that have a part in it."""
    parts = [
        [
            Checkpointed(
                asked_ns=one.asked_ns + by_ns,
                released_ns=None if one.released_ns is None else one.released_ns + by_ns,
                ended_ns=None if one.ended_ns is None else one.ended_ns + by_ns,
            )
            for one in each.saved
        ]
        for each, by_ns in zip(harvests, late, strict=True)
        if each.saved
    ]
    return tuple(
        Checkpointed(
            asked_ns=min(one.asked_ns for one in ones if one),
            released_ns=_last(one.released_ns if one else None for one in ones),
            ended_ns=_last(one.ended_ns if one else None for one in ones),
        )
        for ones in zip_longest(*parts)
    )


def _last(times: Iterable[int | None]) -> int | None:
    """The last of them; None where one is missing."""
    known = list(times)
    return None if None in known else max(time for time in known if time is not None)
