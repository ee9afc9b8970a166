"""Writes one file as tensorstore's driver for files does: locked, in one call, synced, renamed."""

import os
from collections.abc import Iterable

from aibench.calls import Calls
from aibench.formats.files import path_of
from aibench.formats.format import format_of
from aibench.model import Population
from aibench.workers.log import Log
from aibench.workers.loops.shards import Writes
from aibench.workers.loops.state import Piece

#: What is written under this name gets its own when it is complete.
SUFFIX = b".__lock"
#: As many pieces fit into one call (IOV_MAX of Linux).
_MOST_PIECES = 1024
_DIRECTORY = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Locked:
    """Writes files below the directory ``root``; without ``synced`` nothing is synced."""

    def __init__(self, calls: Calls, log: Log, writes: Writes, root: int, *, synced: bool) -> None:
        self._calls, self._log, self._writes = calls, log, writes
        self._root, self._synced = root, synced

    def save(self, name: bytes, pieces: Iterable[Piece], *, held: bool) -> None:
        """Write a file; ``held`` means that all its pieces stay where they are until it is."""
        calls, root, temporary = self._calls, self._root, name + SUFFIX
        directory = calls.open(name.rpartition(b"/")[0], _DIRECTORY, dir_fd=root)
        fd = calls.open(temporary, _NEW, 0o666, dir_fd=root)
        calls.fstat(fd)
        calls.lock(fd, True)
        again = calls.open(temporary, _NEW, 0o666, dir_fd=root)  # is it still the one there?
        calls.fstat(again)
        calls.close(again)
        self._put(fd, pieces, held=held)
        self._sync(fd)
        calls.fstat(fd)
        calls.rename(temporary, name, src_dir_fd=root, dst_dir_fd=root)
        self._sync(directory)
        calls.lock(fd, False)
        calls.close(fd)
        calls.close(directory)

    def save_beside(self, population: Population, file: int) -> None:
        """Write what lies beside a file, which comes before it."""
        for suffix, sidecar in format_of(population).sidecars.items():
            name = (path_of(population, file) + suffix).encode()
            parts = [(memoryview(part), len(part)) for part in sidecar.parts(population, file)]
            self.save(name, parts, held=True)

    def _put(self, fd: int, pieces: Iterable[Piece], *, held: bool) -> None:
        most = _MOST_PIECES if held else 1
        views: list[memoryview] = []
        for data, length in pieces:
            views.append(data[:length])
            if len(views) == most:
                self._writes.put(fd, views)
                views = []
        if views:
            self._writes.put(fd, views)

    def _sync(self, fd: int) -> None:
        if not self._synced:
            return
        t0 = self._calls.clock()
        self._calls.fsync(fd)
        self._log.note("fsync", [self._calls.clock() - t0])
