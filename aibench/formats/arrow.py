"""Arrow streams of images with their classes, as Hugging Face's datasets keeps them on disk.

The library maps a file and takes single rows out of the mapping, so that pages come by faults; or
it reads a file into memory, one batch of rows after the other.
"""

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from errno import EIO
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Format, Reading
from aibench.formats.readers import StreamReader, name_of
from aibench.formats.rowgroups import binary, rows_of_group
from aibench.formats.template import Kept, SparseFile, Template, cut, functions_of, refusal

_CLASSES = 1000
#: Before the header of a batch: a mark and its length.
_PREFIX = 4, 4
_OFFSET = 4


@dataclass(frozen=True, slots=True)
class _Layout:
    """Of a file: its messages as (header, body) in bytes, the first one without rows.

    ``batches`` has the first byte of each batch's lengths and of its payloads; ``each`` rows are
    in one.
    """

    template: Template
    each: int
    messages: tuple[tuple[int, int], ...]
    batches: tuple[tuple[int, int], ...]


def _write(path: Path, samples: int, length: int) -> None:
    pa, sink, each = import_module("pyarrow"), SparseFile(path), rows_of_group(length)
    schema = pa.schema([("image", pa.binary()), ("label", pa.int64())])
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        for start in range(0, samples, each):
            labels = np.arange(start, min(start + each, samples)) % _CLASSES
            columns = [binary(pa, len(labels), length), pa.array(labels)]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    sink.close()


def _batches(pa: Any, path: Path) -> Iterator[tuple[int, int]]:
    with pa.memory_map(str(path)) as mapped:
        base = mapped.read_buffer().address
        mapped.seek(0)
        for batch in pa.ipc.open_stream(mapped):
            _, ends, data = batch.column(0).buffers()
            yield ends.address - base, data.address - base


def _messages(pa: Any, path: Path) -> Iterator[tuple[int, int]]:
    with pa.OSFile(str(path)) as file:
        for message in pa.ipc.MessageReader.open_stream(file):
            yield message.metadata.size, message.body.size if message.body else 0


@lru_cache(maxsize=8)
def _layout(samples: int, length: int) -> _Layout:
    """How a file of so many samples of that length looks."""
    pa, each = import_module("pyarrow"), rows_of_group(length)
    with TemporaryDirectory(prefix="aibench-") as directory:
        path = Path(directory) / "template"
        _write(path, samples, length)
        batches, messages = tuple(_batches(pa, path)), tuple(_messages(pa, path))
        offsets = [batches[n // each][1] + n % each * length for n in range(samples)]
        return _Layout(cut(path, offsets, length), each, messages, batches)


def _layout_of(access: Access) -> _Layout:
    return _layout(access.population.samples_per_file, access.population.sizes.mean)


def _open(access: Access, number: int) -> int:
    name = name_of(access.population, number)
    for _ in range(2):
        access.calls.stat(name, dir_fd=access.root)
    fd: int = access.calls.open(name, os.O_RDONLY, dir_fd=access.root)
    for _ in range(2):
        access.calls.fstat(fd)
    return fd


class _RowReader:
    """Reads single rows out of mapped files: no call once a file is mapped."""

    def __init__(self, access: Access) -> None:
        self.file = 0
        self._access, self._calls = access, access.calls
        self._layout = _layout_of(access)

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the rows of these numbers; yields the bytes of each."""
        each, files = self._access.population.samples_per_file, Kept(self._map, self._calls.unmap)
        try:
            for rows in chunks:
                for number in rows.tolist():
                    self.file, place = divmod(number, each)
                    yield self._touch(files[self.file], place)
        finally:
            files.close()

    def _map(self, number: int) -> Any:
        """A file, mapped, with the headers of its batches there: those are read when it opens."""
        fd = _open(self._access, number)
        try:
            mapped = self._calls.map(fd, self._layout.template.size, False)
        finally:
            self._calls.close(fd)
        at = 0
        for header, body in self._layout.messages:
            self._calls.touch(mapped, at, sum(_PREFIX) + header)
            at += sum(_PREFIX) + header + body
        return mapped

    def _touch(self, mapped: Any, place: int) -> int:
        template = self._layout.template
        batch, row = divmod(place, self._layout.each)
        self._calls.touch(mapped, self._layout.batches[batch][0] + row * _OFFSET, 2 * _OFFSET)
        self._calls.touch(mapped, template.offsets[place], template.length)
        return template.length


def read_memory(access: Access) -> StreamReader:
    """``pyarrow.ipc.open_stream(file).read_all()``, which ``keep_in_memory=True`` comes to."""
    layout, calls = _layout_of(access), access.calls

    def read(number: int) -> Iterator[int]:
        fd, asked = _open(access, number), 0

        def take(*counts: int) -> int:
            for count in counts:
                if calls.readv(fd, [access.view(count)]) != count:
                    raise OSError(EIO, "the file is shorter than it was when it was written")
            return sum(counts)

        try:
            left = access.population.samples_per_file
            for header, body in layout.messages:
                asked += take(*_PREFIX, header)
                if not body:
                    continue
                yield asked + take(body)
                rows, asked = min(layout.each, left), 0
                left -= rows
                yield from (0,) * (rows - 1)
            take(*_PREFIX)
        finally:
            calls.close(fd)

    return StreamReader(read)


_file_sizes, _parts = functions_of(lambda samples, length: _layout(samples, length).template)

FORMAT = Format(
    name="arrow",
    summary="Arrow streams of images with their classes, in batches of up to 100 rows",
    file_sizes=_file_sizes,
    parts=_parts,
    refusal=partial(refusal, package="pyarrow"),
    library="pyarrow",
    readers={
        "hf": Reading(make=_RowReader, summary="datasets: random rows out of a mapped file"),
        "memory": Reading(
            make=read_memory, streams=True, summary="datasets with keep_in_memory=True"
        ),
    },
)
