"""Writes files whole: generates a data set, granule by granule, so that it can be resumed."""

import os
from collections.abc import Iterator

import numpy as np

from aibench.calls import Calls
from aibench.formats.content import BLOCK, Content
from aibench.formats.files import directory_count, granule, largest_size, paths_of, sizes_of
from aibench.model import SyncPolicy
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import aligned_buffer, blame, make_directory, open_directory
from aibench.workers.share import block_of

#: After so many bytes of a file the storage begins with them, while the next ones are made.
_PUSHED = 8 * 2**20
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def write_all(calls: Calls, fd: int, data: memoryview) -> None:
    """Write ``data`` to its end, however short each write comes."""
    count = calls.write(fd, data)
    while count < len(data):
        data = data[count:]
        count = calls.write(fd, data)


def _push(calls: Calls, fd: int, written: int) -> None:
    """Let the storage begin with what was written since the last time, when it is enough."""
    if written % _PUSHED == 0:
        calls.push(fd, written - _PUSHED, _PUSHED)


def _granules(job: Job, slot: int) -> Iterator[tuple[int, range]]:
    """(number, file indices) of each granule that is this slot's to write.

    Shares are contiguous: workers keep out of each other's directories, and whoever reads with a
    shift reads what another one wrote.
    """
    population = job.phase.population
    each = granule(population)
    numbers = range(-(-population.files // each)) if job.only is None else job.only
    part = block_of(len(numbers), job.phase.slots, slot)
    for number in numbers[part.start : part.stop]:
        yield number, range(number * each, min((number + 1) * each, population.files))


def _note(job: Job, slot: int, number: int) -> None:
    """Note in the journal that a granule was written."""
    if job.journal is None:
        return
    path = f"{job.journal}/progress-{slot:04d}"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    try:
        os.write(fd, b"%d\n" % number)
    finally:
        os.close(fd)


def prepare_write(  # noqa: PLR0915 - the hot loop stays in one place
    job: Job, slot: int, progress: Progress
) -> Run:
    """Make the loop ready that writes this slot's granules: open, write, [fsync], close."""
    calls = job.calls()
    phase, population = job.phase, job.phase.population
    root = open_directory(calls, job)
    content = Content(population.seed)
    io_size = max(-(-min(phase.io_size, largest_size(population)) // BLOCK), 1) * BLOCK
    buffer = aligned_buffer(io_size)
    view = memoryview(buffer.data)
    log = Log()
    cells, base = progress
    for number in range(slot, directory_count(population), phase.slots):
        make_directory(calls, job, root, b"d%06d" % number)

    def write_one(name: bytes, index: int, size: int, before: int) -> None:
        fd = calls.open(name, _FLAGS, 0o644, dir_fd=root)
        for offset in range(0, size, io_size):
            length = min(io_size, size - offset)
            if offset:
                content.fill(buffer[: -(-length // BLOCK) * BLOCK], index, offset)
            write_all(calls, fd, view[:length])
            cells[base + 1] = before + offset + length
            _push(calls, fd, offset + length)
        if phase.sync is not SyncPolicy.NONE:
            calls.fsync(fd)
        calls.close(fd)

    def run(start_ns: int) -> Outcome:
        clock, (before, after) = calls.clock, log.stamps
        calls.begin(start_ns)
        began = end = clock()
        done = total = 0
        name = b""
        try:
            for number, part in _granules(job, slot):
                indices = np.arange(part.start, part.stop, dtype=np.int64)
                sizes = sizes_of(population, indices)
                names = paths_of(population, indices)
                for k, (name, index, size) in enumerate(
                    zip(names, part, sizes.tolist(), strict=True)
                ):
                    content.fill(buffer[: -(-min(size, io_size) // BLOCK) * BLOCK], index, 0)
                    t0 = clock()
                    write_one(name, index, size, total)
                    end = clock()
                    before[k], after[k] = t0, end
                    done += 1
                    total += size
                    cells[base], cells[base + 1] = done, total
                log.flush(sizes, start_ns)
                _note(job, slot, number)
        except OSError as error:
            raise blame(error, job, name) from error
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=end,
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
