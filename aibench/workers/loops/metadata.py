"""Namespace operations on many files in many directories: one system call, one latency."""

import os
from collections.abc import Callable, Iterator

import numpy as np

from aibench.calls import Calls
from aibench.formats.files import directory_count, paths_of
from aibench.model import Operation
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import blame, make_directory, open_directory
from aibench.workers.share import block_of, chunks_of, rounds_of

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_CLOEXEC
_NO_BYTES = np.zeros(CAPACITY, dtype=np.int64)
Act = Callable[[bytes], None]


def _act(operation: Operation, calls: Calls, root: int) -> Act:
    """The one thing that is timed, as a function of a path."""

    def create(name: bytes) -> None:
        calls.close(calls.open(name, _NEW, 0o644, dir_fd=root))

    def stat(name: bytes) -> None:
        calls.stat(name, dir_fd=root, follow_symlinks=False)

    def open_close(name: bytes) -> None:
        calls.close(calls.open(name, _OLD, dir_fd=root))

    def listing(name: bytes) -> None:
        descriptor = calls.open(name, _OLD | os.O_DIRECTORY, dir_fd=root)
        calls.listdir(descriptor)
        calls.close(descriptor)

    def rename(name: bytes) -> None:
        calls.rename(name, _renamed(name), src_dir_fd=root, dst_dir_fd=root)

    def delete(name: bytes) -> None:
        calls.unlink(_renamed(name), dir_fd=root)

    return {
        Operation.CREATE: create,
        Operation.STAT: stat,
        Operation.OPEN_CLOSE: open_close,
        Operation.LIST: listing,
        Operation.RENAME: rename,
        Operation.DELETE: delete,
    }[operation]


def _renamed(name: bytes) -> bytes:
    return name.replace(b"/f", b"/r")


def _names(job: Job, slot: int) -> Iterator[list[bytes]]:
    """What this slot works on, in chunks; over and over where the phase is bounded in time."""
    phase, population = job.phase, job.phase.population
    listing = phase.operation is Operation.LIST
    count = directory_count(population) if listing else population.files
    part = block_of(count, phase.slots, slot, phase.shift)
    for chunk in rounds_of(part) if phase.runtime_ns else chunks_of(part):
        if listing:
            yield [b"d%06d" % number for number in chunk.tolist()]
        else:
            yield paths_of(population, chunk)


def _make_directories(job: Job, slot: int, calls: Calls, root: int, progress: Progress) -> None:
    """Make the directories of this slot's files; it counts as progress until the start."""
    population = job.phase.population
    part = block_of(population.files, job.phase.slots, slot)
    each = population.files_per_directory
    for number in range(part.start // each, -(-part.stop // each)):
        make_directory(calls, job, root, b"d%06d" % number)
        progress.cells[progress.base] += 1
    progress.cells[progress.base] = 0


def prepare_metadata(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that does one namespace operation to each of this slot's names."""
    calls = job.calls()
    root = open_directory(calls, job)
    if job.phase.operation is Operation.CREATE:
        _make_directories(job, slot, calls, root, progress)
    act = _act(job.phase.operation, calls, root)
    log = Log()
    cells, base = progress

    def run(start_ns: int) -> Outcome:
        clock, (before, after) = calls.clock, log.stamps
        deadline = start_ns + job.phase.runtime_ns if job.phase.runtime_ns else 2**63 - 1
        calls.begin(start_ns)
        began = t1 = clock()
        done = 0
        name = b""
        try:
            for names in _names(job, slot):
                k = -1
                for k, name in enumerate(names):
                    t0 = clock()
                    act(name)
                    t1 = clock()
                    before[k] = t0
                    after[k] = t1
                    done += 1
                    cells[base] = done
                    if t1 >= deadline:
                        break
                log.flush(_NO_BYTES[: k + 1], start_ns)
                if t1 >= deadline:
                    break
        except OSError as error:
            raise blame(error, job, name) from error
        return Outcome(
            slot=slot, operations=done, bytes=0, start_ns=began, end_ns=t1,
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
