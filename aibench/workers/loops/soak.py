"""Reads samples and saves shards for as long as the phase goes, and goes on where some fail.

What fails for a while or for one file (I/O errors, stale handles, time-outs) is counted under its
name in a histogram such as ``EIO read``, of how long it took to fail; all else ends the run.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import chain

import numpy as np

from aibench.calls import Calls
from aibench.formats.content import BLOCK, Content
from aibench.formats.files import path_of, paths_of, size_of, sizes_of
from aibench.model import Phase, SyncPolicy
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import (
    FOREVER,
    TELL_NS,
    aligned_buffer,
    aligned_view,
    blame,
    deadline_of,
    make_directory,
    open_directory,
)
from aibench.workers.loops.granules import write_all
from aibench.workers.loops.samples import chunks_read

#: After these the next operation may do well.
BORNE = frozenset(
    {
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.EREMOTEIO,
        errno.EAGAIN,
        errno.EINTR,
        errno.EBUSY,
        errno.ENOENT,
        errno.ECONNRESET,
    }
)
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


class _Files:
    """The files of one population, below a directory that is opened anew when it got stale."""

    def __init__(self, job: Job, calls: Calls) -> None:
        self.job, self.calls = job, calls
        self.root = open_directory(calls, job)

    def again(self) -> None:
        """Open the directory anew."""
        fresh = open_directory(self.calls, self.job)
        with suppress(OSError):
            self.calls.close(self.root)
        self.root = fresh

    def closing(self, fd: int, work: Callable[[int], None]) -> None:
        """Do ``work`` on an open file, and close it however that ends."""
        try:
            work(fd)
        except OSError:
            with suppress(OSError):
                self.calls.close(fd)
            raise
        self.calls.close(fd)


class _Reading(_Files):
    """Reads whole files: open, fstat, read, close."""

    def __init__(self, job: Job, calls: Calls) -> None:
        super().__init__(job, calls)
        self._buffers = [aligned_view(job.phase.io_size)]
        self.came = 0

    def read(self, name: bytes, size: int) -> bool:
        """Whether as many bytes came as the file has."""
        calls = self.calls
        fd = calls.open(name, _READ, dir_fd=self.root)
        calls.fstat(fd)
        self.came = 0
        self.closing(fd, lambda fd: self._read(fd, size))
        return self.came == size

    def _read(self, fd: int, size: int) -> None:
        while self.came < size:
            count = self.calls.readv(fd, self._buffers)
            if count == 0:
                return
            self.came += count


class _Saving(_Files):
    """Saves one shard in the place of the one before: written, synced, renamed, directory synced.

    Of each 4 KiB the first word is another one each time.
    """

    def __init__(self, job: Job, calls: Calls, slot: int) -> None:
        super().__init__(job, calls)
        phase = job.phase
        self._io_size, self._synced = phase.io_size, phase.sync is not SyncPolicy.NONE
        self.size = size_of(phase.population, slot)
        self.name = path_of(phase.population, slot).encode()
        self._directory = self.name.rpartition(b"/")[0]
        make_directory(calls, job, self.root, self._directory)
        padded = -(-self.size // BLOCK) * BLOCK
        memory = aligned_buffer(padded)
        Content(phase.population.seed).fill(memory[:padded], slot, 0)
        self._stamps = memory[:padded].view(np.uint64)[:: BLOCK // 8]
        self._view = memoryview(memory.data)[: self.size]

    def save(self) -> None:
        """Save the shard; what a failure left under another name is removed the next time."""
        calls, root = self.calls, self.root
        self._stamps += np.uint64(1)
        temporary = self.name + b".tmp"
        self.closing(calls.open(temporary, _NEW, 0o644, dir_fd=root), self._write)
        calls.rename(temporary, self.name, src_dir_fd=root, dst_dir_fd=root)
        if self._synced:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            self.closing(calls.open(self._directory, flags, dir_fd=root), calls.fsync)

    def _write(self, fd: int) -> None:
        for offset in range(0, self.size, self._io_size):
            write_all(self.calls, fd, self._view[offset : offset + self._io_size])
        if self._synced:
            self.calls.fsync(fd)


class _Soaking:
    """One thread of control: what it does next, and what it wrote down."""

    def __init__(self, job: Job, slot: int, calls: Calls, progress: Progress) -> None:
        phase = job.phase
        assert phase.soak is not None
        self.soak, self.log, self.clock = phase.soak, Log(), calls.clock
        self.reading = _Reading(job, calls)
        self.saving = _saving(job, phase, slot, calls)
        self.start_ns = self.k = self.done = self.total = self.errors = 0
        self.due = FOREVER
        self._sizes = np.zeros(CAPACITY, dtype=np.int64)
        self._progress = progress

    def begin(self, start_ns: int, now: int) -> None:
        """The first shard is saved one interval after the common start."""
        self.start_ns = start_ns
        self.due = now + self.soak.every_ns if self.saving else FOREVER

    def read(self, name: bytes, size: int) -> int:
        """Read one sample; the time after it."""
        began = self.clock()
        try:
            whole = self.reading.read(name, size)
        except OSError as error:
            return self._bear(error, "read", began, self.reading, name)
        ended: int = self.clock()
        if not whole:
            self._count("short read", ended - began)
            return ended
        before, after = self.log.stamps
        before[self.k], after[self.k], self._sizes[self.k] = began, ended, size
        self.k, self.done, self.total = self.k + 1, self.done + 1, self.total + size
        if self.k == CAPACITY:
            self.flush()
        return ended

    def save(self, now: int) -> int:
        """Save a shard; the time after it. What was missed meanwhile is left out."""
        assert self.saving is not None
        try:
            self.saving.save()
            ended: int = self.clock()
            self.log.note("save", [ended - now])
        except OSError as error:
            ended = self._bear(error, "save", now, self.saving, self.saving.name)
        self.due += max(-(-(ended - self.due) // self.soak.every_ns), 1) * self.soak.every_ns
        return ended

    def tell(self) -> None:
        """Tell how far it has come."""
        cells, base = self._progress
        cells[base], cells[base + 1] = self.done, self.total

    def flush(self) -> None:
        """Count what was read since the last time."""
        self.log.flush(self._sizes[: self.k], self.start_ns)
        self.k = 0

    def _bear(self, error: OSError, what: str, began: int, files: _Files, name: bytes) -> int:
        """Count a failure and go on, or end the run with it."""
        ended: int = self.clock()
        if error.errno not in BORNE or self.errors >= self.soak.most_errors:
            raise blame(error, files.job, name) from error
        self._count(f"{errno.errorcode[error.errno]} {what}", ended - began)
        if error.errno == errno.ESTALE:
            with suppress(OSError):
                files.again()
        return ended

    def _count(self, what: str, took: int) -> None:
        self.errors += 1
        self.log.note(what, [took])


def _saving(job: Job, phase: Phase, slot: int, calls: Calls) -> _Saving | None:
    """What saves shards; None where none are saved."""
    if phase.saving is None:
        return None
    beside = job.directory.removesuffix(phase.population.directory)
    directory = beside + phase.saving.population.directory
    return _Saving(replace(job, phase=phase.saving, directory=directory), calls, slot)


def prepare_soak(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that reads and saves until the time of the phase is over."""
    calls, population = job.calls(), job.phase.population
    soaking = _Soaking(job, slot, calls, progress)
    clock = calls.clock

    def run(start_ns: int) -> Outcome:
        calls.begin(start_ns)
        deadline = deadline_of(job.phase, start_ns)
        began = now = alarm = clock()
        soaking.begin(start_ns, began)
        chunks = chunks_read(job, slot, streams=False)
        following = chain.from_iterable(
            zip(paths_of(population, chunk), sizes_of(population, chunk).tolist(), strict=True)
            for chunk in chunks
        )
        for name, size in following:
            if now >= soaking.due:
                now = soaking.save(now)
            now = soaking.read(name, size)
            if now >= alarm:
                soaking.tell()
                if now >= deadline:
                    break
                alarm = min(deadline, now + TELL_NS)
        soaking.flush()
        soaking.tell()
        return Outcome(
            slot=slot, operations=soaking.done, bytes=soaking.total, start_ns=began, end_ns=now,
            histograms=soaking.log.histograms(), intervals=soaking.log.intervals,
            errors=soaking.errors,
        )  # fmt: skip

    return run
