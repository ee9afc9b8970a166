"""Where the bytes are that a rank needs of a shard, when others saved it than load it."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Protocol, runtime_checkable

import numpy as np

from aibench.formats.draws import Sizes64
from aibench.formats.format import samples_in
from aibench.formats.tensors import cut
from aibench.model import Population, Slice

_PAGE = 4096
#: The product of two numbers below it is held by 64 bits.
_WIDE = 2**31


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes of one tensor: ``count`` pieces of ``length``, each ``stride`` after the one before.

    They count from the first byte of the tensors of the shard.
    """

    tensor: int
    start: int
    length: int
    stride: int = 0
    count: int = 1

    @property
    def bytes(self) -> int:
        """How many they are."""
        return self.length * self.count


@runtime_checkable
class Slicing(Protocol):
    """A reader that can read parts of files; who can't reads all of each."""

    file: int

    def slices(self, needed: Sequence[Slice]) -> Generator[int]:
        """Read these, which are in the order of their files.

        Yields after each file the bytes that were asked of the storage for it.
        """


def by_file(needed: Sequence[Slice]) -> Iterator[tuple[int, list[Slice]]]:
    """What is needed of each file."""
    for file, group in groupby(needed, key=lambda part: part.file):
        yield file, list(group)


def rows(population: Population, size: int, number: int) -> int:
    """The bytes of a row of a tensor of ``size`` bytes that is split by columns; 0 by rows."""
    if not population.columns:
        return 0
    row = population.columns[number % len(population.columns)]
    return row if row and size % row == 0 else 0


def runs(population: Population, part: Slice) -> Iterator[Run]:
    """What ``part`` is of each tensor of its file.

    Parts of all ranks together are everything, and nothing twice, in the whole bytes of a row: a
    row that a slice ends in is of the one in which it begins.
    """
    (shard,) = samples_in(population, part.file)
    at = 0
    for number, size in enumerate(cut(shard.length, population.tensors)):
        begin, end = max(part.begin - at, 0), min(part.end - at, size)
        if begin < end:
            run = _of_tensor(part, number, at, size, rows(population, size, number), (begin, end))
            if run.bytes > 0:
                yield run
        at += size
        if at >= part.end:
            return


def _of_tensor(
    part: Slice, number: int, at: int, size: int, row: int, within: tuple[int, int]
) -> Run:
    begin, end = within
    if not row:
        begin = max(begin, size * part.first // part.parts)
        end = min(end, size * part.last // part.parts)
        return Run(number, at + begin, max(end - begin, 0))
    low, high = row * part.first // part.parts, row * part.last // part.parts
    first, last = -(-begin // row), -(-end // row)
    if high - low == row:
        return Run(number, at + first * row, (last - first) * row)
    return Run(number, at + first * row + low, high - low, row, last - first)


def needed_bytes(population: Population, part: Slice) -> int:
    """The size of ``part``: of all its `runs`, reckoned for all tensors at once."""
    (shard,) = samples_in(population, part.file)
    starts, sizes, widths = _tensors(shard.length, population.tensors, population.columns)
    within = slice(
        max(int(np.searchsorted(starts, part.begin, side="right")) - 1, 0),
        int(np.searchsorted(starts, part.end)),
    )
    at, size, row = starts[within], sizes[within], widths[within]
    begin, end = np.maximum(part.begin - at, 0), np.minimum(part.end - at, size)
    first, last = (
        _share(np.where(row, row, size), edge, part.parts) for edge in (part.first, part.last)
    )
    by_rows = np.minimum(end, last) - np.maximum(begin, first)
    width = np.maximum(row, 1)
    by_columns = (-(-end // width) + -begin // width) * (last - first)
    return int(np.maximum(np.where(row, by_columns, by_rows), 0).sum())


@lru_cache(maxsize=64)
def _tensors(size: int, pattern: tuple[int, ...], columns: tuple[int, ...]) -> tuple[Sizes64, ...]:
    """Where the tensors of a shard begin, their sizes, and those of their `rows`."""
    sizes = np.array(cut(size, pattern), dtype=np.int64)
    split = np.array(columns or (0,), dtype=np.int64)
    found = split[np.arange(len(sizes)) % len(split)]
    found[sizes % np.maximum(found, 1) != 0] = 0
    return np.cumsum(sizes) - sizes, sizes, found


def _share(sizes: Sizes64, part: int, parts: int) -> Sizes64:
    """``sizes * part // parts``, whose product may be more than 64 bits hold."""
    if parts < _WIDE:
        return sizes // parts * part + sizes % parts * part // parts
    return np.array([size * part // parts for size in sizes.tolist()], dtype=np.int64)


def touched(run: Run, base: int) -> Iterator[tuple[int, int]]:
    """(offset, length) of what a program uses of a mapping, from page to page.

    Where pieces are so near that no page between them is left out, they are one.
    """
    start = base + run.start
    if run.count > 1 and run.stride - run.length >= _PAGE:
        for piece in range(run.count):
            yield start + piece * run.stride, run.length
    else:
        yield start, (run.count - 1) * run.stride + run.length


class Pages:
    """Counts what has to be there of a mapping: whole pages, each once where they are in order."""

    def __init__(self) -> None:
        self.bytes = 0
        self._end = 0

    def add(self, offset: int, length: int) -> None:
        """These bytes are used."""
        first, end = max(offset // _PAGE, self._end), -(-(offset + length) // _PAGE)
        if end > first:
            self.bytes += (end - first) * _PAGE
            self._end = end
