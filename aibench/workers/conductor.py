"""Emulated accelerators: when each takes a batch, computed from when its batches were there.

No process plays an accelerator. Whichever loader brings a batch takes the shared timeline as far
as the batches reach, exactly, and tells the loaders that go on when theirs were taken. So a core
carries as many accelerators as its loaders can feed, nobody polls, and a clock that is read late
by whoever computes changes nothing. Where checkpoints are due the timeline stops, tells the ranks
that write them, and goes on with the one that lets it go last; so with evaluations and those that
read for them.
"""

from collections.abc import Callable

from aibench.model import Accelerated, Checkpointed
from aibench.workers.cells import (
    ASKED,
    ASKED_AT,
    BARRIER,
    BYTES,
    COMPUTED,
    END,
    EVALUATED,
    EXAMINED,
    FIRST,
    FIRST_END,
    FREE,
    GONE,
    LEFT,
    MADE,
    MEMBER_CELLS,
    RELEASED_AT,
    SAVED,
    SEAT_CELLS,
    STALL,
    STEPS,
    TURNED,
    UNWRITTEN,
    WAIT,
    WRITTEN_AT,
    Cells,
)  # fmt: skip
from aibench.workers.steps import Steps
from aibench.workers.timeline import Timeline


class Conductor(Cells):
    """The shared timeline of all accelerators of this pool. Made before the loaders are forked."""

    def seat(self, number: int) -> "Seat":
        """What loader ``number`` has to do with the timeline."""
        return Seat(self, number)

    def saver(self, rank: int) -> "Saver":
        """What rank ``rank`` of the checkpoints has to do with it."""
        return Saver(self, rank)

    def evaluator(self, number: int) -> "Evaluator":
        """What loader ``number`` of the data of evaluations has to do with it."""
        return Evaluator(self, number)

    @property
    def evaluations(self) -> int:
        """How many evaluations the accelerators stopped for."""
        asked: int = self.cells[EXAMINED]
        return asked

    def results(self, host: str, start_ns: int) -> tuple[Accelerated, ...]:
        """What each accelerator did, when all loaders have ended."""
        found = []
        for number in self.here:
            base = self.member(number)
            cell = self.cells[base : base + MEMBER_CELLS].tolist()
            found.append(
                Accelerated(
                    host=host,
                    number=number,
                    steps=cell[STEPS],
                    bytes=cell[BYTES],
                    first_batch_ns=max(cell[FIRST] - start_ns, 0),
                    first_step_ns=max(cell[FIRST_END] - start_ns, 0),
                    end_ns=max(cell[END] - start_ns, 0),
                    wait_ns=cell[WAIT],
                    compute_ns=cell[COMPUTED],
                    barrier_ns=cell[BARRIER],
                    stall_ns=cell[STALL],
                    checkpoint_ns=cell[SAVED],
                    evaluation_ns=cell[EVALUATED],
                )
            )
        return tuple(found)

    def saved(self, start_ns: int) -> tuple[Checkpointed, ...]:
        """When each checkpoint was asked for, let the accelerators go on, and was written."""
        found = []
        for number in range(self.cells[ASKED]):
            base = self.checkpoint(number)
            released, written = self.cells[base + RELEASED_AT], self.cells[base + WRITTEN_AT]
            found.append(
                Checkpointed(
                    asked_ns=self.cells[base + ASKED_AT] - start_ns,
                    released_ns=released - start_ns if released else None,
                    ended_ns=None if self.cells[base + UNWRITTEN] else written - start_ns,
                )
            )
        return tuple(found)


class Saver:
    """One rank's part in the timeline: is told when a checkpoint is due, and lets it go on."""

    def __init__(self, conductor: Conductor, rank: int) -> None:
        self.timeline = Timeline(conductor, 0)
        self._shared, self._cells = conductor, conductor.cells
        self._turn, self._done = conductor.turns[rank], 0
        self._released = False

    def begin(self, start_ns: int) -> None:
        """Tell the common start."""
        self.timeline.begin(start_ns, self._shared.deadline(start_ns))

    def asked(self, wait: Callable[[int], None]) -> int | None:
        """Wait until the next checkpoint is due, and tell its number; None when none will be."""
        while self._done >= self._cells[ASKED]:
            if self.timeline.over:
                return None
            self._turn.acquire()
        self._released = False
        wait(self._cells[self._shared.checkpoint(self._done) + ASKED_AT])
        return self._done

    def release(self, now: int) -> None:
        """Let the accelerators go on, as far as this rank is concerned; only the first counts."""
        if not self._released:
            self._released = True
            with self.timeline.lock:
                self.timeline.release(self._done, now)

    def written(self, now: int) -> int:
        """All of it is written; tells how long after it was asked for."""
        self.release(now)
        with self.timeline.lock:
            self.timeline.written(self._done, now)
        asked: int = self._cells[self._shared.checkpoint(self._done) + ASKED_AT]
        self._done += 1
        return now - asked

    def freeze(self) -> Steps:
        """The steps that this rank computed, when no other checkpoint will be due."""
        self._shared.end_rank()
        return self.timeline.freeze()


class Evaluator:
    """One loader's part in evaluations: is told when one is due, and when it would be over."""

    def __init__(self, conductor: Conductor, number: int) -> None:
        self.timeline = Timeline(conductor, 0)
        self._shared, self._cells = conductor, conductor.cells
        self._exam, self._done = conductor.exams[number], 0

    def begin(self, start_ns: int) -> None:
        """Tell the common start."""
        self.timeline.begin(start_ns, self._shared.deadline(start_ns))

    def asked(self, wait: Callable[[int], None]) -> int | None:
        """Wait until the next evaluation begins, and tell when; None when none will."""
        group = self.timeline.group
        while self._done >= self._cells[group + EXAMINED]:
            if self.timeline.over:
                return None
            self._exam.acquire()
        began: int = self._cells[group + FREE]
        wait(began)
        return began

    def done(self, end_ns: int) -> None:
        """All of it is read, and computed with at a time that may be still to come."""
        self._done += 1
        with self.timeline.lock:
            self.timeline.evaluated(end_ns)

    def freeze(self) -> Steps:
        """The steps that this loader computed, when no other evaluation will be due."""
        return self.timeline.freeze()


class Seat:
    """One loader's part in the timeline: brings batches, and is told when to make another one."""

    def __init__(self, conductor: Conductor, number: int) -> None:
        asked = conductor.asked
        self.number = number
        self.accelerator, self.loader = number % asked.count, number // asked.count
        self.asked, self._cells = asked, conductor.cells
        self.timeline = Timeline(conductor, self.accelerator)
        self._member = conductor.member(self.accelerator)
        self._admission = conductor.admissions[number]
        self._base = conductor.loader(self.accelerator, self.loader)
        self._quota = max(-(-(conductor.steps_of_epochs - self.loader) // asked.loaders), 0)
        self._made = conductor.cells[self._base + MADE]
        self._turned = conductor.turned[number] if conductor.turned else None
        self._is_last = conductor.steps_of_epochs >= conductor.steps
        self._is_coupled = conductor.others > 0
        self.epochs, self.origin_ns = conductor.epochs, conductor.origin_ns

    def begin(self, start_ns: int, deadline: int) -> None:
        """Tell the common start, and the time at which the last step has begun."""
        self.timeline.begin(start_ns, deadline)

    @property
    def turned_ns(self) -> int:
        """The time at which the last epoch ended; 0 where there was none."""
        turned: int = self._cells[self.timeline.group + TURNED]
        return turned

    def turn(self, wait: Callable[[int], None]) -> bool:
        """Wait until the epoch is over; False where no other one follows."""
        if self._turned is None:
            return True
        self._turned.acquire()
        wait(self._cells[self.timeline.group + TURNED])
        return not self.timeline.over

    def admitted(self, wait: Callable[[int], None]) -> bool:
        """Wait until the next batch may be made; False where none is wanted any more."""
        place = self._made - self.asked.prefetch
        if self._made >= self._quota:
            return False
        if place >= 0:
            self._admission.acquire()
            if self.timeline.over:
                return False
            wait(self._cells[self._ring(2) + place % self.asked.prefetch])
        return not self.timeline.over

    def bring(self, ready_ns: int, size: int) -> None:
        """Put the batch of ``size`` bytes there, complete since ``ready_ns``."""
        place = self._made % self.asked.prefetch
        self._cells[self._ring(0) + place] = ready_ns
        self._cells[self._ring(1) + place] = size
        step = self._made * self.asked.loaders + self.loader
        self._made += 1
        with self.timeline.lock:
            self._cells[self._base + MADE] = self._made
            if not self.timeline.over:
                if self._is_coupled:
                    self.timeline.brought(self.accelerator, step, ready_ns)
                self.timeline.advance((self.accelerator,))

    def leave(self, wait: Callable[[int], None], now: int) -> int:
        """Bring no more; the time at which the accelerator is done, which is waited for."""
        with self.timeline.lock:
            self._cells[self._base + GONE] = 1
            if self._made < self._quota:
                self._cells[self.timeline.group + LEFT] += 1
                self.timeline.end_if_stuck()
        if not self._is_last:
            self.turn(wait)
        while self._is_last and not self.timeline.over:
            self._admission.acquire()
        end: int = max(self._cells[self._member + END], now)
        wait(end)
        return end

    def freeze(self) -> Steps:
        """The steps that this loader computed, when it has left."""
        return self.timeline.freeze()

    def _ring(self, number: int) -> int:
        return self._base + SEAT_CELLS + number * self.asked.prefetch
