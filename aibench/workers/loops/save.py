"""Saves a checkpoint: each rank writes its shards, then makes them durable and visible.

All shards are written under temporary names first; ``blocked`` ends there, when the trainer of an
asynchronous save could go on. Then each file is synced, closed and renamed, and the directory
synced; ``durable`` ends there.
"""

import os
import resource
from collections.abc import Iterator

import numpy as np

from aibench.formats.content import BLOCK, Content
from aibench.formats.files import paths_of, sizes_of
from aibench.model import CachePolicy, SyncPolicy
from aibench.stats.histogram import bins_of
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import (
    aligned_buffer,
    blame,
    direct_flag,
    make_directory,
    open_directory,
)
from aibench.workers.loops.granules import write_all
from aibench.workers.share import part_of

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: A rank holds its state in memory up to this size, as a trainer does; beyond, it is generated
#: anew while it is written, which the histogram ``generate`` shows.
HELD_BYTES = 256 * 2**20
#: Descriptors that a worker process needs besides those of its shards.
_OTHER_FILES = 64


class _Rank:
    """One rank: its shards, its state in memory, and what it wrote down."""

    def __init__(self, job: Job, slot: int, progress: Progress) -> None:
        self.job, self.progress = job, progress
        self.calls = job.calls()
        population = job.phase.population
        self.part = part_of(job.phase, slot)
        indices = np.arange(self.part.start, self.part.stop, dtype=np.int64)
        self.sizes: list[int] = sizes_of(population, indices).tolist()
        self.names = paths_of(population, indices)
        self.root = open_directory(self.calls, job)
        self.directories = sorted({name.split(b"/")[0] for name in self.names})
        for directory in self.directories:
            make_directory(self.calls, job, self.root, directory)
        self.direct = job.phase.cache is CachePolicy.DIRECT
        self.log = Log()
        self.start_ns = 0
        self._writes: list[tuple[int, int, int]] = []
        self._fill_state()

    def _fill_state(self) -> None:
        self._content = Content(self.job.phase.population.seed)
        self._io_size = -(-self.job.phase.io_size // BLOCK) * BLOCK
        padded = [-(-size // BLOCK) * BLOCK for size in self.sizes]
        self._starts = [sum(padded[:k]) for k in range(len(padded))]
        self._held = sum(padded) <= HELD_BYTES
        self._buffer = aligned_buffer(sum(padded) if self._held else self._io_size)
        self._view = memoryview(self._buffer.data)
        if self._held:
            for start, length, index in zip(self._starts, padded, self.part, strict=True):
                self._content.fill(self._buffer[start : start + length], index, 0)

    def _pieces(self, k: int) -> Iterator[tuple[memoryview, int]]:
        """The bytes to write for the ``k``-th shard and how many of them count.

        Under O_DIRECT the last piece is padded to a whole block.
        """
        for offset in range(0, self.sizes[k], self._io_size):
            length = min(self._io_size, self.sizes[k] - offset)
            padded = -(-length // BLOCK) * BLOCK
            start = self._starts[k] + offset if self._held else 0
            if not self._held:
                t0 = self.calls.clock()
                self._content.fill(self._buffer[:padded], self.part[k], offset)
                self.log.note("generate", [self.calls.clock() - t0])
            yield self._view[start : start + (padded if self.direct else length)], length

    def write_shard(self, k: int, before: int) -> int:
        """Write one shard under its temporary name; returns its open descriptor."""
        clock, (cells, base) = self.calls.clock, self.progress
        flags = _FLAGS | direct_flag(self.job.phase)
        fd: int = self.calls.open(self.names[k] + b".tmp", flags, 0o644, dir_fd=self.root)
        for data, length in self._pieces(k):
            t0 = clock()
            write_all(self.calls, fd, data)
            t1 = clock()
            self._writes.append((t1, length, t1 - t0))
            if len(self._writes) == CAPACITY:
                self._bin_writes()
            before += length
            cells[base + 1] = before
        if self.direct and self.sizes[k] % BLOCK:
            self.calls.ftruncate(fd, self.sizes[k])
        return fd

    def commit_shard(self, k: int, fd: int) -> None:
        """Make one shard durable and give it its name."""
        if self.job.phase.sync is not SyncPolicy.NONE:
            t0 = self.calls.clock()
            self.calls.fsync(fd)
            self.log.note("fsync", [self.calls.clock() - t0])
        self.calls.close(fd)
        name = self.names[k]
        self.calls.rename(name + b".tmp", name, src_dir_fd=self.root, dst_dir_fd=self.root)

    def sync_directories(self) -> None:
        """Make the names durable too, where the policy asks for it."""
        if self.job.phase.sync is SyncPolicy.COMMIT:
            for directory in self.directories:
                fd = self.calls.open(directory, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.root)
                self.calls.fsync(fd)
                self.calls.close(fd)

    def _bin_writes(self) -> None:
        """Count the write calls since the last time, in the series and their histogram."""
        if not self._writes:
            return
        ends, sizes, latencies = (
            np.array(c, dtype=np.int64) for c in zip(*self._writes, strict=True)
        )
        self.log.intervals.add(ends - self.start_ns, sizes, latencies, bins_of(latencies))
        self.log.note("write", latencies)
        self._writes.clear()

    def bin(self, begins: list[int], end: int) -> None:
        """Count what is left of the write calls, and each shard as one whole operation."""
        self._bin_writes()
        self.log.note("whole", [end - begin for begin in begins])


def _allow_open(shards: int) -> None:
    """Lift the soft limit of open files where all shards of a process would not fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = shards + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def prepare_save(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that saves this rank's shards."""
    rank = _Rank(job, slot, progress)
    clock = rank.calls.clock
    _allow_open((len(rank.part) + 1) * job.phase.threads)

    def run(start_ns: int) -> Outcome:
        rank.start_ns = start_ns
        rank.calls.begin(start_ns)
        began = clock()
        begins: list[int] = []
        open_files: list[int] = []
        total = at = 0
        try:
            for at, size in enumerate(rank.sizes):
                begins.append(clock())
                open_files.append(rank.write_shard(at, total))
                total += size
            blocked = clock()
            for at, fd in enumerate(open_files):
                rank.commit_shard(at, fd)
                progress.cells[progress.base] = at + 1
            rank.sync_directories()
        except OSError as error:
            raise blame(error, job, rank.names[at]) from error
        end = clock()
        rank.bin(begins, end)
        timers = {"blocked": blocked - began}
        if job.phase.sync is not SyncPolicy.NONE:
            timers["durable"] = end - began
        return Outcome(
            slot=slot, operations=len(begins), bytes=total, start_ns=began, end_ns=end,
            timers=timers,
            histograms=rank.log.histograms(), intervals=rank.log.intervals,
        )  # fmt: skip

    return run
