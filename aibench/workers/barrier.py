"""The timeline of accelerators on many ranks, as the parent of one rank's pool tells and learns it.

Loaders take it as far as a step of those of their own rank. When the last batch of all ranks is
there, the parent of each ends the step for its own, at the same time after the common start: so
with the stops for checkpoints and evaluations, which end for all when the last one lets them go.
All parents hear of the same events in the same order, so that they all come to the same steps.

For the end of a step with batches ready at r and computed for c from when all are free at f,
max(max(r, f) + c) is max(max(r + c), f + max(c)), which needs no f: so each rank tells of a step
when its batches are there, however many steps ahead, and a message that takes long holds nobody up
who has batches enough.
"""

from dataclasses import replace

from aibench.stats.histogram import merge
from aibench.workers.cells import (
    ASKED,
    BROUGHT,
    COMPUTABLE,
    EXAM_END,
    EXAMINED,
    LONGEST,
    OVER,
    RELEASED_AT,
    STEP,
    STOPS,
    STUCK,
    UNWRITTEN,
    WRITTEN_AT,
)
from aibench.workers.conductor import Conductor
from aibench.workers.coupling import Event
from aibench.workers.job import Outcome
from aibench.workers.log import together
from aibench.workers.timeline import Timeline

_STEP, _RELEASED, _WRITTEN, _EXAMINED, _OVER = "step", "released", "written", "examined", "over"
#: How long to wait for a worker that moves the timeline; it may have been killed meanwhile.
_LOCK_S = 0.02


class Barrier:
    """The steps of all accelerators, of which this rank has some, or none."""

    def __init__(self, conductor: Conductor) -> None:
        ranks, count = conductor.all_ranks, conductor.asked.count
        self.totals = {
            _STEP: count, _RELEASED: ranks, _WRITTEN: ranks, _OVER: 1,
            _EXAMINED: conductor.all_evaluators,
        }  # fmt: skip
        self._conductor, self._cells = conductor, conductor.cells
        here = conductor.here
        self._timeline = Timeline(conductor, here[0] if here else 0)
        self._group, self._base_ns = self._timeline.group, 0
        self._told: set[tuple[str, int]] = set()
        self._next = conductor.cells[self._group + STEP]
        self._coming: dict[int, tuple[int, ...]] = {}
        self._written = conductor.cells[self._group + ASKED]
        self._examined = conductor.cells[self._group + EXAMINED]
        self._is_known = False

    def hang(self, bell: int | None) -> None:
        """Have it rung by who moves the timeline."""
        self._conductor.bell = bell

    def begin(self, start_ns: int) -> None:
        """Count times from the common start, of the first epoch where there are several."""
        self._base_ns = self._conductor.origin_ns or start_ns
        self._timeline.begin(self._base_ns, self._conductor.deadline(start_ns))

    def news(self) -> list[Event]:
        """What those here have done that is not told yet."""
        if not self._timeline.lock.acquire(timeout=_LOCK_S):
            return []
        try:
            self._conclude()
            due = [event for event in self._due() if event[:2] not in self._told]
            self._told |= {event[:2] for event in due}
            return due + self._brought()
        finally:
            self._timeline.lock.release()

    def learn(self, event: Event) -> bool:
        """Go on from what all have done."""
        timeline, base = self._timeline, self._base_ns
        if not timeline.lock.acquire(timeout=_LOCK_S):
            return False
        try:
            if event.kind == _STEP:
                self._coming[event.number] = event.times
            elif event.kind == _RELEASED:
                timeline.release(event.number, base + event.times[0])
            elif event.kind == _EXAMINED:
                self._examined = event.number + 1
                timeline.evaluated(base + event.times[0])
            elif event.kind == _WRITTEN:
                self._written = event.number + 1
                timeline.written(event.number, base + event.times[0])
            elif not timeline.over:
                timeline.finish()
            self._step()
            self._conclude()
        finally:
            timeline.lock.release()
        self._told.discard(event[:2])
        return True

    def complete(self, outcomes: list[Outcome]) -> list[Outcome]:
        """The outcomes with the steps that were ended here, in the first of them."""
        if not outcomes:
            return outcomes
        first, *others = outcomes
        steps = self._timeline.freeze(wait=False)
        histograms = dict(first.histograms)
        for kind, histogram in steps.histograms.items():
            known = [histograms[kind]] if kind in histograms else []
            histograms[kind] = merge([*known, histogram])
        parts = [first.steps, steps.intervals] if first.steps else [steps.intervals]
        sums = [
            tuple(map(sum, zip(*rows, strict=True)))
            for rows in zip(first.step_sums, steps.sums, strict=True)
        ]
        whole = replace(first, histograms=histograms, steps=together(parts), step_sums=tuple(sums))
        return [whole, *others]

    @property
    def is_held(self) -> bool:
        """Whether nothing is left to be done here before others have come as far."""
        return not self._is_known and not any(self._owed())

    def _owed(self) -> list[bool]:
        """What those of this rank have to do next: whether each is still to be done."""
        cells, group, shared = self._cells, self._group, self._conductor
        writing = any(
            cells[shared.checkpoint(number) + UNWRITTEN] > 1
            for number in range(self._written, cells[group + ASKED])
        )
        stepping = (
            bool(self._timeline.members)
            and not cells[group + STOPS]
            and not cells[group + STUCK]
            and not cells[group + OVER]
            and self._next <= cells[group + STEP]
        )
        return [writing, stepping, cells[group + STOPS] > 1]

    def _step(self) -> None:
        """End the steps whose batches are there on all ranks."""
        cells, group, base = self._cells, self._group, self._base_ns
        while not cells[group + OVER] and not cells[group + STOPS]:
            times = self._coming.pop(cells[group + STEP], None)
            if times is None:
                return
            computable, longest = times
            self._timeline.resume(base + computable, longest)

    def _brought(self) -> list[Event]:
        """The next steps that all batches of this rank are there for."""
        cells, members, found = self._cells, len(self._timeline.members), list[Event]()
        end = cells[self._group + STEP] + self._conductor.ahead
        while members and self._next < end:
            coming = self._conductor.coming(self._next)
            if cells[coming + BROUGHT] < members:
                break
            times = (cells[coming + COMPUTABLE] - self._base_ns, cells[coming + LONGEST])
            found.append(Event(_STEP, self._next, members, times))
            self._next += 1
        return found

    def _due(self) -> list[Event]:
        """What all those here have come to, whether it was told or not."""
        cells, group, shared = self._cells, self._group, self._conductor
        found = list[Event]()
        if cells[group + STUCK] and not cells[group + OVER]:
            found.append(Event(_OVER, 0, 1))
        asked = cells[group + ASKED]
        if cells[group + STOPS] == 1:
            found += self._let_go(asked - 1)
        for number in range(self._written, asked if shared.ranks else 0):
            base = shared.checkpoint(number)
            if cells[base + UNWRITTEN] == 1:
                time = cells[base + WRITTEN_AT] - self._base_ns
                found.append(Event(_WRITTEN, number, shared.ranks, (time,)))
        return found

    def _let_go(self, checkpoint: int) -> list[Event]:
        """All who stop the accelerators here let them go on, where there is anyone."""
        cells, group, shared = self._cells, self._group, self._conductor
        if cells[group + EXAMINED] > self._examined:
            time = cells[group + EXAM_END] - self._base_ns
            event = Event(_EXAMINED, self._examined, len(shared.exams), (time,))
        else:
            time = cells[shared.checkpoint(checkpoint) + RELEASED_AT] - self._base_ns
            event = Event(_RELEASED, checkpoint, shared.ranks, (time,))
        return [event] if event.arrived else []

    def _conclude(self) -> None:
        """Let those here go when nothing is written any more anywhere."""
        cells, group = self._cells, self._group
        if not self._is_known and cells[group + OVER] and self._written == cells[group + ASKED]:
            self._is_known = True
            if self._conductor.all_ranks:
                self._conductor.end_rank()
