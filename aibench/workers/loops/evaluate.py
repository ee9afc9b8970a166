"""Reads the batches of an evaluation whenever accelerators stop for one, and tells when it is over.

Batch ``k`` of an accelerator comes from its loader ``k mod loaders``. It computes with batches in
that order, so the last of ``n`` is done at the latest of ready(k) + (n - k) × compute: each loader
tells the latest for its own, and the others go on from there.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from aibench.calls import Calls
from aibench.formats.files import path_of
from aibench.model import Accelerators, Phase
from aibench.workers.conductor import Evaluator
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.loops.common import blame, open_directory
from aibench.workers.loops.feed import samples_of, steps_asked
from aibench.workers.loops.samples import access_of, reading_of
from aibench.workers.share import dealt, dealt_files


class _Loader:
    """Reads the batches of one loader of one accelerator, the same ones in each evaluation."""

    def __init__(
        self, job: Job, slot: int, progress: Progress, evaluator: Evaluator, asked: Accelerators
    ) -> None:
        self._calls, self._job, self._slot = job.calls(), job, slot
        self._asked, self._evaluator = asked, evaluator
        self._cells, self._base = progress
        steps = steps_asked(job.phase, asked)
        self._left = [steps - step for step in range(slot // asked.count, steps, asked.loaders)]
        root = open_directory(self._calls, job)
        self._reader = reading_of(job.phase).make(access_of(job.phase, self._calls, root))
        self._done = self._bytes = 0
        self._calls.burn(0)

    def run(self, start_ns: int) -> Outcome:
        """Read for each evaluation, until no other one will be due."""
        calls, evaluator = self._calls, self._evaluator
        calls.begin(start_ns)
        evaluator.begin(start_ns)
        began = calls.clock()
        try:
            while (asked_ns := evaluator.asked(calls.wait)) is not None:
                evaluator.done(self._evaluate(calls, asked_ns))
        except OSError as error:
            name = path_of(self._job.phase.population, self._reader.file).encode()
            raise blame(error, self._job, name) from error
        end = calls.clock()
        steps = evaluator.freeze()
        return Outcome(
            slot=self._slot, operations=self._done, bytes=self._bytes, start_ns=began, end_ns=end,
            histograms=steps.histograms, steps=steps.intervals, step_sums=steps.sums,
        )  # fmt: skip

    def _evaluate(self, calls: Calls, began: int) -> int:
        """Read all batches once; when the accelerator would have computed with the last one.

        A loader begins with a batch when the one ``prefetch`` of its own before was taken, as far
        as its own tell.
        """
        phase, asked = self._job.phase, self._asked
        compute, turn = asked.compute_ns, asked.loaders * asked.compute_ns
        taken: list[int] = []
        end = began
        coming = self._reader.samples(_chunks(phase, self._job.seed, self._slot))
        try:
            for number, left in enumerate(self._left):
                if number >= asked.prefetch:
                    calls.wait(taken[number - asked.prefetch])
                for moved in islice(coming, phase.batch):
                    self._bytes += moved
                    self._done += 1
                    if asked.decode_ns:
                        calls.burn(asked.decode_ns)
                ready = calls.clock()
                taken.append(max(ready, taken[-1] + turn if taken else began))
                end = max(end, ready + left * compute)
                self._cells[self._base], self._cells[self._base + 1] = self._done, self._bytes
        finally:
            coming.close()
        return end


def _chunks(phase: Phase, seed: int, slot: int) -> Iterator[NDArray[np.int64]]:
    if reading_of(phase).streams:
        return dealt_files(phase, seed, slot)
    return dealt(phase, seed, slot, samples_of(phase))


def prepare_evaluate(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that reads this loader's batches of each evaluation."""
    conductor, asked = job.conductor, job.phase.accelerators
    if conductor is None or asked is None:
        raise ValueError("evaluations need the accelerators that stop for them")
    return _Loader(job, slot, progress, conductor.evaluator(slot), asked).run
