"""Reads files whole: open, [fstat], read, close."""

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from aibench.calls import Calls
from aibench.formats.files import largest_size, paths_of, sizes_of
from aibench.model import Operation, Phase
from aibench.workers.job import Job, Outcome, Prepare, Progress, Run
from aibench.workers.log import Log
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
#: The paths and the sizes of some files.
_Chunk = tuple[list[bytes], NDArray[np.int64]]


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


def _named(job: Job, slot: int) -> Iterator[_Chunk]:
    """The paths and the sizes of what this slot reads, chunk after chunk."""
    population = job.phase.population
    for indices in _chunks(job, slot):
        yield paths_of(population, indices), sizes_of(population, indices)


class _Long:
    """Reads on where a file does not fit the buffer, or came short."""

    def __init__(self, job: Job, calls: Calls, log: Log, progress: Progress) -> None:
        # A byte more than any file has: one that has grown shows in the first call.
        room = min(job.phase.io_size, largest_size(job.phase.population) + 1)
        self.buffers = [aligned_view(room)]
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


class _Plain:
    """Reads this slot's files whole, chunk after chunk, and tells how far it has come."""

    def __init__(self, job: Job, calls: Calls, progress: Progress) -> None:
        phase = job.phase
        self._root = open_directory(calls, job)
        self._log = Log("open", "read", "close")
        self._long = _Long(job, calls, self._log, progress)
        self._into = (self._long.buffers[0], *self._log.stamps)
        self._flags = os.O_RDONLY | os.O_CLOEXEC | direct_flag(phase)
        self._look = phase.reader == "stat"
        self._batch = phase.batch if phase.operation is Operation.READ_FILES else 1
        self._job, self._calls = job, calls
        self._cells, self._base = progress
        self._deadline = self._last = self._done = self._total = 0

    def run(self, chunks: Iterable[_Chunk], slot: int, start_ns: int) -> Outcome:
        """Read ``chunks``, as far as the phase has time."""
        self._calls.begin(start_ns)
        self._deadline = deadline_of(self._job.phase, start_ns)
        self._long.start_ns = start_ns
        began = self._last = self._calls.clock()
        for names, sizes in chunks:
            read = sizes[: self._read(names, sizes)]
            self._tell(read)
            self._done += len(read)
            self._total += int(read.sum())
            self._log.flush(self._long.uncounted(read), start_ns, self._batch)
            if self._last >= self._deadline:
                break
        return Outcome(
            slot=slot, operations=self._done, bytes=self._total, start_ns=began, end_ns=self._last,
            histograms=self._log.histograms(), intervals=self._log.intervals,
        )  # fmt: skip

    def _read(self, names: list[bytes], sizes: NDArray[np.int64]) -> int:
        """Read the files of one chunk; how many were read when it was done, or time was up."""
        k, expected, closed = 0, sizes.tolist(), self._log.stamps[-1]
        alarm = min(self._deadline, self._last + TELL_NS)
        while k < len(names):
            try:
                k, fd, count = self._calls.read_files(
                    self._root, self._flags, self._look, names, expected, self._into, k, alarm
                )
            except OSError as error:
                raise blame(error, self._job, error.filename) from error
            if fd >= 0:
                self._finish(fd, k, names[k], count, expected[k])
                k += 1
            self._last = closed[k - 1]
            if self._last >= alarm:
                if self._last >= self._deadline:
                    break
                self._tell(sizes[:k])
                alarm = min(self._deadline, self._last + TELL_NS)
        return k

    def _finish(self, fd: int, k: int, name: bytes, count: int, expected: int) -> None:
        """Read on and close the ``k``-th file of the chunk, which came short."""
        _, _, got, closed = self._log.stamps
        try:
            self._long.rest(fd, k, name, count, expected)
            got[k] = self._calls.clock()
            self._calls.close(fd)
            closed[k] = self._calls.clock()
        except OSError as error:
            raise blame(error, self._job, name) from error

    def _tell(self, read: NDArray[np.int64]) -> None:
        """Tell that of this chunk files of these sizes were read."""
        self._cells[self._base] = self._done + len(read)
        self._cells[self._base + 1] = self._total + int(read.sum())


def prepare_read(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that reads this slot's files whole, one after the other."""
    if (other := _other(job.phase)) is not None:
        return other(job, slot, progress)
    plain = _Plain(job, job.calls(), progress)
    following = _named(job, slot)
    first = tuple(islice(following, 1))  # before the start, where nothing is timed
    return lambda start_ns: plain.run(chain(first, following), slot, start_ns)
