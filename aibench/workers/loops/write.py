"""Writes files whole: generates a data set, granule by granule, so that it can be resumed."""

import numpy as np

from aibench.formats.content import BLOCK, Content
from aibench.formats.files import directory_count, largest_size, paths_of, sizes_of
from aibench.model import SyncPolicy
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import aligned_buffer, blame, make_directory, open_directory
from aibench.workers.loops.granules import create, granules_of, note, push, write_all
from aibench.workers.loops.pack import prepare_packed


def prepare_write(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that writes this slot's granules: open, write, [fsync], close."""
    plain = job.phase.population.format == "files"
    return (_prepare_plain if plain else prepare_packed)(job, slot, progress)


def _prepare_plain(  # noqa: PLR0915 - the hot loop stays in one place
    job: Job, slot: int, progress: Progress
) -> Run:
    """The same for plain files, whose bytes are made where they are written from."""
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
        fd = create(calls, name, root)
        for offset in range(0, size, io_size):
            length = min(io_size, size - offset)
            if offset:
                content.fill(buffer[: -(-length // BLOCK) * BLOCK], index, offset)
            write_all(calls, fd, view[:length])
            cells[base + 1] = before + offset + length
            push(calls, fd, offset + length)
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
            for number, part in granules_of(job, slot):
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
                note(job, slot, number)
        except OSError as error:
            raise blame(error, job, name) from error
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=end,
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
