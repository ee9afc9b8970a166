"""Makes training data of raw data: reads samples, spends time of a core on each, writes shards."""

import os
from collections.abc import Callable

import numpy as np

from aibench.calls import Calls
from aibench.formats.content import BLOCK, Content
from aibench.formats.files import directory_count, path_of, renamed_path_of
from aibench.model import Phase, SyncPolicy, Transform
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import TELL_NS, aligned_buffer, blame, deadline_of, open_directory
from aibench.workers.loops.granules import create, write_all
from aibench.workers.loops.samples import access_of, chunks_read, reading_of

_WORDS = BLOCK // 8


class _Shards:
    """The files that one thread of control writes, one after the other."""

    def __init__(self, job: Job, slot: int, calls: Calls, transform: Transform) -> None:
        phase = job.phase
        self._calls, self._transform = calls, transform
        self._synced = phase.sync is not SyncPolicy.NONE
        self._directory = _beside(job, transform)
        self._root = calls.open(os.fsencode(self._directory), os.O_RDONLY | os.O_DIRECTORY)
        for number in range(slot, directory_count(transform.output), phase.slots):
            calls.mkdir(b"d%06d" % number, 0o755, dir_fd=self._root)
        each = transform.output.files // phase.slots
        self._numbers = range(slot * each, (slot + 1) * each)
        self._made = self._samples = self._pending = 0
        self._fd, self._name = -1, ""
        self._fill(phase, slot)
        self.syncs: list[int] = []

    def _fill(self, phase: Phase, slot: int) -> None:
        """What is written: one buffer, of which each 4 KiB get another first word each time."""
        self._buffer = aligned_buffer(phase.io_size)
        padded = len(self._buffer) // BLOCK * BLOCK
        Content(phase.population.seed).fill(self._buffer[:padded], phase.population.files + slot, 0)
        self._stamps = self._buffer[:padded].view(np.uint64)[::_WORDS]
        self._view = memoryview(self._buffer.data)[: phase.io_size]

    def add(self) -> None:
        """Write one sample; it goes out when there is enough for a call, or the shard is full."""
        try:
            if self._fd < 0:
                self._begin()
            self._pending += self._transform.sample_bytes
            self._samples += 1
            while self._pending >= len(self._view):
                self._put(len(self._view))
            if self._samples == self._transform.samples_per_file:
                self.end()
        except OSError as error:
            path = f"{self._directory}/{self._name}"
            raise OSError(error.errno, error.strerror, path) from error

    def end(self) -> None:
        """Write what is left of the shard, and be done with it."""
        if self._fd < 0:
            return
        self._put(self._pending)
        if self._synced:
            began = self._calls.clock()
            self._calls.fsync(self._fd)
            self.syncs.append(self._calls.clock() - began)
        self._calls.close(self._fd)
        self._fd, self._samples = -1, 0

    def _begin(self) -> None:
        number = self._numbers[self._made % len(self._numbers)]
        self._name = renamed_path_of(self._transform.output, number)
        self._made += 1
        self._fd = create(self._calls, self._name.encode(), self._root)

    def _put(self, count: int) -> None:
        if count:
            self._stamps += np.uint64(1)
            write_all(self._calls, self._fd, self._view[:count])
            self._pending -= count


def _beside(job: Job, transform: Transform) -> str:
    """The directory of the output, in the workspace of the data that is read."""
    return job.directory.removesuffix(job.phase.population.directory) + transform.output.directory


def _worker(calls: Calls, cpu_ns: int) -> Callable[[], None]:
    """Spends the time of a core that one sample takes."""
    calls.burn(0)
    return (lambda: calls.burn(cpu_ns)) if cpu_ns else (lambda: None)


def prepare_preprocess(  # noqa: PLR0915 - the hot loop stays in one place
    job: Job, slot: int, progress: Progress
) -> Run:
    """Make the loop ready that transforms this slot's samples, one after the other."""
    calls, phase = job.calls(), job.phase
    if phase.transform is None:
        raise ValueError("to preprocess needs to know what to make of samples")
    reading = reading_of(phase)
    reader = reading.make(access_of(phase, calls, open_directory(calls, job)))
    shards = _Shards(job, slot, calls, phase.transform)
    compute = _worker(calls, phase.transform.cpu_ns)
    log = Log("read", "compute", "write")
    cells, base = progress

    def run(start_ns: int) -> Outcome:
        clock = calls.clock
        deadline = deadline_of(phase, start_ns)
        begun, read, computed, written = log.stamps
        sizes = np.zeros(CAPACITY, dtype=np.int64)
        calls.begin(start_ns)
        began = alarm = t3 = clock()
        done = total = k = 0
        coming = reader.samples(chunks_read(job, slot, streams=reading.streams))
        try:
            begun[0] = clock()
            for moved in coming:
                read[k] = clock()
                compute()
                computed[k] = clock()
                shards.add()
                written[k] = t3 = clock()
                sizes[k] = moved
                k, done, total = k + 1, done + 1, total + moved
                if k == CAPACITY:
                    log.flush(sizes, start_ns)
                    k = 0
                if t3 >= alarm:
                    cells[base], cells[base + 1] = done, total
                    if t3 >= deadline:
                        break
                    alarm = min(deadline, t3 + TELL_NS)
                begun[k] = clock()
        except OSError as error:
            name = path_of(phase.population, reader.file).encode()
            raise (error if error.filename else blame(error, job, name)) from error
        finally:
            coming.close()
        shards.end()
        t3 = clock()
        if k:
            written[k - 1] = t3
        log.flush(sizes[:k], start_ns)
        if shards.syncs:
            log.note("fsync", shards.syncs)
        cells[base], cells[base + 1] = done, total
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=t3,
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
