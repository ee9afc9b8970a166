"""Reads windows of tokens as `IndexedDataset` of megatron-core does (0.16.1: traced).

The data come out of a mapping of the file, or the file is opened for each piece; the index is
mapped in both cases. What Megatron's GPTDataset keeps of the order of samples in files of its own
is computed here, not read.
"""

import os
from collections.abc import Callable, Generator, Iterator
from typing import Any

from aibench.formats.documents import (
    HEADER,
    documents_of,
    file_size,
    index_size,
    windows_in_file,
)
from aibench.formats.draws import Sizes64
from aibench.formats.format import Access
from aibench.formats.python import PythonFile
from aibench.formats.readers import name_of

#: Reads a piece of a file: (file, offset, length) in bytes.
ReadPiece = Callable[[int, int, int], None]


class _Mapped:
    """A file as `numpy.memmap` has it; open from the outside where ``kept``."""

    def __init__(self, access: Access, name: bytes, length: int, *, kept: bool) -> None:
        self._calls, self._file = access.calls, PythonFile(access)
        self._file.open(name)
        self._file.seek(0, os.SEEK_END)
        self._file.tell()
        self._whole: Any = self._calls.map(self._file.fd, length, True)
        self._kept = kept
        if not kept:
            self._file.close()

    def touch(self, offset: int, length: int) -> None:
        """Have this part there."""
        self._calls.touch(self._whole, offset, length)

    def close(self) -> None:
        """End the mapping."""
        self._calls.unmap(self._whole)
        if self._kept:
            self._file.close()


class WindowReader:
    """Reads windows of tokens out of files that are opened when they are needed first."""

    def __init__(self, access: Access, *, mapped: bool) -> None:
        self.file = 0
        self._access, self._mapped = access, mapped
        self._documents = documents_of(access.population)
        self._in_file = windows_in_file(access.population, access.window)
        self._indices: dict[int, _Mapped] = {}
        self._data: dict[int, _Mapped] = {}

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the windows of these numbers; yields the bytes of the tokens of each."""
        window = self._access.window
        read = self._touch if self._mapped else self._read
        try:
            for windows in chunks:
                for number in windows.tolist():
                    self.file, place = divmod(number, self._in_file)
                    if self.file not in self._indices:
                        self._open(self.file)
                    yield self._pieces(place * window, window + 1, read)
        finally:
            for whole in (*self._indices.values(), *self._data.values()):
                whole.close()
            self._indices.clear()
            self._data.clear()

    def _pieces(self, first: int, count: int, read: ReadPiece) -> int:
        index, each, done = self._indices[self.file], self._documents.each, 0
        for document, offset, length in self._documents.pieces(self.file, first, count):
            index.touch(HEADER.size + 4 * each + 8 * document, 8)
            index.touch(HEADER.size + 4 * document, 4)
            read(self.file, offset, length)
            done += length
        return done

    def _open(self, number: int) -> None:
        access, population = self._access, self._access.population
        name = name_of(population, number)
        index = name + b".idx"
        for path in (index, name):
            access.calls.stat(path, dir_fd=access.root)
        if self._mapped:
            self._data[number] = _Mapped(access, name, file_size(population), kept=True)
        header = PythonFile(access)
        header.open(index)
        header.read(HEADER.size)
        header.tell()
        header.close()
        self._indices[number] = _Mapped(access, index, index_size(population), kept=False)

    def _touch(self, number: int, offset: int, length: int) -> None:
        self._data[number].touch(offset, length)

    def _read(self, number: int, offset: int, length: int) -> None:
        """``open(path, "rb", buffering=0)``, `seek`, `readinto`."""
        access, calls = self._access, self._access.calls
        fd = calls.open(name_of(access.population, number), os.O_RDONLY, dir_fd=access.root)
        try:
            calls.fstat(fd)
            calls.lseek(fd, offset, os.SEEK_SET)
            calls.readv(fd, [access.view(length)])
        finally:
            calls.close(fd)


def read_mapped(access: Access) -> WindowReader:
    """``IndexedDataset(path)``: no call at all, pages come by faults."""
    return WindowReader(access, mapped=True)


def read_pieces(access: Access) -> WindowReader:
    """``IndexedDataset(path, mmap=False)``: open, seek, read and close for each piece."""
    return WindowReader(access, mapped=False)
