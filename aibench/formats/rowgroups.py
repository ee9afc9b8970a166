"""What pyarrow writes as a Parquet file of images, and where the columns of its row groups are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from aibench.errors import Refused
from aibench.formats.template import SparseFile, Template, cut, zeros

#: Rows of a group, as Hugging Face's datasets has them where there are images, and their bytes.
_ROWS, _GROUP_BYTES = 100, 10**8
_CLASSES = 1000
COLUMNS = "id", "image", "label"
#: Ranges that are not further apart are read as one, up to that size (``CacheOptions``).
_HOLE, _RANGE = 8192, 32 * 2**20

#: (first byte, length).
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """Of a file: for each row group its rows and where its columns are, and the footer's length."""

    template: Template
    rows: tuple[int, ...]
    columns: tuple[tuple[Range, ...], ...]
    footer: int


def rows_of_group(length: int) -> int:
    """How many rows with images of ``length`` bytes a row group has."""
    return max(1, min(_ROWS, _GROUP_BYTES // length))


def binary(pa: Any, rows: int, length: int) -> Any:
    """An Arrow array of ``rows`` values of ``length`` zeros."""
    ends = np.arange(rows + 1, dtype=np.int32) * length
    data = pa.py_buffer(zeros(rows * length))
    return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(ends), data])


def _write(path: Path, samples: int, length: int) -> None:
    pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    sink, each = SparseFile(path), rows_of_group(length)
    schema = pa.schema([("id", pa.int64()), ("image", pa.binary()), ("label", pa.int64())])
    options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, **options) as writer:
        for start in range(0, samples, each):
            ids = np.arange(start, min(start + each, samples))
            columns = [ids, binary(pa, len(ids), length), ids % _CLASSES]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=each)
    sink.close()


@lru_cache(maxsize=8)
def layout_of(samples: int, length: int) -> Layout:
    """How a file of so many samples of that length looks. `errors.Refused` where unknown."""
    pq = import_module("pyarrow.parquet")
    with TemporaryDirectory(prefix="aibench-") as directory:
        path = Path(directory) / "template"
        _write(path, samples, length)
        with pq.ParquetFile(path) as file:
            found = file.metadata
            groups = [found.row_group(number) for number in range(found.num_row_groups)]
            columns = tuple(
                tuple(
                    (group.column(n).data_page_offset, group.column(n).total_compressed_size)
                    for n in range(len(COLUMNS))
                )
                for group in groups
            )
            rows, footer = tuple(group.num_rows for group in groups), found.serialized_size
        offsets = list(_offsets(rows, columns, length))
        template = cut(path, offsets, length)
    before = length.to_bytes(4, "little")
    if not all(literal.endswith(before) for literal in template.literals[:-1]):
        raise Refused("this version of pyarrow lays Parquet files out in a way not known here")
    return Layout(template, rows, columns, footer)


def _offsets(rows: Sequence[int], columns: Sequence[Sequence[Range]], length: int) -> Iterator[int]:
    """Where values begin: a group's lie at the end of its one page, each after its length."""
    for count, group in zip(rows, columns, strict=True):
        end = sum(group[COLUMNS.index("image")])
        yield from range(end - count * (4 + length) + 4, end, 4 + length)


def coalesced(ranges: Sequence[Range]) -> list[Range]:
    """Ranges in their order, those near each other as one (``CoalesceReadRanges``)."""
    found: list[Range] = []
    for start, length in ranges:
        if found:
            first, before = found[-1]
            end = start + length
            if start - first - before <= _HOLE and end - first <= _RANGE:
                found[-1] = first, end - first
                continue
        found.append((start, length))
    return found
