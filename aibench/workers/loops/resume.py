"""Loads a checkpoint: each rank reads the shards that it needs, as a library reads them.

Where a file tells which checkpoints are complete, the newest of those is looked for first; the
timer ``found`` says how long that takes.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from aibench.calls import Calls
from aibench.formats.draws import Sizes64
from aibench.formats.files import path_of
from aibench.formats.format import format_of
from aibench.model import Phase, Population
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import blame, deadline_of, open_directory
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
    """The files that ``slot`` loads, of those that hold shards."""
    part = range(*phase.reads[slot]) if phase.reads else part_of(phase, slot)
    return range(max(part.start, 1), max(part.stop, 1)) if phase.marked else part


def _chunks(phase: Phase, part: range) -> Iterator[Sizes64]:
    """Once, or over and over where time is the bound."""
    yield from chunks_of(part)
    while part and phase.runtime_ns:
        yield from chunks_of(part)


def prepare_resume(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that loads what this rank needs."""
    calls, phase = job.calls(), job.phase
    population = phase.population
    root = open_directory(calls, job)
    part = needed(phase, slot)
    reader = format_of(population).readers[phase.reader].make(access_of(phase, calls, root))
    if isinstance(reader, Expecting):
        reader.expect(part)
    log = Log()
    cells, base = progress

    def run(start_ns: int) -> Outcome:
        clock, (before, after) = calls.clock, log.stamps
        deadline = deadline_of(phase, start_ns)
        calls.begin(start_ns)
        began = t0 = end = clock()
        timers = {}
        done = total = k = 0
        sizes = np.zeros(CAPACITY, dtype=np.int64)
        coming = reader.samples(_chunks(phase, part))
        try:
            if phase.marked:
                newest(calls, root, population)
                timers["found"] = clock() - began
                t0 = clock()
            for moved in coming:
                end = clock()
                before[k], after[k], sizes[k] = t0, end, moved
                k, done, total = k + 1, done + 1, total + moved
                cells[base], cells[base + 1] = done, total
                if k == CAPACITY:
                    log.flush(sizes, start_ns)
                    k = 0
                if end >= deadline:
                    break
                t0 = clock()
        except OSError as error:
            raise blame(error, job, path_of(population, reader.file).encode()) from error
        finally:
            coming.close()
        log.flush(sizes[:k], start_ns)
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=end,
            timers=timers, histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
