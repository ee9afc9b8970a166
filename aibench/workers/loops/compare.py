"""Reads back what was collected, and counts the bytes that are not what they should be."""

import os

import numpy as np

from aibench.calls import Calls
from aibench.formats.files import paths_of, sizes_of
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import aligned_buffer, blame, deadline_of, open_directory
from aibench.workers.loops.pieces import pieces_of
from aibench.workers.share import block_of, chunks_of

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class _Comparer:
    """Compares one file at a time with what it was made from."""

    def __init__(self, job: Job, slot: int, calls: Calls) -> None:
        phase = job.phase
        self.part = block_of(phase.population.files, phase.slots, slot, phase.shift)
        self._calls = calls
        self._root = open_directory(calls, job)
        self._pieces = pieces_of(phase, calls, self.part)
        self._buffer = aligned_buffer(phase.io_size)
        self._view = memoryview(self._buffer.data)

    def wrong_bytes(self, name: bytes, index: int, size: int) -> int:
        """How many bytes of a file are wrong, missing or surplus; one at least if it is missing."""
        calls, pieces = self._calls, self._pieces
        pieces.open(index, size)
        try:
            fd = calls.open(name, _FLAGS, dir_fd=self._root)
        except FileNotFoundError:
            pieces.close()
            return max(size, 1)
        wrong = 0
        for piece in pieces.pieces():
            came = self._read(fd, len(piece))
            expected = np.frombuffer(piece, dtype=np.uint8)
            wrong += len(piece) - came
            wrong += int(np.count_nonzero(self._buffer[:came] != expected[:came]))
        while came := calls.readv(fd, [self._view]):
            wrong += came
        calls.close(fd)
        pieces.close()
        return wrong

    def _read(self, fd: int, length: int) -> int:
        """Read ``length`` bytes, or as many as there are."""
        done = 0
        while done < length:
            came: int = self._calls.readv(fd, [self._view[done:length]])
            if came == 0:
                break
            done += came
        return done


def prepare_compare(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that reads this slot's files back; it goes on after a wrong byte."""
    calls, phase, population = job.calls(), job.phase, job.phase.population
    comparer = _Comparer(job, slot, calls)
    log = Log()
    cells, base = progress

    def run(start_ns: int) -> Outcome:
        clock, (before, after) = calls.clock, log.stamps
        deadline = deadline_of(phase, start_ns)
        calls.begin(start_ns)
        began = end = clock()
        done = total = wrong = errors = 0
        name = b""
        try:
            for indices in chunks_of(comparer.part):
                sizes = sizes_of(population, indices)
                names, k = paths_of(population, indices), -1
                for k, (name, index, size) in enumerate(
                    zip(names, indices.tolist(), sizes.tolist(), strict=True)
                ):
                    before[k] = clock()
                    found = comparer.wrong_bytes(name, index, size)
                    after[k] = end = clock()
                    wrong, errors = wrong + found, errors + (found > 0)
                    done, total = done + 1, total + size
                    cells[base], cells[base + 1] = done, total
                    if end >= deadline:
                        break
                log.flush(sizes[: k + 1], start_ns)
                if end >= deadline:
                    break
        except OSError as error:
            raise blame(error, job, name) from error
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=end,
            histograms=log.histograms(), intervals=log.intervals,
            wrong_bytes=wrong, errors=errors,
        )  # fmt: skip

    return run
