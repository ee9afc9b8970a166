"""Serves requests from a KV cache on the target: blocks are reloaded, and new ones offloaded.

A block is a file. What is measured is the reload of blocks; offloads go on meanwhile, in all other
threads of control, and are counted apart.
"""

import os
from collections.abc import Iterator

import numpy as np

from aibench.calls import Calls
from aibench.formats.content import BLOCK, Content
from aibench.formats.files import paths_of, size_of
from aibench.formats.mixing import key
from aibench.model import CachePolicy, Phase, Serving, SyncPolicy
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import (
    aligned_buffer,
    aligned_view,
    blame,
    direct_flag,
    open_directory,
    wrong_length,
)
from aibench.workers.loops.granules import create, write_all
from aibench.workers.share import block_of

#: What tells the seed of requests from the other seeds of a run.
_REQUESTS = 0x6B76
_AT_ONCE = 256
_WORDS = BLOCK // 8


def requests_of(
    serving: Serving, seed: int, slot: int, blocks: int
) -> Iterator[tuple[int, int, int]]:
    """(first block that is read, how many are, how many are written) of each request of ``slot``.

    Those that are read follow each other in a ring of ``blocks``, as the prefix of a context does;
    a request needs at most all of them.
    """
    draw = np.random.Generator(np.random.PCG64([key(seed, _REQUESTS), slot]))
    fewest, most = np.array(serving.requests, dtype=np.int64).T
    while True:
        kinds = draw.integers(len(fewest), size=_AT_ONCE)
        needed = np.minimum(draw.integers(fewest[kinds], most[kinds] + 1), blocks)
        found = np.floor(needed * serving.hits + draw.random(_AT_ONCE)).astype(np.int64)
        found = np.minimum(found, needed)
        firsts = draw.integers(blocks, size=_AT_ONCE)
        yield from zip(firsts.tolist(), found.tolist(), (needed - found).tolist(), strict=True)


class _Cache:
    """The blocks of one thread of control: reads them, and writes new ones in their places."""

    def __init__(self, job: Job, slot: int, calls: Calls) -> None:
        phase = job.phase
        part = block_of(phase.population.files, phase.slots, slot, phase.shift)
        self.size = size_of(phase.population, 0)
        self.names = paths_of(phase.population, np.arange(part.start, part.stop, dtype=np.int64))
        self._job, self._calls, self._io_size = job, calls, phase.io_size
        self._root = open_directory(calls, job)
        self._buffers = [aligned_view(phase.io_size)]
        self._direct = direct_flag(phase)
        self._drops = phase.cache is CachePolicy.COLD
        self._synced = phase.sync is not SyncPolicy.NONE
        self._fill(phase, slot)
        self._next = 0
        self.name = b""

    def _fill(self, phase: Phase, slot: int) -> None:
        """What is written: one block, of which each 4 KiB get another first word each time."""
        self._content = aligned_buffer(self.size)
        padded = -(-self.size // BLOCK) * BLOCK
        Content(phase.population.seed).fill(
            self._content[:padded], phase.population.files + slot, 0
        )
        self._stamps = self._content[:padded].view(np.uint64)[::_WORDS]
        self._view = memoryview(self._content.data)[: self.size]

    def read(self, number: int) -> int:
        """Reload a block; returns the time that is not its."""
        calls = self._calls
        self.name = name = self.names[number]
        flags = os.O_RDONLY | os.O_CLOEXEC | self._direct
        fd = calls.open(name, flags, dir_fd=self._root)
        count = 0
        while count < self.size:
            came = calls.readv(fd, self._buffers)
            if came == 0:
                break
            count += came
        aside = self._drop(fd)
        calls.close(fd)
        if count != self.size:
            raise wrong_length(self._job, name, count, self.size)
        return aside

    def write(self) -> int:
        """Offload a new block in the place of the oldest; returns the time that is not its."""
        calls, clock = self._calls, self._calls.clock
        began = clock()
        self._stamps += np.uint64(1)
        stamped = clock() - began
        self.name = self.names[self._next]
        self._next = (self._next + 1) % len(self.names)
        fd = create(calls, self.name, self._root, self._direct)
        for offset in range(0, self.size, self._io_size):
            write_all(calls, fd, self._view[offset : offset + self._io_size])
        if self._synced:
            calls.fsync(fd)
        stamped += self._drop(fd)
        calls.close(fd)
        return stamped

    def _drop(self, fd: int) -> int:
        """Have the client forget a block, so that its next read reaches the storage.

        Only where the policy is to read cold. Returns the time that it took.
        """
        if not self._drops:
            return 0
        began = self._calls.clock()
        self._calls.fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        took: int = self._calls.clock() - began
        return took


class _Server:
    """Serves requests, and writes down how long that took."""

    def __init__(self, job: Job, slot: int, calls: Calls, progress: Progress) -> None:
        self.cache = _Cache(job, slot, calls)
        self.blocks = len(self.cache.names)
        self.log = Log()
        self.reads = self.writes = 0
        self.start_ns = self.end_ns = self.deadline_ns = 0
        self._clock, self._progress = calls.clock, progress
        self._unbinned = 0
        self._noted: dict[str, list[int]] = {"offload": [], "request": []}

    def request(self, first: int, reads: int, writes: int) -> None:
        """Serve one request; it does not count as one when time is over before its end."""
        began = self.end_ns
        for number in range(first, first + reads):
            self._reload(number % self.blocks)
            if self.end_ns >= self.deadline_ns:
                return
        for _ in range(writes):
            self._offload()
            if self.end_ns >= self.deadline_ns:
                return
        self._note("request", self.end_ns - began)

    def _reload(self, number: int) -> None:
        before = self._clock()
        aside = self.cache.read(number)
        self.end_ns = self._clock()
        stamps = self.log.stamps
        stamps[0][self._unbinned] = before
        stamps[1][self._unbinned] = self.end_ns - aside
        self._unbinned += 1
        self.reads += 1
        self._tell()
        if self._unbinned == CAPACITY:
            self.flush()

    def _offload(self) -> None:
        before = self._clock()
        aside = self.cache.write()
        self.end_ns = self._clock()
        self.writes += 1
        self._note("offload", self.end_ns - before - aside)
        self._tell()

    def _note(self, kind: str, took: int) -> None:
        self._noted[kind].append(took)
        if len(self._noted[kind]) == CAPACITY:
            self.flush()

    def _tell(self) -> None:
        cells, base = self._progress
        cells[base] = self.reads + self.writes
        cells[base + 1] = cells[base] * self.cache.size

    def flush(self) -> None:
        """Count what was noted."""
        self.log.flush(np.full(self._unbinned, self.cache.size, dtype=np.int64), self.start_ns)
        self._unbinned = 0
        for kind, latencies in self._noted.items():
            if latencies:
                self.log.note(kind, latencies)
                latencies.clear()


def prepare_serve(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that serves requests until the time of the phase is over."""
    calls, phase = job.calls(), job.phase
    if phase.serving is None or not phase.runtime_ns:
        raise ValueError("to serve blocks needs requests, and a time")
    server = _Server(job, slot, calls, progress)
    following = requests_of(phase.serving, job.seed, slot, max(server.blocks, 1))

    def run(start_ns: int) -> Outcome:
        calls.begin(start_ns)
        server.start_ns, server.deadline_ns = start_ns, start_ns + phase.runtime_ns
        began = server.end_ns = calls.clock()
        try:
            while server.blocks and server.end_ns < server.deadline_ns:
                server.request(*next(following))
        except OSError as error:
            raise blame(error, job, server.cache.name) from error
        server.flush()
        return Outcome(
            slot=slot, operations=server.reads, bytes=server.reads * server.cache.size,
            start_ns=began, end_ns=server.end_ns,
            histograms=server.log.histograms(), intervals=server.log.intervals,
        )  # fmt: skip

    return run
