"""How `torch.load` reads an archive: the directory from the end, then record by record.

As of torch 2.13, call by call through Python's buffer; of each record the header is read first.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import accumulate

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access
from aibench.formats.python import PythonFile
from aibench.formats.readers import name_of
from aibench.formats.slicing import Pages, by_file, runs, touched
from aibench.formats.torchzip import ENDING, Archive, Record
from aibench.model import Population, Slice

#: Where an archive ends is looked for in so many bytes at a time.
_TAIL = 4096
_HEADER = 30
_MAGIC, _SIGNATURE = 4, 8
_END, _LOCATOR = 22, 20

#: Finds the archive in a file by its number.
Find = Callable[[Population, int], Archive]
#: Reads so many bytes from a place.
ReadAt = Callable[[int, int], int]


def read_directory(read_at: ReadAt, archive: Archive) -> None:
    """What is read of any archive before its pickle."""
    size = archive.size
    read_at(0, _SIGNATURE)
    read_at(max(size - _TAIL, 0), min(_TAIL, size))
    read_at(size - _END, _END)
    read_at(size - _END - _LOCATOR, _LOCATOR)
    read_at(size - ENDING, ENDING - _END - _LOCATOR)
    read_at(archive.directory, size - ENDING - archive.directory)
    read_record(read_at, archive.records[-1])
    read_record(read_at, archive.records[-2])


def read_pickle(read_at: ReadAt, archive: Archive) -> None:
    """What is read next: how the archive was written, and the pickle."""
    pickle, version, alignment, order = archive.records[:4]
    for record in (version, order, alignment, pickle):
        read_record(read_at, record)


def read_record(read_at: ReadAt, record: Record) -> None:
    """The header of a record, and its bytes."""
    read_at(record.header, _HEADER)
    read_at(record.data, record.size)


def begin(file: PythonFile, start: int = 0, end: int | None = None) -> None:
    """Look whether a file, or the part of it between two places, is an archive, and how large."""
    file.tell()
    file.read(_MAGIC)
    file.seek(start)
    file.tell()
    file.tell()
    if end is None:
        file.seek(0, os.SEEK_END)
    else:
        file.seek(end)
    file.tell()
    file.seek(start)


class TorchReader:
    """Reads the shards in files of their own; yields the bytes of each.

    What comes twice, the second time from the page cache, is counted once.
    """

    def __init__(self, access: Access, find: Find, *, mapped: bool) -> None:
        self.file = 0
        self._access, self._find, self._mapped = access, find, mapped
        self._python = PythonFile(access)
        self._known: dict[int, Archive] = {}

    def expect(self, files: range) -> None:
        """Work out beforehand where everything is in these files."""
        for file in files:
            self._known[file] = self._find(self._access.population, file)

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers."""
        for files in chunks:
            for self.file in files.tolist():
                yield self._read(self.file)

    def _read(self, number: int) -> int:
        archive, mapping = self._open(number)
        self._python.close()
        for record in archive.tensors if self._mapped else ():
            self._access.calls.touch(mapping, record.data, record.size)
        self._close(mapping)
        return archive.size

    def _open(self, number: int) -> tuple[Archive, object]:
        """Read all of an archive, or map it and read the headers."""
        population, python = self._access.population, self._python
        archive = self._known.get(number) or self._find(population, number)
        name = name_of(population, number)

        def read_at(offset: int, count: int) -> int:
            python.seek(offset)
            return python.readinto(count)

        python.open(name)
        begin(python)
        read_directory(read_at, archive)
        mapping = map_whole(self._access, name, archive.size) if self._mapped else None
        read_pickle(read_at, archive)
        for record in archive.tensors:
            if self._mapped:
                read_at(record.header, _HEADER)
            else:
                read_record(read_at, record)
        return archive, mapping

    def _close(self, mapping: object) -> None:
        if self._mapped:
            self._access.calls.unmap(mapping)


class MappedTorchReader(TorchReader):
    """The same with a mapping, of which a part of each tensor may be used."""

    def slices(self, needed: Sequence[Slice]) -> Generator[int]:
        """Yields of each file the bytes that were read, and those of the pages that were used."""
        population, touch = self._access.population, self._access.calls.touch
        for self.file, parts in by_file(needed):
            archive, mapping = self._open(self.file)
            self._python.close()
            used, at = Pages(), list(accumulate(r.size for r in archive.tensors))
            for run in (run for part in parts for run in runs(population, part)):
                record = archive.tensors[run.tensor]
                for offset, length in touched(run, record.data - at[run.tensor] + record.size):
                    touch(mapping, offset, length)
                    used.add(offset, length)
            self._close(mapping)
            yield self._python.asked + used.bytes


def map_whole(access: Access, name: bytes, size: int, *, looked: bool = True) -> object:
    """A file mapped as torch maps storages, with the advice that it gives.

    ``looked``: by a caller that asks for its size by name first.
    """
    calls = access.calls
    if looked:
        calls.stat(name, dir_fd=access.root)
    fd = calls.open(name, os.O_RDONLY, dir_fd=access.root)
    calls.fstat(fd)
    mapping: object = calls.map(fd, size, False)
    calls.fadvise(fd, 0, size, os.POSIX_FADV_SEQUENTIAL)
    calls.close(fd)
    return mapping


def read_torch(access: Access, find: Find) -> TorchReader:
    """``torch.load(path)``."""
    return TorchReader(access, find, mapped=False)


def read_torch_mmap(access: Access, find: Find) -> MappedTorchReader:
    """``torch.load(path, mmap=True)``, after which every page is used once."""
    return MappedTorchReader(access, find, mapped=True)
