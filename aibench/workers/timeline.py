"""Takes the timeline of accelerators as far as the batches that are there reach, exactly.

Step ``k`` of an accelerator begins when its batch ``k`` is there and its step before has ended, or
with a barrier that of all; where an evaluation or a checkpoint is due, when those that read or
write it let it go on: first the evaluation, then the checkpoint. Its
loader ``k mod loaders`` brings the batch, and may begin with another one when the one ``prefetch``
batches of its own before it is taken.
"""

from multiprocessing.synchronize import Semaphore

from aibench.workers.cells import (
    ARRIVED,
    ASKED,
    ASKED_AT,
    BARRIER,
    BEGAN,
    BROUGHT,
    BYTES,
    COMING_CELLS,
    COMPUTABLE,
    COMPUTED,
    END,
    ENDED,
    EVALUATED,
    EXAM,
    EXAM_END,
    EXAMINED,
    FIRST,
    FIRST_END,
    FOREVER,
    FREE,
    GONE,
    GROUP_CELLS,
    HELD,
    LATEST,
    LEFT,
    LONGEST,
    MADE,
    OVER,
    RELEASED_AT,
    SAVED,
    SEAT_CELLS,
    STALL,
    STEP,
    STEPS,
    STOPPED,
    STOPS,
    STUCK,
    TAKEN,
    TURNED,
    UNWRITTEN,
    WAIT,
    WRITTEN_AT,
    Cells,
)  # fmt: skip
from aibench.workers.steps import StepLog, Steps


class Timeline:
    """What one process knows of the group of an accelerator; only who holds its lock moves it."""

    def __init__(self, shared: Cells, accelerator: int) -> None:
        group, self.members = shared.group_of(accelerator)
        self.group, self.lock = group * GROUP_CELLS, shared.locks[group]
        self._cells, self._shared, self.asked = shared.cells, shared, shared.asked
        self._start_ns, self._deadline = 0, FOREVER
        self._log = StepLog(shared.windows if shared.checkpoints else None)

    def begin(self, start_ns: int, deadline: int) -> None:
        """Tell the common start, and the time at which the last step has begun."""
        self._log.start_ns, self._start_ns, self._deadline = start_ns, start_ns, deadline

    @property
    def over(self) -> bool:
        """Whether nothing more is taken."""
        return bool(self._cells[self.group + OVER])

    def freeze(self, *, wait: bool = True) -> Steps:
        """The steps that this process computed, when all ranks have ended; ``wait`` for that."""
        if wait:
            self._shared.await_ranks()
        found = self._log.freeze()
        equal = ["compute"] if not self.asked.varies else []
        equal += ["barrier"] if not self.asked.barrier or self.asked.count == 1 else []
        for kind in equal:
            found.histograms.pop(kind, None)
        return found

    def release(self, checkpoint: int, now: int) -> None:
        """A rank lets the accelerators go on; they do when all have."""
        cells, group, base = self._cells, self.group, self._shared.checkpoint(checkpoint)
        cells[base + RELEASED_AT] = max(cells[base + RELEASED_AT], now)
        cells[group + STOPS] -= 1
        if cells[group + STOPS]:
            self._shared.ring()
            return
        cells[group + STOPPED] = max(cells[base + RELEASED_AT] - cells[group + FREE], 0)
        cells[group + FREE] += cells[group + STOPPED]
        if not cells[group + OVER]:
            self.advance(self.members)

    def evaluated(self, end_ns: int) -> None:
        """An evaluator has read all, and its accelerator has computed with that at a time."""
        cells, group = self._cells, self.group
        cells[group + EXAM_END] = max(cells[group + EXAM_END], end_ns)
        cells[group + STOPS] -= 1
        if cells[group + STOPS]:
            self._shared.ring()
            return
        cells[group + EXAM] = max(cells[group + EXAM_END] - cells[group + FREE], 0)
        cells[group + FREE] += cells[group + EXAM]
        if cells[group + OVER]:
            return
        if self._saves_after(cells[group + STEP]):
            self._stop(cells[group + FREE])
        else:
            self.advance(self.members)

    def written(self, checkpoint: int, now: int) -> None:
        """A rank has written all that it has of a checkpoint."""
        base = self._shared.checkpoint(checkpoint)
        self._cells[base + WRITTEN_AT] = max(self._cells[base + WRITTEN_AT], now)
        self._cells[base + UNWRITTEN] -= 1
        self._shared.ring()

    def _stop(self, now: int) -> None:
        """All accelerators stop for a checkpoint: tell the ranks."""
        cells, group, shared = self._cells, self.group, self._shared
        base = shared.checkpoint(cells[group + ASKED])
        cells[base + ASKED_AT], cells[base + UNWRITTEN] = now, shared.ranks + shared.others
        cells[group + ASKED] += 1
        cells[group + STOPS] = shared.ranks + shared.others
        for turn in shared.turns.values():
            turn.release()

    def _examine(self) -> None:
        """All accelerators stop for an evaluation: tell those who read for it."""
        cells, group, exams = self._cells, self.group, self._shared.exams
        cells[group + EXAMINED] += 1
        cells[group + EXAM_END], cells[group + STOPS] = 0, len(exams) + self._shared.others
        for exam in exams.values():
            exam.release()

    def advance(self, taking: tuple[int, ...]) -> None:
        """Take the timeline as far as the batches reach, from what just came to ``taking``."""
        cells, group = self._cells, self.group
        if not cells[group + FREE]:
            cells[group + FREE] = self._start_ns
        while taking and not cells[group + STOPS]:
            for accelerator in taking:
                self._take(accelerator)
            if cells[group + ARRIVED] < len(self.members) or self._shared.others:
                taking = ()
            else:
                self._end_step(cells[group + LATEST], self._longest())
                taking = () if cells[group + OVER] else self.members
        self.end_if_stuck()

    def _next(self, accelerator: int) -> tuple[int, int]:
        """(loader, which of its batches) of the batch that an accelerator takes next."""
        step = self._cells[self._shared.member(accelerator) + TAKEN]
        batch, loader = divmod(step, self.asked.loaders)
        return loader, batch

    def _take(self, accelerator: int) -> None:
        """Let an accelerator take its next batch, where it is free and the batch is there."""
        cells, conductor, group = self._cells, self._shared, self.group
        base, step = conductor.member(accelerator), cells[group + STEP]
        loader, batch = self._next(accelerator)
        seat = conductor.loader(accelerator, loader)
        if cells[base + TAKEN] > step or cells[seat + MADE] <= batch:
            return
        prefetch = self.asked.prefetch
        place = seat + SEAT_CELLS + batch % prefetch
        began = max(cells[place], cells[group + FREE])
        ended = began + conductor.compute(accelerator, step)
        cells[base + BEGAN], cells[base + ENDED] = began, ended
        cells[base + HELD] = cells[place + prefetch]
        cells[base + TAKEN] = step + 1
        cells[place + 2 * prefetch] = began
        conductor.admissions[loader * self.asked.count + accelerator].release()
        cells[group + ARRIVED] += 1
        cells[group + LATEST] = max(cells[group + LATEST], ended)

    def brought(self, accelerator: int, step: int, ready: int) -> None:
        """Let others know of a batch, whatever step they are at."""
        cells, shared = self._cells, self._shared
        base, compute = shared.coming(step), shared.compute(accelerator, step)
        cells[base + BROUGHT] += 1
        cells[base + COMPUTABLE] = max(cells[base + COMPUTABLE], ready + compute)
        cells[base + LONGEST] = max(cells[base + LONGEST], compute)
        if cells[base + BROUGHT] == len(self.members):
            shared.ring()

    def resume(self, computable: int, longest: int) -> None:
        """End a step that others have the batches for, too, and go on.

        The last of all computes until ``computable`` where batches came late, or for ``longest``.
        """
        cells, group = self._cells, self.group
        coming = self._shared.coming(cells[group + STEP])
        for cell in range(coming, coming + COMING_CELLS):
            cells[cell] = 0
        self._end_step(max(computable, cells[group + FREE] + longest), longest)
        if not self.over:
            self.advance(self.members)

    def _longest(self) -> int:
        bases = [self._shared.member(accelerator) for accelerator in self.members]
        return max(self._cells[base + ENDED] - self._cells[base + BEGAN] for base in bases)

    def _end_step(self, latest: int, longest: int) -> None:
        """All have computed: count their step, and let the next one begin."""
        cells, group = self._cells, self.group
        freed, step = cells[group + FREE], cells[group + STEP]
        for base in [self._shared.member(accelerator) for accelerator in self.members]:
            self._count(base, freed, latest, first=step == 0)
            cells[base + STALL] += latest - freed - longest if step else 0
        cells[group + STEP], cells[group + FREE], cells[group + ARRIVED] = step + 1, latest, 0
        cells[group + STOPPED] = cells[group + EXAM] = 0
        if self._shared.epoch_steps and (step + 1) % self._shared.epoch_steps == 0:
            cells[group + TURNED] = latest
            self._release(self._shared.turned)
        if step + 1 >= self._shared.steps or latest >= self._deadline:
            self.finish()
        elif self.asked.evaluate_every and (step + 1) % self.asked.evaluate_every == 0:
            self._examine()
        elif self._saves_after(step + 1):
            self._stop(latest)

    def _saves_after(self, steps: int) -> bool:
        every = self.asked.save_every
        return (
            every > 0
            and self._shared.all_ranks > 0
            and steps % every == 0
            and self._cells[self.group + ASKED] < self._shared.checkpoints
        )

    def _count(self, base: int, freed: int, latest: int, *, first: bool) -> None:
        cells = self._cells
        began, ended, size = cells[base + BEGAN], cells[base + ENDED], cells[base + HELD]
        cells[base + STEPS] += 1
        cells[base + BYTES] += size
        cells[base + SAVED] += cells[self.group + STOPPED]
        cells[base + EVALUATED] += cells[self.group + EXAM]
        cells[base + END] = latest
        if first:
            cells[base + FIRST], cells[base + FIRST_END] = began, latest
            return
        cells[base + WAIT] += began - freed
        cells[base + COMPUTED] += ended - began
        cells[base + BARRIER] += latest - ended
        self._log.add(freed, began, ended, latest, size)
        if self._shared.epoch_steps and cells[self.group + STEP] % self._shared.epoch_steps == 0:
            self._log.note("epoch_first_batch", began - freed)

    def end_if_stuck(self) -> None:
        """End where an accelerator needs a batch from a loader that left early."""
        if not self._cells[self.group + LEFT] or self._cells[self.group + OVER]:
            return
        for accelerator in self.members:
            base = self._shared.member(accelerator)
            if self._cells[base + TAKEN] > self._cells[self.group + STEP]:
                continue
            loader, batch = self._next(accelerator)
            seat = self._shared.loader(accelerator, loader)
            if self._cells[seat + GONE] and self._cells[seat + MADE] <= batch:
                self._stick()
                return

    def _stick(self) -> None:
        """End; where others have to end too, when all hear of it, as of all that came before."""
        if not self._shared.others:
            self.finish()
        elif not self._cells[self.group + STUCK]:
            self._cells[self.group + STUCK] = 1
            self._shared.ring()

    def finish(self) -> None:
        """Nothing more is taken: wake all loaders of the group."""
        self._cells[self.group + OVER] = 1
        self._release(self._shared.admissions)
        if self._shared.turned:
            self._release(self._shared.turned)
        for turn in (*self._shared.turns.values(), *self._shared.exams.values()):
            turn.release()

    def _release(self, semaphores: list[Semaphore]) -> None:
        """Wake all loaders of the group that wait for theirs."""
        for accelerator in self.members:
            for loader in range(self.asked.loaders):
                semaphores[loader * self.asked.count + accelerator].release()
