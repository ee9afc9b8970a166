"""What readers of files have in common, one sample a file or many."""

import os
from collections.abc import Callable, Generator, Iterator

from aibench.formats.draws import Sizes64
from aibench.formats.files import path_of, paths_of, sizes_of
from aibench.formats.format import Access, Reading
from aibench.formats.python import PythonFile
from aibench.model import Population

_FLAGS = os.O_RDONLY | os.O_CLOEXEC

#: Reads one file of that name and size, which holds one sample; gives the bytes asked for.
ReadFile = Callable[[bytes, int], int]
#: Reads one file from end to end; gives after each sample the bytes that were asked for it.
ReadStream = Callable[[int], Iterator[int]]


def name_of(population: Population, file: int) -> bytes:
    """The name of a file as system calls want it."""
    return path_of(population, file).encode()


class FileReader:
    """Reads samples that lie in files of their own, each in the way of ``read``."""

    def __init__(self, access: Access, read: ReadFile) -> None:
        self.file = 0
        self._population = access.population
        self._read = read

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers; yields the bytes of each."""
        population, read = self._population, self._read
        for indices in chunks:
            names = paths_of(population, indices)
            sizes = sizes_of(population, indices).tolist()
            for index, name, size in zip(indices.tolist(), names, sizes, strict=True):
                self.file = index
                yield read(name, size)


class StreamReader:
    """Reads whole files of many samples, one after the other, in the way of ``read``."""

    def __init__(self, read: ReadStream) -> None:
        self.file = 0
        self._read = read

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers; yields the bytes of each sample in them."""
        for files in chunks:
            for number in files.tolist():
                self.file = number
                yield from self._read(number)


def read_whole(access: Access, *, looks: bool) -> ReadFile:
    """Open, where it ``looks`` fstat, read to the end, close."""
    calls = access.calls

    def read(name: bytes, size: int) -> int:
        fd = calls.open(name, _FLAGS, dir_fd=access.root)
        if looks:
            calls.fstat(fd)
        done = 0
        while done < size and (came := calls.readv(fd, [access.view(access.io_size)])):
            done += came
        calls.close(fd)
        return done

    return read


def _read_lean(access: Access) -> FileReader:
    """Open, read, close, as storage benchmarks do."""
    return FileReader(access, read_whole(access, looks=False))


def _read_stat(access: Access) -> FileReader:
    """Open, fstat, read, close, as a data loader does at least."""
    return FileReader(access, read_whole(access, looks=True))


def read_python(access: Access) -> FileReader:
    """``open(path, "rb").read()``: a read of the size and a byte more, then one at the end."""
    file = PythonFile(access)

    def read(name: bytes, size: int) -> int:
        file.open(name)
        file.read_all(size)
        file.close()
        return file.asked

    return FileReader(access, read)


#: Readers of one sample a file, for whatever it holds.
FILE_READERS = {
    "stat": Reading(make=_read_stat, summary="open, fstat, read, close: a loader at its least"),
    "lean": Reading(make=_read_lean, summary="open, read, close: as storage benchmarks do"),
    "python": Reading(make=read_python, summary="open(path, 'rb').read()"),
}
