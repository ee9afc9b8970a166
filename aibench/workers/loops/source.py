"""What is collected: files of a directory somewhere else, which is only read."""

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from aibench.calls import Calls
from aibench.errors import TargetFailed
from aibench.model import Phase
from aibench.workspace.root import NAME

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class SourceFile(NamedTuple):
    """A file below the source, by its relative path, and its size in bytes."""

    path: bytes
    size: int


def source_files(source: str, most: int) -> list[SourceFile]:
    """The first ``most`` regular files below ``source``, each directory in the order of its names.

    No symbolic link is followed, and nothing that aibench wrote is looked at. OSError where a
    directory can't be read.
    """
    found: list[SourceFile] = []
    for file in _walk(os.fsencode(source), b"."):
        found.append(file)
        if len(found) == most:
            break
    return found


def _walk(source: bytes, below: bytes) -> Iterator[SourceFile]:
    with os.scandir(os.path.join(source, below)) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        path = os.path.join(below, entry.name)
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            yield SourceFile(path, status.st_size)
        elif stat.S_ISDIR(status.st_mode) and entry.name != os.fsencode(NAME):
            yield from _walk(source, path)


class Source:
    """Reads the files that ``phase`` collects, one at a time, and tells how long that took.

    Each is one of `source_files`, in their order; `errors.TargetFailed` where one is not as long
    any more as it was when the population was made from it. ``spent_ns`` counts since the last
    `open`.
    """

    def __init__(self, phase: Phase, calls: Calls) -> None:
        self.spent_ns = 0
        self._source, self._calls, self._fd, self._size = phase.source, calls, -1, 0
        self._root = calls.open(os.fsencode(phase.source), os.O_RDONLY | os.O_DIRECTORY)
        self._files = source_files(phase.source, phase.population.files)
        self._path = b""
        self._is_real = False

    def open(self, index: int, size: int) -> None:
        """Begin with a file that has ``size`` bytes."""
        begin = self._calls.clock()
        if index >= len(self._files) or self._files[index].size != size:
            raise self._changed()
        self._path, self._size = self._files[index].path, size
        try:
            self._fd = self._calls.open(self._path, _FLAGS, dir_fd=self._root)
        except OSError as error:
            raise self._failed(error) from error
        status = self._calls.fstat(self._fd)
        self._is_real = isinstance(status, os.stat_result)
        if self._is_real and status.st_size != size:
            raise self._changed()
        self.spent_ns = self._calls.clock() - begin

    def read(self, into: memoryview) -> None:
        """Fill all of ``into`` with what comes next."""
        begin = self._calls.clock()
        done = 0
        while done < len(into):
            try:
                came = self._calls.readv(self._fd, [into[done:]])
            except OSError as error:
                raise self._failed(error) from error
            if came == 0 and self._is_real:
                raise self._changed()
            if came == 0:
                break
            done += came
        self.spent_ns += self._calls.clock() - begin

    def close(self) -> None:
        """Be done with the file."""
        begin = self._calls.clock()
        self._calls.close(self._fd)
        self.spent_ns += self._calls.clock() - begin

    def _where(self) -> str:
        return f"source {self._source}/{os.fsdecode(self._path).removeprefix('./')}"

    def _failed(self, error: OSError) -> TargetFailed:
        message = f"{self._where()} can't be read: {(error.strerror or '?').lower()}"
        return TargetFailed(message, code="source_failed")

    def _changed(self) -> TargetFailed:
        message = f"source {self._source} has changed since the run was planned; run again"
        return TargetFailed(message, code="source_changed")
