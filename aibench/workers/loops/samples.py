"""Reads samples as a framework does, in any format: the format's reader makes the system calls."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from aibench.calls import Calls
from aibench.formats.files import path_of
from aibench.formats.format import Access, Reading, format_of
from aibench.model import Phase
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import TELL_NS, blame, deadline_of, open_directory
from aibench.workers.share import dealt, dealt_files, epoch_seed


def reading_of(phase: Phase) -> Reading:
    """The way in which ``phase`` reads its samples. KeyError where its format has none such."""
    return format_of(phase.population).readers[phase.reader]


def chunks_read(job: Job, slot: int, *, streams: bool) -> Iterator[NDArray[np.int64]]:
    """What this slot reads, samples or files; epoch after epoch where time is the bound."""
    phase = job.phase
    windows = format_of(phase.population).windows
    samples = windows(phase.population, phase.window) if windows else None
    deal = dealt_files if streams else partial(dealt, samples=samples)
    for epoch in count(phase.epoch):
        empty = True
        for chunk in deal(phase, epoch_seed(job.seed, epoch), slot):
            empty = False
            yield chunk
        if empty or not phase.runtime_ns:
            return


def access_of(phase: Phase, calls: Calls, root: int) -> Access:
    """What a reader of ``phase`` works with, below the directory ``root``."""
    major, minor = phase.python.split(".")
    return Access(
        calls,
        root,
        phase.population,
        io_size=phase.io_size,
        python=(int(major), int(minor)),
        window=phase.window,
    )


def _paced(calls: Calls, phase: Phase, slot: int, start_ns: int) -> Callable[[], int]:
    """Waits for the time at which the next operation of ``slot`` is to begin, and tells it.

    Threads of control take turns. Who is late begins at once; its latency counts from its turn.
    """
    clock, wait = calls.clock, calls.wait
    apart = 1e9 / phase.rate
    turns = count(slot, phase.slots)

    def begin() -> int:
        intended = start_ns + int(next(turns) * apart)
        if clock() < intended:
            wait(intended)
        return intended

    return begin


def prepare_samples(  # noqa: PLR0915 - the hot loop stays in one place
    job: Job, slot: int, progress: Progress
) -> Run:
    """Make the loop ready that reads this slot's samples, one after the other."""
    calls, phase = job.calls(), job.phase
    root = open_directory(calls, job)
    reading = reading_of(phase)
    reader = reading.make(access_of(phase, calls, root))
    log = Log()
    cells, base = progress
    most = CAPACITY // phase.batch * phase.batch

    def run(start_ns: int) -> Outcome:
        clock = calls.clock
        deadline = deadline_of(phase, start_ns)
        before, after = log.stamps
        sizes = np.zeros(most, dtype=np.int64)
        calls.begin(start_ns)
        began = alarm = clock()
        begin_next = _paced(calls, phase, slot, began) if phase.rate else clock
        t0 = t1 = begin_next()
        done = total = k = first_batch = 0
        coming = reader.samples(chunks_read(job, slot, streams=reading.streams))
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
                    alarm = min(deadline, t1 + TELL_NS)
                t0 = begin_next()
        except OSError as error:
            name = path_of(phase.population, reader.file).encode()
            raise blame(error, job, name) from error
        finally:
            coming.close()
        log.flush(sizes[:k], start_ns, phase.batch)
        cells[base], cells[base + 1] = done, total
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=t1,
            timers={"first_batch": first_batch} if slot == 0 and first_batch else {},
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
