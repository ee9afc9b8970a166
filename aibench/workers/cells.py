"""The shared memory in which the timeline of emulated accelerators lies, and where what is in it.

Everything is of fixed size, however many steps; it is made before loaders and ranks are forked.
"""

import mmap
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aibench.model import Accelerators
from aibench.workers.steps import compute_time

if TYPE_CHECKING:
    from multiprocessing.synchronize import Semaphore

_FORK = multiprocessing.get_context("fork")
FOREVER = 2**63 - 1

#: The cells of a group of accelerators that end their steps together: its step, since when they
#: are free, when the last of those that arrived ended its step, and who left. Then whether it is
#: over, for how many ranks or evaluators it stops, how many checkpoints were asked for, how long
#: it stopped for one, when its last epoch ended, how many evaluations were asked for, when the one
#: that goes on ends as far as is known, how long it stopped for one, and whether a loader left
#: whose batch is needed, where that ends the steps of other ranks too.
STEP, FREE, LATEST, ARRIVED, LEFT, OVER, STOPS, ASKED, STOPPED, TURNED = range(10)
EXAMINED, EXAM_END, EXAM, STUCK, GROUP_CELLS = range(10, 15)
#: The cells of one accelerator.
TAKEN, BEGAN, ENDED, HELD, STEPS, BYTES, FIRST, FIRST_END, END = range(9)
WAIT, COMPUTED, BARRIER, STALL, SAVED, EVALUATED, MEMBER_CELLS = range(9, 16)
#: The cells of one loader; then times and bytes of its batches, and when they were taken.
MADE, GONE, SEAT_CELLS = range(3)
#: The cells of one checkpoint: when it was asked for, released and complete, and ranks to come.
ASKED_AT, RELEASED_AT, WRITTEN_AT, UNWRITTEN, CHECKPOINT_CELLS = range(5)
#: The cells of a step that other pools wait for: how many of its batches are there, when the last
#: one that is can be computed with at the earliest, and the longest computing.
BROUGHT, COMPUTABLE, LONGEST, COMING_CELLS = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Who of all is in the timeline of this pool: accelerators, and slots of two other crews.

    The ``ranks`` write checkpoints; the ``evaluators`` are loaders of the data of evaluations. In
    ``others`` there are pools with the rest, of so many ranks and evaluators in ``everywhere``.
    """

    accelerators: range
    ranks: Sequence[int] = ()
    evaluators: Sequence[int] = ()
    others: bool = False
    everywhere: tuple[int, int] | None = None


class Cells:
    """Integers, locks and semaphores that all of this pool share: loaders, ranks, evaluators.

    Loader ``seat`` is loader ``seat // count`` of accelerator ``seat % count``: so the batches that
    are dealt to it are those that a distributed sampler would give it. There are up to
    ``checkpoints``, and no step begins when ``runtime_ns`` are over (0: no
    bound).

    Where accelerators of other pools end their steps together with those here, the pool's parent
    stands for them (`workers.barrier`): ``others`` is 1 then, its part in each stop, else 0.
    """

    def __init__(
        self,
        asked: Accelerators,
        seed: int,
        *,
        unending: bool,
        steps: int,
        checkpoints: int = 0,
        runtime_ns: int = 0,
        present: Present | None = None,
    ) -> None:
        self.asked, self.steps = asked, FOREVER if unending and not steps else steps
        self.compute = compute_time(asked, seed)
        present = present or Present(accelerators=range(asked.count))
        self.here, self.ranks = present.accelerators, len(present.ranks)
        self.checkpoints, self._runtime_ns = checkpoints, runtime_ns
        self.groups = 1 if asked.barrier else asked.count
        self.others = int(present.others and self.groups == 1)
        self.all_ranks, self.all_evaluators = present.everywhere or (
            len(present.ranks), len(present.evaluators),
        )  # fmt: skip
        self.bell: int | None = None
        self._seat_cells = SEAT_CELLS + 3 * asked.prefetch
        members = self.groups * GROUP_CELLS
        seats = members + asked.count * MEMBER_CELLS
        windows = seats + asked.seats * self._seat_cells
        coming = windows + checkpoints * CHECKPOINT_CELLS
        self._bases = members, seats, windows, coming
        self.ahead = asked.loaders * asked.prefetch + 1
        memory = mmap.mmap(-1, 8 * (coming + self.ahead * COMING_CELLS))
        self.cells = memoryview(memory).cast("q")
        self.locks = [_FORK.Lock() for _ in range(self.groups)]
        for group in range(self.groups):
            self.cells[group * GROUP_CELLS + OVER] = self.steps < 1
        self.admissions = [_FORK.Semaphore(0) for _ in range(asked.seats)]
        self.epoch_steps, self.epochs, self.origin_ns = 0, range(1), 0
        self.turned: list[Semaphore] = []
        self.turns = {rank: _FORK.Semaphore(0) for rank in present.ranks}
        self.exams = {number: _FORK.Semaphore(0) for number in present.evaluators}
        self._writing = self.ranks + (self.others if self.all_ranks else 0)
        self._others_writing = _FORK.Semaphore(max(self._writing - 1, 0))
        self._written = _FORK.Semaphore(0)

    def divide(self, epoch_steps: int) -> None:
        """Have epochs of so many steps, each of which begins when the one before has ended."""
        self.epoch_steps, self.epochs = epoch_steps, range(self.asked.epochs)
        self.turned = [_FORK.Semaphore(0) for _ in range(self.asked.seats)]

    def reopen(self, epoch: int, origin_ns: int) -> None:
        """Have the next loaders that are forked do one epoch, of a phase that began at a time."""
        self.epochs, self.origin_ns = range(epoch, epoch + 1), origin_ns

    @property
    def steps_of_epochs(self) -> int:
        """The steps up to the end of the last epoch that these loaders do."""
        return min(self.epochs.stop * self.epoch_steps, self.steps) or self.steps

    def deadline(self, start_ns: int) -> int:
        """The time at which the last step has begun; `FOREVER` where time is no bound."""
        return start_ns + self._runtime_ns if self._runtime_ns else FOREVER

    def group_of(self, accelerator: int) -> tuple[int, tuple[int, ...]]:
        """The number of the group of an accelerator, and all accelerators in it that are here."""
        if self.asked.barrier:
            return 0, tuple(self.here)
        return accelerator, (accelerator,) if accelerator in self.here else ()

    def member(self, accelerator: int) -> int:
        """Where the cells of an accelerator begin."""
        return self._bases[0] + accelerator * MEMBER_CELLS

    def loader(self, accelerator: int, number: int) -> int:
        """Where the cells of a loader of an accelerator begin."""
        return self._bases[1] + (number * self.asked.count + accelerator) * self._seat_cells

    def checkpoint(self, number: int) -> int:
        """Where the cells of a checkpoint begin."""
        return self._bases[2] + number * CHECKPOINT_CELLS

    def coming(self, step: int) -> int:
        """Where the cells of a step begin; no batch comes of a later one with the same cells."""
        return self._bases[3] + step % self.ahead * COMING_CELLS

    def ring(self) -> None:
        """Tell the parent that there may be something that other ranks have to know."""
        if self.bell is not None:
            os.eventfd_write(self.bell, 1)

    def end_rank(self) -> None:
        """Tell everyone that a rank writes no more, or those of all other pools."""
        if not self._others_writing.acquire(block=False):  # this was the last one
            self._written.release()

    def await_ranks(self) -> None:
        """Wait until no rank writes any more, so that it is known when checkpoints were written."""
        if self._writing:
            with self._written:  # and the next one may pass
                pass

    def windows(self) -> list[tuple[int, int]]:
        """From when until when each checkpoint was written; `FOREVER` where it still is."""
        found = []
        for number in range(self.cells[ASKED]):
            base = self.checkpoint(number)
            ended = FOREVER if self.cells[base + UNWRITTEN] else self.cells[base + WRITTEN_AT]
            found.append((self.cells[base + ASKED_AT], ended))
        return found
