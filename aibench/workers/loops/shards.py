"""Writes one file of a checkpoint, call by call as aibench or as a library does."""

import os
from collections.abc import Iterator

import numpy as np

from aibench.calls import Calls
from aibench.formats.format import Saving, format_of
from aibench.model import Phase, SyncPolicy
from aibench.stats.histogram import bins_of
from aibench.workers.job import Progress
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.buffers import buffer_named
from aibench.workers.loops.common import direct_flag
from aibench.workers.loops.granules import write_all
from aibench.workers.loops.state import Piece

_NO_BLOCK = 4096
_NEW_PYTHON = (3, 14)
#: How aibench itself writes a shard: in large calls, under another name.
OURS = Saving(buffer="", mode=0o644, temporary=True)


class Writes:
    """Makes the write calls of one thread of control and writes them down."""

    def __init__(self, calls: Calls, log: Log, progress: Progress) -> None:
        self.start_ns = 0
        self.total = 0
        self._calls, self._log, self._progress = calls, log, progress
        self._noted: list[tuple[int, int, int]] = []

    def put(self, fd: int, views: list[memoryview], counted: int | None = None) -> None:
        """One write of all ``views``, however short it comes; ``counted`` where they are padded."""
        clock, calls, (cells, base) = self._calls.clock, self._calls, self._progress
        size = sum(map(len, views))
        t0 = clock()
        if len(views) == 1:
            write_all(calls, fd, views[0])
        elif (done := calls.writev(fd, views)) < size:
            write_all(calls, fd, memoryview(b"".join(views))[done:])
        t1 = clock()
        self.total += size if counted is None else counted
        self._noted.append((t1, size if counted is None else counted, t1 - t0))
        cells[base + 1] = self.total
        if len(self._noted) == CAPACITY:
            self.bin()

    def bin(self) -> None:
        """Count the calls since the last time, in the series and their histogram."""
        if not self._noted:
            return
        columns = (np.array(c, dtype=np.int64) for c in zip(*self._noted, strict=True))
        ends, sizes, latencies = columns
        self._log.intervals.add(ends - self.start_ns, sizes, latencies, bins_of(latencies))
        self._log.note("write", latencies)
        self._noted.clear()


def saving_of(phase: Phase) -> Saving:
    """How the files of ``phase`` are written: in aibench's own way, or in that of a library."""
    return format_of(phase.population).saving or OURS


class Shard:
    """Writes files below the directory ``root``, whose pieces come from a `State`."""

    def __init__(self, phase: Phase, calls: Calls, log: Log, writes: Writes, root: int) -> None:
        self._phase, self._calls, self._log, self._writes, self._root = (
            phase, calls, log, writes, root,
        )  # fmt: skip
        major, minor = phase.python.split(".")
        self._python = (int(major), int(minor))

    def begin(self, name: bytes, pieces: Iterator[Piece], size: int) -> int:
        """Write a plain file under its temporary name; returns its open descriptor."""
        fd = self._open(name, OURS)
        padded = False
        for data, length in pieces:
            self._writes.put(fd, [data], length)
            padded = len(data) != length
        if padded:
            self._calls.ftruncate(fd, size)
        return fd

    def end(self, name: bytes, fd: int) -> None:
        """Make a file that was begun durable, if the policy says so, and give it its name."""
        if self._phase.sync is not SyncPolicy.NONE:
            self.sync(fd)
        self._calls.close(fd)
        self._rename(name)

    def save(self, name: bytes, pieces: Iterator[Piece], size: int, saving: Saving) -> None:
        """Write a file as a library does, from opening to closing and renaming it."""
        calls = self._calls
        fd = self._open(name, saving)
        block = self._opened(fd, saving)
        if saving.sized:
            calls.ftruncate(fd, size)
        buffer = buffer_named(
            saving.buffer, lambda views: self._writes.put(fd, views), block, self._python
        )
        began = False
        for data, length in pieces:
            if not began and saving.synced:  # asks where it is, before each archive and after it
                calls.lseek(fd, 0, os.SEEK_CUR)
            began = bool(length)
            if length:
                buffer.write(data)
            else:
                buffer.flush()
                calls.lseek(fd, 0, os.SEEK_CUR)
        if saving.synced and self._phase.sync is not SyncPolicy.NONE:
            self.sync(fd)  # of what is held back nothing is synced, as in the library
        buffer.flush()
        if saving.sized:
            self._rename(name)
        calls.close(fd)
        if saving.temporary and not saving.sized:
            self._rename(name)

    def sync_files(self, names: list[bytes]) -> None:
        """Sync files that are closed already."""
        for name in names:
            fd = self._calls.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._root)
            self.sync(fd)
            self._calls.close(fd)

    def sync_directories(self, names: list[bytes]) -> None:
        """Make the names in these directories durable too."""
        for name in names:
            fd = self._calls.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._root)
            self._calls.fsync(fd)
            self._calls.close(fd)

    def sync(self, fd: int) -> None:
        """Sync an open file."""
        t0 = self._calls.clock()
        self._calls.fsync(fd)
        self._log.note("fsync", [self._calls.clock() - t0])

    def _open(self, name: bytes, saving: Saving) -> int:
        flags = os.O_CREAT | os.O_NOFOLLOW | (os.O_RDWR if saving.sized else os.O_WRONLY)
        flags |= os.O_EXCL if saving.sized or not saving.buffer else os.O_TRUNC
        flags |= os.O_CLOEXEC  # as Python has it for all files; a C++ stream leaves it out
        if not saving.buffer:
            flags |= direct_flag(self._phase)
        path = name + b".tmp" if saving.temporary else name
        fd: int = self._calls.open(path, flags, saving.mode, dir_fd=self._root)
        return fd

    def _opened(self, fd: int, saving: Saving) -> int:
        """What a library asks of a file that it opened; gives its ``st_blksize``."""
        if saving.buffer != "python":
            return _NO_BLOCK
        status = self._calls.fstat(fd)
        if self._python < _NEW_PYTHON:
            self._calls.isatty(fd)
        self._calls.lseek(fd, 0, os.SEEK_CUR)
        return status.st_blksize if isinstance(status, os.stat_result) else _NO_BLOCK

    def _rename(self, name: bytes) -> None:
        root = self._root
        self._calls.rename(name + b".tmp", name, src_dir_fd=root, dst_dir_fd=root)
