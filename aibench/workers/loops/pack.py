"""Writes files of any format, granule by granule."""

import numpy as np

from aibench.formats.files import directory_count, paths_of, suffixes_of
from aibench.formats.packing import Packer
from aibench.model import SyncPolicy
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import aligned_view, blame, make_directory, open_directory
from aibench.workers.loops.granules import create, granules_of, note, push, write_all


def prepare_packed(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that writes this slot's granules: open, write, [fsync], close."""
    calls, phase, population = job.calls(), job.phase, job.phase.population
    root = open_directory(calls, job)
    packer = Packer(population)
    buffer = aligned_view(phase.io_size)
    log = Log()
    cells, base = progress
    for number in range(slot, directory_count(population), phase.slots):
        make_directory(calls, job, root, b"d%06d" % number)

    endings = suffixes_of(population)

    def write_one(name: bytes, file: int, suffix: str, before: int) -> int:
        fd = create(calls, name + suffix.encode(), root)
        written = 0
        for piece in packer.pack(file, buffer, suffix):
            write_all(calls, fd, piece)
            written += len(piece)
            cells[base + 1] = before + written
            push(calls, fd, written)
        if phase.sync is not SyncPolicy.NONE:
            calls.fsync(fd)
        calls.close(fd)
        return written

    def run(start_ns: int) -> Outcome:
        clock, (before, after) = calls.clock, log.stamps
        calls.begin(start_ns)
        began = end = clock()
        done = total = 0
        name = b""
        try:
            for number, part in granules_of(job, slot):
                names = paths_of(population, np.arange(part.start, part.stop, dtype=np.int64))
                sizes = []
                for k, (name, file) in enumerate(zip(names, part, strict=True)):
                    before[k] = clock()
                    first = total
                    for suffix in endings:
                        total += write_one(name, file, suffix, total)
                    after[k] = end = clock()
                    sizes.append(total - first)
                    done += 1
                    cells[base], cells[base + 1] = done, total
                log.flush(np.array(sizes, dtype=np.int64), start_ns)
                note(job, slot, number)
        except OSError as error:
            raise blame(error, job, name) from error
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=end,
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
