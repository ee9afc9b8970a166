"""An epoch by `torch.utils.data.DataLoader`: its workers read, a trainer takes batch after batch.

The time begins with the first read, as for every engine; how long it took from the trainer's asking
for an epoch to that, in which the workers are forked, is the timer ``startup``.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from aibench.calls import real_calls
from aibench.engine import Report, Site
from aibench.engines.pooled import collect
from aibench.errors import TargetFailed, WorkerFailed
from aibench.formats.format import format_of
from aibench.model import Measurement, Phase
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import FOREVER, deadline_of
from aibench.workers.pool import run_pool

#: What torch has where nothing else is asked for.
PREFETCH = 2
#: So many bytes of files are kept in memory to see what the loader itself can do, or one file.
_IN_MEMORY = 32 * 2**20

Figures = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained(Outcome):
    """What the trainer saw of each of its workers."""

    workers: tuple[Outcome, ...] = ()


def measure_load(phase: Phase, site: Site, report: Report, *, memory: bool = False) -> Measurement:
    """Load as ``phase`` says; from ``memory`` do all but what the storage does."""
    trainer = replace(phase, processes=1, threads=1)
    job = Job(
        phase=trainer,
        directory=f"{site.root}/{phase.population.directory}",
        seed=site.seed,
        calls=real_calls,
    )
    prepare = partial(_prepare, phase, memory)
    start, (trained,) = run_pool(job, prepare, report, site.patience_ns, parents=True)
    assert isinstance(trained, Trained)
    return collect(phase, site, start, trained.workers)


class _Worker:
    """What came from one worker."""

    def __init__(self, number: int, batch: int) -> None:
        self.number, self.done, self.bytes, self.began, self.ended = number, 0, 0, FOREVER, 0
        self.log, self._batch, self._pending = Log(), batch, 0
        self._stamps = [np.frombuffer(stamps, dtype=np.int64) for stamps in self.log.stamps]
        self._sizes = np.zeros(CAPACITY // batch * batch, dtype=np.int64)
        self._cpu = (0, 0)

    def take(self, figures: Figures, now: int, start_ns: int) -> int:
        """Count the samples of a batch that came ``now``; their bytes."""
        self._cpu, rows = (int(figures[0, 1]), int(figures[0, 2])), figures[1:]
        self.began = min(self.began, int(rows[0, 0]))
        if self._pending + len(rows) > len(self._sizes):
            self.flush(start_ns)
        part = slice(self._pending, self._pending + len(rows))
        self._stamps[0][part], self._stamps[1][part] = rows[:, 0], rows[:, 1]
        self._sizes[part] = rows[:, 2]
        self._pending += len(rows)
        moved = int(rows[:, 2].sum())
        self.done, self.bytes, self.ended = self.done + len(rows), self.bytes + moved, now
        if len(rows) < self._batch:
            self.flush(start_ns)
        return moved

    def flush(self, start_ns: int) -> None:
        """Put what is held into the histograms."""
        self.log.flush(self._sizes[: self._pending], start_ns, self._batch)
        self._pending = 0

    def outcome(self, began: int, timers: dict[str, int]) -> Outcome:
        """What this worker did, as the trainer saw it; who had nothing to do ``began`` with all."""
        return Outcome(
            slot=self.number, operations=self.done, bytes=self.bytes,
            start_ns=min(self.began, max(began, self.ended)), end_ns=max(self.ended, began),
            histograms=self.log.histograms(), intervals=self.log.intervals, timers=timers,
            user_ns=self._cpu[0], system_ns=self._cpu[1],
        )  # fmt: skip


@dataclass(slots=True)
class _Trainer:
    """Takes batches, and writes down how long it waited for each."""

    phase: Phase
    progress: Progress
    workers: list[_Worker] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    done: int = 0
    bytes: int = 0
    first: int = 0

    def train(self, epochs: Iterator[Iterator[object]], start_ns: int) -> Trained:
        """Take the batches of all epochs, until there are no more or the time is over."""
        phase, clock = self.phase, real_calls().clock
        self.workers = [_Worker(number, phase.batch) for number in range(phase.processes)]
        asked = before = clock()
        deadline = FOREVER
        for epoch in epochs:
            for batch in epoch:
                now = clock()
                self._take(batch, now, start_ns)
                if not self.first:
                    self.first, deadline = now, deadline_of(phase, self._began())
                else:
                    self.waits.append(now - before)
                if now >= deadline:
                    return self._trained(asked, start_ns)
                before = clock()
            if not phase.runtime_ns:
                self._look_whole()
                return self._trained(asked, start_ns)
        raise AssertionError

    def _began(self) -> int:
        """When the first read began."""
        return min(worker.began for worker in self.workers)

    def _take(self, batch: object, now: int, start_ns: int) -> None:
        from aibench.engines.torch.batches import Failed

        if isinstance(batch, Failed):
            if batch.number:
                raise OSError(batch.number, batch.text, batch.path)
            raise TargetFailed(f"{batch.path} can't be read: {batch.text}", code="unreadable")
        figures: Figures = batch[0].numpy()  # type: ignore[index]
        self.bytes += self.workers[int(figures[0, 0])].take(figures, now, start_ns)
        self.done += len(figures) - 1
        cells, base = self.progress
        cells[base], cells[base + 1] = self.done, self.bytes

    def _look_whole(self) -> None:
        expected = self.phase.population.samples
        if self.done != expected:
            message = f"{self.done} samples came where {expected} were written; verify the data"
            raise TargetFailed(message, code="wrong_length")

    def _trained(self, asked: int, start_ns: int) -> Trained:
        began = self._began()
        for worker in self.workers:
            worker.flush(start_ns)
        if self.waits:
            self.workers[0].log.note("batch_wait", self.waits)
        timers = {"startup": max(began - asked, 0), "first_batch": self.first - began}
        outcomes = tuple(
            worker.outcome(began, {} if worker.number else timers) for worker in self.workers
        )
        end = max(outcome.end_ns for outcome in outcomes)
        return Trained(
            slot=0, operations=self.done, bytes=self.bytes, start_ns=began, end_ns=end,
            workers=outcomes,
        )  # fmt: skip


def _prepare(phase: Phase, in_memory: bool, job: Job, _slot: int, progress: Progress) -> Run:
    """Import torch and make the DataLoader, in the trainer's own process."""
    warnings.simplefilter("ignore")  # they are for who writes a trainer
    from torch.utils.data import DataLoader

    from aibench.engines.torch import batches

    options = {
        "num_workers": phase.processes,
        "prefetch_factor": PREFETCH,
        "multiprocessing_context": "fork",
        "worker_init_fn": batches.Place(os.getpid()),
        "persistent_workers": phase.runtime_ns > 0,
    }
    memory = batches.Memory(phase.population, _IN_MEMORY) if in_memory else None
    if format_of(phase.population).readers[phase.reader].streams:
        shards = batches.Shards(phase, job.phase, job.directory, job.seed, memory)
        shards.imported()
        loader = DataLoader(shards, batch_size=None, **options)
    else:
        files = batches.Files(phase, job.directory, memory)
        order = batches.Epochs(phase, job.phase, job.seed)
        loader = DataLoader(files, batch_sampler=order, collate_fn=batches.collate, **options)
    trainer = _Trainer(phase, progress)

    def run(start_ns: int) -> Outcome:
        return trainer.train((_received(loader) for _ in count()), start_ns)

    return run


def _received(loader: Iterable[object]) -> Iterator[object]:
    """The batches of an epoch. `WorkerFailed` where torch can't have them from its workers."""
    try:
        yield from loader
    except (RuntimeError, EOFError, OSError) as error:
        why = str(error).partition("\n")[0]
        raise WorkerFailed(f"a worker of the DataLoader died: {why}") from error
