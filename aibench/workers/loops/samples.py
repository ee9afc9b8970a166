"""Reads samples as a framework does, in any format: the format's reader makes the system calls."""

import os
from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from aibench.calls import Calls
from aibench.formats.files import path_of
from aibench.formats.format import Access, Reading, format_of
from aibench.model import Phase
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import blame, open_directory
from aibench.workers.share import dealt, dealt_files, epoch_seed

_FOREVER = 2**63 - 1
_TELL_NS = 20_000_000


def reading_of(phase: Phase) -> Reading:
    """The way in which ``phase`` reads its samples. KeyError where its format has none such."""
    return format_of(phase.population).readers[phase.reader]


def _chunks(job: Job, slot: int, *, streams: bool) -> Iterator[NDArray[np.int64]]:
    """What this slot reads, samples or files; epoch after epoch where time is the bound."""
    phase = job.phase
    deal = dealt_files if streams else dealt
    for epoch in count(phase.epoch):
        empty = True
        for chunk in deal(phase, epoch_seed(job.seed, epoch), slot):
            empty = False
            yield chunk
        if empty or not phase.runtime_ns:
            return


def _access(phase: Phase, calls: Calls, root: int) -> Access:
    status = calls.fstat(root)
    major, minor = phase.python.split(".")
    return Access(
        calls,
        root,
        phase.population,
        io_size=phase.io_size,
        block=status.st_blksize if isinstance(status, os.stat_result) else 4096,
        python=(int(major), int(minor)),
    )


def prepare_samples(  # noqa: PLR0915 - the hot loop stays in one place
    job: Job, slot: int, progress: Progress
) -> Run:
    """Make the loop ready that reads this slot's samples, one after the other."""
    calls, phase = job.calls(), job.phase
    root = open_directory(calls, job)
    reading = reading_of(phase)
    reader = reading.make(_access(phase, calls, root))
    log = Log()
    cells, base = progress
    most = CAPACITY // phase.batch * phase.batch

    def run(start_ns: int) -> Outcome:
        clock = calls.clock
        deadline = start_ns + phase.runtime_ns if phase.runtime_ns else _FOREVER
        before, after = log.stamps
        sizes = np.zeros(most, dtype=np.int64)
        calls.begin(start_ns)
        began = t0 = alarm = clock()
        done = total = k = first_batch = 0
        coming = reader.samples(_chunks(job, slot, streams=reading.streams))
        try:
            for moved in coming:
                t1 = clock()
                before[k], after[k], sizes[k] = t0, t1, moved
                k += 1
                done += 1
                total += moved
                if done == phase.batch:
                    first_batch = t1 - began
                if k == most:
                    log.flush(sizes, start_ns, phase.batch)
                    k = 0
                if t1 >= alarm:
                    cells[base], cells[base + 1] = done, total
                    if t1 >= deadline:
                        break
                    alarm = min(deadline, t1 + _TELL_NS)
                t0 = clock()
        except OSError as error:
            name = path_of(phase.population, reader.file).encode()
            raise blame(error, job, name) from error
        finally:
            coming.close()
        log.flush(sizes[:k], start_ns, phase.batch)
        cells[base], cells[base + 1] = done, total
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=clock(),
            timers={"first_batch": first_batch} if slot == 0 and first_batch else {},
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
