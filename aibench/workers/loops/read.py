"""Reads files whole: open, [fstat], read, close."""

import os
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from aibench.calls import Calls
from aibench.formats.files import paths_of, sizes_of
from aibench.model import Operation, Phase
from aibench.workers.job import Job, Outcome, Prepare, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import (
    TELL_NS,
    aligned_view,
    blame,
    deadline_of,
    direct_flag,
    open_directory,
    wrong_length,
)
from aibench.workers.loops.feed import prepare_feed
from aibench.workers.loops.resume import prepare_resume
from aibench.workers.loops.samples import prepare_samples
from aibench.workers.share import chunks_of, dealt, epoch_seed, part_of, rounds_of

#: The readers of plain files that this loop is: the shortest way to read them.
_OWN = ("lean", "stat")
_NUMBERS = list(range(CAPACITY))


def _chunks(job: Job, slot: int) -> Iterator[NDArray[np.int64]]:
    """The indices this slot reads; epoch after epoch where the phase is bounded in time."""
    phase = job.phase
    if phase.operation is Operation.LOAD_SHARDS:
        part = part_of(phase, slot)
        yield from rounds_of(part) if phase.runtime_ns else chunks_of(part)
        return
    if slot * phase.batch >= phase.population.files:
        return  # fewer batches than threads of control: this one has none in any epoch
    epoch = phase.epoch
    yield from dealt(phase, epoch_seed(job.seed, epoch), slot)
    while phase.runtime_ns:
        epoch += 1
        yield from dealt(phase, epoch_seed(job.seed, epoch), slot)


def _named(job: Job, slot: int) -> Iterator[tuple[list[bytes], NDArray[np.int64]]]:
    """The paths and the sizes of what this slot reads, chunk after chunk."""
    population = job.phase.population
    for indices in _chunks(job, slot):
        yield paths_of(population, indices), sizes_of(population, indices)


class _Long:
    """Reads on where a file does not fit the buffer, or came short."""

    def __init__(self, job: Job, calls: Calls, log: Log, progress: Progress) -> None:
        self.buffers = [aligned_view(job.phase.io_size)]
        self.start_ns = 0
        self._job, self._calls, self._log, self._progress = job, calls, log, progress
        self._counted: dict[int, int] = {}

    def rest(self, fd: int, k: int, name: bytes, count: int, expected: int) -> None:
        """Read what is left of the ``k``-th file of the chunk, of which ``count`` bytes are read.

        Its bytes count in the series as they come; the last piece when the file ends.
        """
        cells, base = self._progress
        cells[base + 1] += count
        piece = count
        while count < expected:
            self._log.intervals.add_bytes(self._calls.clock() - self.start_ns, piece)
            piece = self._calls.readv(fd, self.buffers)
            if piece == 0:
                break
            count += piece
            cells[base + 1] += piece
        if count != expected:
            raise wrong_length(self._job, name, count, expected)
        self._counted[k] = count - piece

    def uncounted(self, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bytes of the chunk's files that the series has not counted yet."""
        if not self._counted:
            return sizes
        left = sizes.copy()
        left[list(self._counted)] -= list(self._counted.values())
        self._counted.clear()
        return left


def _other(phase: Phase) -> Prepare | None:
    """The loop that does ``phase``, where it is not the one here."""
    if phase.accelerators:
        return prepare_feed
    plain = phase.population.format == "files" and phase.reader in _OWN
    if phase.operation is Operation.LOAD_SHARDS and (
        phase.reads or phase.resume or phase.checkpoints > 1 or not plain
    ):
        return prepare_resume
    return prepare_samples if not plain or phase.rate else None


def prepare_read(  # noqa: PLR0915 - the hot loop stays in one place
    job: Job, slot: int, progress: Progress
) -> Run:
    """Make the loop ready that reads this slot's files whole, one after the other."""
    if (other := _other(job.phase)) is not None:
        return other(job, slot, progress)
    calls = job.calls()
    phase = job.phase
    root = open_directory(calls, job)
    log = Log("open", "read", "close")
    long = _Long(job, calls, log, progress)
    buffers = long.buffers
    batch = phase.batch if phase.operation is Operation.READ_FILES else 1
    cells, base = progress
    following = _named(job, slot)
    first = tuple(islice(following, 1))  # before the start, where nothing is timed

    def run(start_ns: int) -> Outcome:
        flags = os.O_RDONLY | os.O_CLOEXEC | direct_flag(phase)
        deadline = deadline_of(phase, start_ns)
        clock, open_, readv, close = calls.clock, calls.open, calls.readv, calls.close
        look = calls.fstat if phase.reader == "stat" else bool  # bool: next to no time
        opening, opened, got, closed = log.stamps
        calls.begin(start_ns)
        long.start_ns = start_ns
        began = t3 = clock()
        done = total = 0
        for names, sizes in chain(first, following):
            alarm = min(deadline, t3 + TELL_NS)
            k = 0
            try:
                for k, name, expected in zip(_NUMBERS, names, sizes.tolist()):  # noqa: B905
                    t0 = clock()
                    fd = open_(name, flags, dir_fd=root)
                    look(fd)
                    t1 = clock()
                    count = readv(fd, buffers)
                    if count != expected:
                        long.rest(fd, k, name, count, expected)
                    t2 = clock()
                    close(fd)
                    t3 = clock()
                    opening[k] = t0
                    opened[k] = t1
                    got[k] = t2
                    closed[k] = t3
                    if t3 >= alarm:
                        cells[base] = done + k + 1
                        cells[base + 1] = total + int(sizes[: k + 1].sum())
                        if t3 >= deadline:
                            break
                        alarm = min(deadline, t3 + TELL_NS)
            except OSError as error:
                raise blame(error, job, names[k]) from error
            done += k + 1
            total += int(sizes[: k + 1].sum())
            cells[base], cells[base + 1] = done, total
            log.flush(long.uncounted(sizes[: k + 1]), start_ns, batch)
            if t3 >= deadline:
                break
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=t3,
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
