"""Loads a checkpoint: each rank reads what it needs, as a library reads it, up to its first batch.

Where a file tells which checkpoints are complete, the newest of those is looked for first. What
follows the checkpoint is in `workers.loops.restart`. Each part has a timer: ``found``,
``checkpoint``, ``broadcast`` (the wait for the one that reads for all), ``index``, ``first_batch``;
``resume`` is all of them. Each is the longest of all ranks, so that together they may be longer
than ``resume``.
"""

from collections.abc import Generator, Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from aibench.calls import Calls
from aibench.formats.draws import Sizes64
from aibench.formats.files import path_of
from aibench.formats.format import SampleReader, format_of
from aibench.formats.slicing import Slicing
from aibench.model import Phase, Population
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import blame, deadline_of, open_directory
from aibench.workers.loops.restart import Restart
from aibench.workers.loops.samples import access_of
from aibench.workers.share import chunks_of, part_of


@runtime_checkable
class Expecting(Protocol):
    """A reader that can be told beforehand what it will read, so that nothing of it is timed."""

    def expect(self, files: range) -> None:
        """Work out where everything is in these files."""


def newest(calls: Calls, root: int, population: Population) -> int | None:
    """The number of the newest complete checkpoint in the directory ``root``; None without one.

    Each has a directory, and is complete when the first file in it has its name.
    """
    for name in sorted(calls.listdir(root) or (), reverse=True):
        number = int(name[1:]) if name[:1] == "d" and name[1:].isdigit() else -1
        first = number * population.files_per_directory
        if 0 <= first < population.files:
            try:
                calls.stat(path_of(population, first), dir_fd=root, follow_symlinks=False)
            except FileNotFoundError:
                continue
            return number
    return None


def needed(phase: Phase, slot: int) -> range:
    """The files that ``slot`` loads of a checkpoint, of those that hold shards."""
    if phase.resume and phase.resume.slices:
        own = phase.resume.slices[slot]
        return range(own[0].file, own[-1].file + 1) if own else range(0)
    part = range(*phase.reads[slot]) if phase.reads else part_of(phase, slot)
    return range(max(part.start, 1), max(part.stop, 1)) if phase.marked else part


def _chunks(phase: Phase, slot: int) -> Iterator[Sizes64]:
    """The files of all checkpoints, once, or over and over where time is the bound."""
    part, each = needed(phase, slot), phase.population.files // phase.checkpoints
    if phase.resume and phase.resume.slices:
        numbers = sorted({piece.file for piece in phase.resume.slices[slot]})
        every = [np.array(numbers, dtype=np.int64)] if numbers else []
    else:
        first, last = part.start, part.stop
        rounds = (range(first + k * each, last + k * each) for k in range(phase.checkpoints))
        every = [chunk for each_part in rounds for chunk in chunks_of(each_part)]
    yield from every
    while every and phase.runtime_ns:
        yield from every


def _coming(phase: Phase, slot: int, reader: SampleReader) -> Generator[int]:
    """Reads what ``slot`` needs: slices, or the whole files where the reader knows no slices."""
    if phase.resume is None or not phase.resume.slices or not isinstance(reader, Slicing):
        yield from reader.samples(_chunks(phase, slot))
        return
    own = phase.resume.slices[slot]
    yield from reader.slices(own)
    while own and phase.runtime_ns:
        yield from reader.slices(own)


class _Loading:
    """One rank: reads its checkpoint, and counts what it reads."""

    def __init__(self, job: Job, slot: int, progress: Progress) -> None:
        self.calls, self._phase, self._progress = job.calls(), job.phase, progress
        self._root = open_directory(self.calls, job)
        form, access = format_of(job.phase.population), access_of(job.phase, self.calls, self._root)
        self.reader = form.readers[job.phase.reader].make(access)
        if isinstance(self.reader, Expecting):
            self.reader.expect(needed(job.phase, slot))
        self._slot = slot
        self.log = Log()
        self.done = self.total = self.end = 0

    def find(self) -> int | None:
        """Look for the newest complete checkpoint."""
        return newest(self.calls, self._root, self._phase.population)

    def load(self, start_ns: int) -> None:
        """Read all, until the phase has to end."""
        clock, (before, after), (cells, base) = self.calls.clock, self.log.stamps, self._progress
        deadline = deadline_of(self._phase, start_ns)
        sizes = np.zeros(CAPACITY, dtype=np.int64)
        coming = _coming(self._phase, self._slot, self.reader)
        k, t0 = 0, clock()
        self.end = t0
        try:
            for moved in coming:
                self.end = clock()
                before[k], after[k], sizes[k] = t0, self.end, moved
                k, self.done, self.total = k + 1, self.done + 1, self.total + moved
                cells[base], cells[base + 1] = self.done, self.total
                if k == CAPACITY:
                    self.log.flush(sizes, start_ns)
                    k = 0
                if self.end >= deadline:
                    break
                t0 = clock()
        finally:
            coming.close()
        self.log.flush(sizes[:k], start_ns)


def prepare_resume(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that loads what this rank needs."""
    phase, loading = job.phase, _Loading(job, slot, progress)
    clock = loading.calls.clock
    restart = Restart(job, slot, loading.calls, loading.log, progress)

    def run(start_ns: int) -> Outcome:
        loading.calls.begin(start_ns)
        began = clock()
        timers: dict[str, int] = {}
        try:
            if phase.marked:
                loading.find()
                timers["found"] = clock() - began
            t0 = clock()
            loading.load(start_ns)
            if restart.asked:
                timers["checkpoint"] = loading.end - t0
        except OSError as error:
            name = path_of(phase.population, loading.reader.file).encode()
            raise blame(error, job, name) from error
        end = max(restart.go_on(start_ns, loading.total, timers), loading.end)
        if restart.asked:
            timers["resume"] = end - began
        return Outcome(
            slot=slot, operations=loading.done, bytes=loading.total + restart.bytes,
            beside_bytes=restart.bytes, start_ns=began, end_ns=end, timers=timers,
            histograms=loading.log.histograms(), intervals=loading.log.intervals,
        )  # fmt: skip

    return run
