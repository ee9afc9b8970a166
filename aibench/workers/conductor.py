"""Emulated accelerators: when each takes a batch, computed from when its batches were there.

No process plays an accelerator. Whichever loader brings a batch takes the shared timeline as far
as the batches reach, exactly, and tells the loaders that go on when theirs were taken. So a core
carries as many accelerators as its loaders can feed, nobody polls, and a clock that is read late
by whoever computes changes nothing. Everything shared is of fixed size, however many steps.

Step ``k`` of an accelerator begins when its batch ``k`` is there and its step before has ended, or
with a barrier that of all. Its loader ``k mod loaders`` brings the batch, and may begin with
another one when the one ``prefetch`` batches of its own before it is taken.
"""

import mmap
import multiprocessing
from collections.abc import Callable

from aibench.model import Accelerated, Accelerators
from aibench.workers.steps import StepLog, Steps, compute_time

_FORK = multiprocessing.get_context("fork")
_FOREVER = 2**63 - 1

#: The cells of a group of accelerators that end their steps together.
_STEP, _FREE, _LATEST, _ARRIVED, _LEFT, _OVER, _GROUP_CELLS = range(7)
#: The cells of one accelerator.
_TAKEN, _BEGAN, _ENDED, _HELD, _STEPS, _BYTES, _FIRST, _FIRST_END, _END = range(9)
_WAIT, _COMPUTED, _BARRIER, _STALL, _MEMBER_CELLS = range(9, 14)
#: The cells of one loader; then times and bytes of its batches, and when they were taken.
_MADE, _GONE, _SEAT_CELLS = range(3)


class Conductor:
    """The shared timeline of all accelerators of this host. Made before the loaders are forked.

    Loader ``seat`` is loader ``seat // count`` of accelerator ``seat % count``: so the batches that
    are dealt to it are those that a distributed sampler would give it.
    """

    def __init__(self, asked: Accelerators, seed: int, *, unending: bool, steps: int) -> None:
        self.asked, self.steps = asked, _FOREVER if unending and not steps else steps
        self.compute = compute_time(asked, seed)
        self._groups = 1 if asked.barrier else asked.count
        self._seat_cells = _SEAT_CELLS + 3 * asked.prefetch
        members = self._groups * _GROUP_CELLS
        seats = members + asked.count * _MEMBER_CELLS
        self._bases = members, seats
        memory = mmap.mmap(-1, 8 * (seats + asked.seats * self._seat_cells))
        self.cells = memoryview(memory).cast("q")
        self.locks = [_FORK.Lock() for _ in range(self._groups)]
        for group in range(self._groups):
            self.cells[group * _GROUP_CELLS + _OVER] = self.steps < 1
        self.admissions = [_FORK.Semaphore(0) for _ in range(asked.seats)]

    def seat(self, number: int) -> "Seat":
        """What loader ``number`` has to do with the timeline."""
        return Seat(self, number)

    def group_of(self, accelerator: int) -> tuple[int, tuple[int, ...]]:
        """The number of the group of an accelerator, and all accelerators in it."""
        if self.asked.barrier:
            return 0, tuple(range(self.asked.count))
        return accelerator, (accelerator,)

    def member(self, accelerator: int) -> int:
        """Where the cells of an accelerator begin."""
        return self._bases[0] + accelerator * _MEMBER_CELLS

    def loader(self, accelerator: int, number: int) -> int:
        """Where the cells of a loader of an accelerator begin."""
        return self._bases[1] + (number * self.asked.count + accelerator) * self._seat_cells

    def results(self, host: str, start_ns: int) -> tuple[Accelerated, ...]:
        """What each accelerator did, when all loaders have ended."""
        found = []
        for number in range(self.asked.count):
            base = self.member(number)
            cell = self.cells[base : base + _MEMBER_CELLS].tolist()
            found.append(
                Accelerated(
                    host=host,
                    number=number,
                    steps=cell[_STEPS],
                    bytes=cell[_BYTES],
                    first_batch_ns=max(cell[_FIRST] - start_ns, 0),
                    first_step_ns=max(cell[_FIRST_END] - start_ns, 0),
                    end_ns=max(cell[_END] - start_ns, 0),
                    wait_ns=cell[_WAIT],
                    compute_ns=cell[_COMPUTED],
                    barrier_ns=cell[_BARRIER],
                    stall_ns=cell[_STALL],
                )
            )
        return tuple(found)


class Seat:
    """One loader's part in the timeline: brings batches, and is told when to make another one."""

    def __init__(self, conductor: Conductor, number: int) -> None:
        asked = conductor.asked
        self.number = number
        self.accelerator, self.loader = number % asked.count, number // asked.count
        self.asked, self._conductor, self._cells = asked, conductor, conductor.cells
        group, self._members = conductor.group_of(self.accelerator)
        self._group, self._lock = group * _GROUP_CELLS, conductor.locks[group]
        self._admission = conductor.admissions[number]
        self._base = conductor.loader(self.accelerator, self.loader)
        self._quota = max(-(-(conductor.steps - self.loader) // asked.loaders), 0)
        self._made, self._deadline, self._start_ns = 0, _FOREVER, 0
        self._log = StepLog()

    def begin(self, start_ns: int, deadline: int) -> None:
        """Tell the common start, and the time at which the last step has begun."""
        self._log.start_ns, self._start_ns, self._deadline = start_ns, start_ns, deadline

    def admitted(self, wait: Callable[[int], None]) -> bool:
        """Wait until the next batch may be made; False where none is wanted any more."""
        place = self._made - self.asked.prefetch
        if self._made >= self._quota:
            return False
        if place >= 0:
            self._admission.acquire()
            if self._cells[self._group + _OVER]:
                return False
            wait(self._cells[self._ring(2) + place % self.asked.prefetch])
        return not self._cells[self._group + _OVER]

    def bring(self, ready_ns: int, size: int) -> None:
        """Put the batch of ``size`` bytes there, complete since ``ready_ns``."""
        place = self._made % self.asked.prefetch
        self._cells[self._ring(0) + place] = ready_ns
        self._cells[self._ring(1) + place] = size
        self._made += 1
        with self._lock:
            self._cells[self._base + _MADE] = self._made
            if not self._cells[self._group + _OVER]:
                self._advance()

    def leave(self, wait: Callable[[int], None], now: int) -> int:
        """Bring no more; the time at which the accelerator is done, which is waited for."""
        with self._lock:
            self._cells[self._base + _GONE] = 1
            if self._made < self._quota:
                self._cells[self._group + _LEFT] += 1
                self._end_if_stuck()
        while not self._cells[self._group + _OVER]:
            self._admission.acquire()
        end: int = max(self._cells[self._conductor.member(self.accelerator) + _END], now)
        wait(end)
        return end

    def freeze(self) -> Steps:
        """The steps that this loader computed, when it has left; without what is always equal."""
        found = self._log.freeze()
        equal = ["compute"] if not self.asked.varies else []
        equal += ["barrier"] if len(self._members) == 1 else []
        for kind in equal:
            found.histograms.pop(kind, None)
        return found

    def _ring(self, number: int) -> int:
        return self._base + _SEAT_CELLS + number * self.asked.prefetch

    def _advance(self) -> None:
        """Take the timeline as far as the batches reach, from what just came."""
        cells, group = self._cells, self._group
        if not cells[group + _FREE]:
            cells[group + _FREE] = self._start_ns
        taking: tuple[int, ...] = (self.accelerator,)
        while taking:
            for accelerator in taking:
                self._take(accelerator)
            if cells[group + _ARRIVED] < len(self._members):
                taking = ()
            else:
                self._end_step()
                taking = () if cells[group + _OVER] else self._members
        self._end_if_stuck()

    def _next(self, accelerator: int) -> tuple[int, int]:
        """(loader, which of its batches) of the batch that an accelerator takes next."""
        step = self._cells[self._conductor.member(accelerator) + _TAKEN]
        batch, loader = divmod(step, self.asked.loaders)
        return loader, batch

    def _take(self, accelerator: int) -> None:
        """Let an accelerator take its next batch, where it is free and the batch is there."""
        cells, conductor, group = self._cells, self._conductor, self._group
        base, step = conductor.member(accelerator), cells[group + _STEP]
        loader, batch = self._next(accelerator)
        seat = conductor.loader(accelerator, loader)
        if cells[base + _TAKEN] > step or cells[seat + _MADE] <= batch:
            return
        prefetch = self.asked.prefetch
        place = seat + _SEAT_CELLS + batch % prefetch
        began = max(cells[place], cells[group + _FREE])
        ended = began + conductor.compute(accelerator, step)
        cells[base + _BEGAN], cells[base + _ENDED] = began, ended
        cells[base + _HELD] = cells[place + prefetch]
        cells[base + _TAKEN] = step + 1
        cells[place + 2 * prefetch] = began
        conductor.admissions[loader * self.asked.count + accelerator].release()
        cells[group + _ARRIVED] += 1
        cells[group + _LATEST] = max(cells[group + _LATEST], ended)

    def _end_step(self) -> None:
        """All have computed: count their step, and let the next one begin."""
        cells, group = self._cells, self._group
        freed, latest, step = cells[group + _FREE], cells[group + _LATEST], cells[group + _STEP]
        bases = [self._conductor.member(accelerator) for accelerator in self._members]
        longest = max(cells[base + _ENDED] - cells[base + _BEGAN] for base in bases)
        for base in bases:
            self._count(base, freed, latest, first=step == 0)
            cells[base + _STALL] += latest - freed - longest if step else 0
        cells[group + _STEP], cells[group + _FREE], cells[group + _ARRIVED] = step + 1, latest, 0
        if step + 1 >= self._conductor.steps or latest >= self._deadline:
            self._finish()

    def _count(self, base: int, freed: int, latest: int, *, first: bool) -> None:
        cells = self._cells
        began, ended, size = cells[base + _BEGAN], cells[base + _ENDED], cells[base + _HELD]
        cells[base + _STEPS] += 1
        cells[base + _BYTES] += size
        cells[base + _END] = latest
        if first:
            cells[base + _FIRST], cells[base + _FIRST_END] = began, latest
            return
        cells[base + _WAIT] += began - freed
        cells[base + _COMPUTED] += ended - began
        cells[base + _BARRIER] += latest - ended
        self._log.add(freed, began, ended, latest, size)

    def _end_if_stuck(self) -> None:
        """End where an accelerator needs a batch from a loader that left early."""
        if not self._cells[self._group + _LEFT] or self._cells[self._group + _OVER]:
            return
        for accelerator in self._members:
            base = self._conductor.member(accelerator)
            if self._cells[base + _TAKEN] > self._cells[self._group + _STEP]:
                continue
            loader, batch = self._next(accelerator)
            seat = self._conductor.loader(accelerator, loader)
            if self._cells[seat + _GONE] and self._cells[seat + _MADE] <= batch:
                self._finish()
                return

    def _finish(self) -> None:
        """Nothing more is taken: wake all loaders of the group."""
        self._cells[self._group + _OVER] = 1
        for accelerator in self._members:
            for loader in range(self.asked.loaders):
                self._conductor.admissions[loader * self.asked.count + accelerator].release()
