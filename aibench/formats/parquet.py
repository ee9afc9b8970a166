"""Parquet files of images with a number and a class each, as pyarrow writes and reads them.

Nothing is compressed. What pyarrow reads on threads of its own, several ranges at once where there
are several, is read here one range after the other, in the same calls.
"""

import os
from collections.abc import Iterator, Sequence
from functools import partial

from aibench.formats.format import Access, Format, Reading
from aibench.formats.readers import StreamReader, name_of
from aibench.formats.rowgroups import COLUMNS, Range, coalesced, layout_of
from aibench.formats.template import functions_of, read_at, refusal

#: What pyarrow reads first, from the end, and what the file ends with: a length and a magic.
_TAIL, _END = 64 * 1024, 8


class _File:
    """An open file, and what of it was asked for since the last time anyone wanted to know."""

    def __init__(self, access: Access, number: int) -> None:
        self._access, self._calls = access, access.calls
        self.layout = layout_of(access.population.samples_per_file, access.population.sizes.mean)
        self._name = name_of(access.population, number)
        self._tail = self.layout.template.size
        self._asked = 0
        self.stat()
        self.fd = self.open()

    def stat(self) -> None:
        """Ask what the name stands for."""
        self._calls.stat(self._name, dir_fd=self._access.root)

    def open(self) -> int:
        """Open it, once more or for the first time."""
        self.fd = self._calls.open(self._name, os.O_RDONLY, dir_fd=self._access.root)
        for _ in range(2):
            self._calls.fstat(self.fd)
        return self.fd

    def close(self) -> None:
        """Close it."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            self._calls.close(fd)

    def read_footer(self) -> None:
        """The end of the file, and the footer once more if it is longer."""
        size, footer = self.layout.template.size, self.layout.footer
        tail = size - min(size, _TAIL)
        self._read((tail, size - tail))
        if footer + _END > size - tail:
            self._read((size - _END - footer, footer))
            tail = size - _END - footer
        self._tail, self._asked = tail, size - tail

    def read(self, ranges: Sequence[Range]) -> None:
        """All of ``ranges``, announced before."""
        together = coalesced(ranges)
        for start, length in together:
            self._calls.fadvise(self.fd, start, length, os.POSIX_FADV_WILLNEED)
        for part in together:
            self._read(part)
            self.count(part)

    def count(self, part: Range) -> None:
        """Note that ``part`` was asked for; what came with the footer came already."""
        start, length = part
        self._asked += max(min(start + length, self._tail) - start, 0)

    def asked(self) -> int:
        """The bytes asked for since the last time."""
        asked, self._asked = self._asked, 0
        return asked

    def _read(self, part: Range) -> None:
        read_at(self._access, self.fd, *part)


def _rows(file: _File, rows: int) -> Iterator[int]:
    """All bytes with the first row, none with the others."""
    yield file.asked()
    for _ in range(rows - 1):
        yield 0


def read_groups(access: Access, columns: Sequence[str] = COLUMNS) -> StreamReader:
    """``ParquetFile(path).read_row_group(number, columns)`` of all groups in their order."""
    wanted = [COLUMNS.index(name) for name in columns]

    def read(number: int) -> Iterator[int]:
        file = _File(access, number)
        try:
            file.read_footer()
            for rows, group in zip(file.layout.rows, file.layout.columns, strict=True):
                file.read([group[column] for column in wanted])
                yield from _rows(file, rows)
        finally:
            file.close()

    return StreamReader(read)


def read_whole(access: Access, *, twice: bool) -> StreamReader:
    """``ParquetFile(path).iter_batches()``, or ``read_table(path)``, which opens files twice."""

    def read(number: int) -> Iterator[int]:
        file = _File(access, number)
        try:
            if twice:
                file.stat()
            file.read_footer()
            if twice:
                file.close()
                file.open()
            file.read([part for group in file.layout.columns for part in group])
            yield from _rows(file, sum(file.layout.rows))
        finally:
            file.close()

    return StreamReader(read)


def read_mapped(access: Access) -> StreamReader:
    """``ParquetFile(path, memory_map=True)``, group after group: no call but the mapping."""
    calls = access.calls

    def read(number: int) -> Iterator[int]:
        file = _File(access, number)
        size, footer = file.layout.template.size, file.layout.footer
        mapped = calls.map(file.fd, size, False)
        try:
            calls.touch(mapped, size - _END - footer, footer + _END)
            file.count((size - _END - footer, footer + _END))
            for rows, group in zip(file.layout.rows, file.layout.columns, strict=True):
                for part in coalesced(group):
                    calls.touch(mapped, *part)
                    file.count(part)
                yield from _rows(file, rows)
        finally:
            calls.unmap(mapped)
            file.close()

    return StreamReader(read)


_file_sizes, _parts = functions_of(lambda samples, length: layout_of(samples, length).template)

FORMAT = Format(
    name="parquet",
    summary="Parquet files of images with numbers and classes, in row groups of up to 100",
    file_sizes=_file_sizes,
    parts=_parts,
    refusal=partial(refusal, package="pyarrow"),
    library="pyarrow",
    readers={
        name: Reading(make=make, streams=True, summary=summary)
        for name, make, summary in (
            ("pyarrow", read_groups, "ParquetFile(path): row group after row group"),
            (
                "columns",
                partial(read_groups, columns=("id", "label")),
                "the same without images: a few bytes here and there",
            ),
            ("iter", partial(read_whole, twice=False), "ParquetFile(path).iter_batches()"),
            ("table", partial(read_whole, twice=True), "pyarrow.parquet.read_table(path)"),
            ("mmap", read_mapped, "ParquetFile(path, memory_map=True)"),
        )
    },
)
