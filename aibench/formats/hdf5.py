"""HDF5 files of samples of bytes, one row of a data set each, as h5py writes and reads them.

The rows lie one after the other, or each in a chunk of its own, found by a tree of nodes. (Calls:
h5py 3.16 with HDF5 2.0, traced.) Of what the library keeps, a reader here keeps the nodes of the
tree and the buffer for small rows; chunks that are read again soon come from the library's cache
there and from the page cache here.
"""

import os
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fcntl import LOCK_NB, LOCK_SH
from functools import lru_cache, partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from aibench.errors import Refused
from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Format, Reading
from aibench.formats.readers import name_of
from aibench.formats.template import Kept, Template, cut, functions_of, read_at, refusal

_DATA = "records"
#: The reads that open a file, and after a look at its name its data set: length, first byte, and
#: what is there. Superblock, header of the root group; its heap, tree and names, the data set.
_MARKS = (
    (8, 0, b"\x89HDF"), (48, 0, b""), (48, 48, b""), (512, 96, b"\x01"),
    (512, 680, b"HEAP"), (544, 136, b"TREE"), (328, 1072, b"SNOD"), (512, 800, b"\x01"),
)  # fmt: skip
_BEFORE_STAT = 4
#: Rows up to that size are read through a buffer of it (``H5Pset_sieve_buf_size``).
_SIEVE = 64 * 1024
#: The root of the tree of chunks, and its nodes: a mark, type, level, entries and neighbours; then
#: keys and children in turn. A key has the size of its chunk, a mask, and three offsets.
_ROOT, _NODE, _ADDRESS = 1400, struct.Struct("<4sBBHQQ"), struct.Struct("<Q")
_KEY = 4 + 4 + 3 * 8
_ENTRY, _ENTRIES = _KEY + _ADDRESS.size, 64
_NODE_SIZE = _NODE.size + _ENTRIES * _ENTRY + _KEY


@dataclass(frozen=True, slots=True)
class _Layout:
    """``nodes`` are those on the way to each sample, from the root; none where rows follow."""

    template: Template
    nodes: tuple[tuple[int, ...], ...] = ()


def _write(path: Path, samples: int, length: int, *, chunked: bool) -> None:
    """A byte of each chunk is enough to have all of them there: nothing is cached or filled."""
    with import_module("h5py").File(path, "w", rdcc_nbytes=0) as file:
        shape, chunks = (samples, length), (1, length) if chunked else None
        data = file.create_dataset(_DATA, shape, "u1", chunks=chunks, fill_time="never")
        for row in range(samples) if chunked else ():
            data[row, :1] = 0
        data[-1, -1:] = 0


@lru_cache(maxsize=8)
def _layout(samples: int, length: int, *, chunked: bool) -> _Layout:
    """How a file of so many samples of that length looks. `errors.Refused` where unknown."""
    with TemporaryDirectory(prefix="aibench-") as directory:
        path = Path(directory) / "template"
        _write(path, samples, length, chunked=chunked)
        with path.open("rb") as file:
            for _, offset, mark in _MARKS:
                file.seek(offset)
                if not file.read(4).startswith(mark):
                    raise Refused("this version of h5py lays files out in a way not known here")
            if not chunked:
                offsets = range(_first(path), _first(path) + samples * length, length)
                return _Layout(cut(path, offsets, length))
            nodes, places = zip(*islice(_chunks(file, (_ROOT,)), samples), strict=True)
        return _Layout(cut(path, places, length), nodes)


def _first(path: Path) -> int:
    """Where rows that follow each other begin."""
    with import_module("h5py").File(path) as file:
        return int(file[_DATA].id.get_offset())


def _chunks(file: BinaryIO, way: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], int]]:
    """The nodes on the way to each chunk, and where it is, in the order of rows.

    ``way`` has the nodes from the root, which stays where it was first, to where the walk begins.
    """
    file.seek(way[-1])
    node = file.read(_NODE_SIZE)
    _, _, level, entries, _, _ = _NODE.unpack_from(node)
    for number in range(entries):
        (child,) = _ADDRESS.unpack_from(node, _NODE.size + number * _ENTRY + _KEY)
        if level:
            yield from _chunks(file, (*way, child))
        else:
            yield way, child


class _File:
    """An open file with an open data set, and what of it is at hand."""

    def __init__(self, access: Access, layout: _Layout, number: int) -> None:
        self._access, self._calls, self._layout = access, access.calls, layout
        self._seen: set[int] = set()
        self._held = range(0)
        self._headers = 0
        name = name_of(access.population, number)
        self._fd = self._calls.open(name, os.O_RDONLY, dir_fd=access.root)
        try:
            self._look_around(name)
        except OSError:
            self.close()
            raise

    def _look_around(self, name: bytes) -> None:
        self._calls.fstat(self._fd)
        self._calls.flock(self._fd, LOCK_SH | LOCK_NB)
        for length, offset, _ in _MARKS[:_BEFORE_STAT]:
            self._look(length, offset)
        self._calls.stat(name, dir_fd=self._access.root, follow_symlinks=False)
        for length, offset, _ in _MARKS[_BEFORE_STAT:]:
            self._look(length, offset)

    def read(self, row: int) -> int:
        """``data[row]``; gives its bytes, and those of headers and nodes since the row before.

        What the buffer brings beyond the row is not counted: it may come again and again.
        """
        template = self._layout.template
        if self._layout.nodes:
            for node in self._layout.nodes[row]:
                if node not in self._seen:
                    self._seen.add(node)
                    self._look(_NODE_SIZE, node)
            read_at(self._access, self._fd, template.offsets[row], template.length)
        else:
            self._read_near(template.offsets[row], template.length)
        headers, self._headers = self._headers, 0
        return template.length + headers

    def close(self) -> None:
        """Close it; the lock ends with it."""
        self._calls.close(self._fd)

    def _read_near(self, offset: int, length: int) -> None:
        """A small row from the buffer, which begins with the first row that is not in it."""
        if length > _SIEVE:
            read_at(self._access, self._fd, offset, length)
        elif offset not in self._held or offset + length > self._held.stop:
            end = self._layout.template.offsets[-1] + length
            self._held = range(offset, min(offset + _SIEVE, end))
            read_at(self._access, self._fd, offset, len(self._held))

    def _look(self, length: int, offset: int) -> None:
        self._headers += length
        read_at(self._access, self._fd, offset, length)


class _Reader:
    """Reads single samples out of files that stay open, or are opened for each of them."""

    def __init__(self, access: Access, *, chunked: bool, each: bool) -> None:
        self.file = 0
        population = access.population
        samples, length = population.samples_per_file, population.sizes.mean
        layout = _layout(samples, length, chunked=chunked)
        self._samples, self._length, self._each = samples, length, each or samples == 1
        self._open = partial(_File, access, layout)

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the samples of these numbers; yields the bytes of each.

        Headers count when a file is opened first; later they come from the page cache.
        """
        kept, known = Kept(self._open, _File.close), set[int]()
        try:
            for numbers in chunks:
                for number in numbers.tolist():
                    self.file, row = divmod(number, self._samples)
                    count = kept[self.file].read(row)
                    if self._each:
                        kept.close()
                    yield self._length if self.file in known else count
                    if self._each and self._samples > 1:
                        known.add(self.file)
        finally:
            kept.close()


def _format(name: str, summary: str, *, chunked: bool) -> Format:
    layout, reader = partial(_layout, chunked=chunked), partial(_Reader, chunked=chunked)
    file_sizes, parts = functions_of(lambda samples, length: layout(samples, length).template)
    return Format(
        name=name,
        summary=summary,
        file_sizes=file_sizes,
        parts=parts,
        refusal=partial(refusal, package="h5py"),
        library="h5py",
        readers={
            "h5py": Reading(
                make=partial(reader, each=False),
                summary="h5py.File(path)[name][row] of files that stay open, if of many samples",
            ),
            "h5py-each": Reading(
                make=partial(reader, each=True), summary="the same, opened for each sample"
            ),
        },
    )


FORMAT = _format("hdf5", "HDF5 files, one sample a row, row after row", chunked=False)
CHUNKED = _format("hdf5-chunked", "HDF5 files, one sample a row in its own chunk", chunked=True)
