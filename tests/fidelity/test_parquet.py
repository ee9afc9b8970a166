"""Parquet files: what the real library makes of them, and the calls that it makes."""

import os
from dataclasses import replace
from itertools import pairwise, takewhile
from pathlib import Path

import numpy as np
import pytest

from aibench.calls import real_calls
from aibench.formats.content import Content
from aibench.formats.format import Access
from aibench.formats.parquet import FORMAT
from tests.fidelity import rows
from tests.fidelity.recorded import recorded, sizes
from tests.fidelity.tracing import requires_strace
from tests.formats import written

pytest.importorskip("pyarrow", reason="The package pyarrow is missing.")

GROUPS = """
import sys, pyarrow.parquet as pq
options, columns = {options}, {columns}
for path in sys.argv[1:]:
    with pq.ParquetFile(path, **options) as file:
        for number in range(file.num_row_groups):
            file.read_row_group(number, columns)
"""
ITER = """
import sys, pyarrow.parquet as pq
for path in sys.argv[1:]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(100):
            pass
"""
TABLE = """
import sys, pyarrow.parquet as pq
for path in sys.argv[1:]:
    pq.read_table(path)
"""
PROGRAMS = {
    "pyarrow": GROUPS.format(options={}, columns=None),
    "columns": GROUPS.format(options={}, columns=["id", "label"]),
    "iter": ITER,
    "table": TABLE,
    "mmap": GROUPS.format(options={"memory_map": True}, columns=None),
}
#: Samples of a file and their lengths: one, a part of a group, groups; footers longer than what is
#: read first; groups of more than the 32 MiB that are read at once, several groups of less; columns
#: that are near each other.
SHAPES = [
    (1, 1), (40, 150_528), (250, 1500), (250, 70), (40_000, 10), (230, 400_000), (3, 40_000_000)
]  # fmt: skip


@pytest.mark.parametrize(("samples", "length"), [(1, 150_528), (7, 1), (250, 5000), (5, 10**7)])
def test_the_library_reads_our_files(tmp_path: Path, samples: int, length: int) -> None:
    """Every row has its number in the file, its payload, to the byte, and a class."""
    pq = pytest.importorskip("pyarrow.parquet")
    content = Content(rows.population("parquet", 2, samples, length).seed)
    for number, path in enumerate(rows.written(("parquet", 2, samples, length), tmp_path)):
        table = pq.read_table(path)
        assert table["id"].to_pylist() == list(range(samples))
        assert table["label"].to_pylist() == [row % 1000 for row in range(samples)]
        for row, image in enumerate(table["image"]):
            data = np.frombuffer(image.as_buffer(), dtype=np.uint8)
            assert len(data) == length
            assert content.first_wrong(data, number * samples + row, 0) is None


@pytest.fixture(scope="module")
def all_shapes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A directory with files of all shapes, and their paths."""
    directory = tmp_path_factory.mktemp("shapes")
    return directory, rows.all_written("parquet", SHAPES, directory)


@requires_strace
@pytest.mark.slow
@pytest.mark.parametrize("reader", PROGRAMS)
def test_calls_are_those_of_the_library(all_shapes: tuple[Path, list[str]], reader: str) -> None:
    """The same reads at the same places and the same advice, for each way to read a file.

    In their order where one thread reads; where several do, the order of their reads is chance, and
    only what they read is compared. Of a mapping its length is; Python keeps a descriptor of its
    own for it, which is closed with it.
    """
    directory, paths = all_shapes
    wanted = rows.all_files("parquet", SHAPES)
    without = ("close",) if reader == "mmap" else ()
    real = rows.by_file(rows.real(PROGRAMS[reader], directory, *paths), *without)
    ours = rows.by_file(rows.ours(reader, directory, *wanted), *without)
    assert real.keys() == ours.keys() == set(paths)
    for path in paths:
        if reader in ("pyarrow", "mmap") and not _several(real[path]):
            assert ours[path] == real[path], path
        assert sorted(ours[path]) == sorted(real[path]), path


def _several(steps: rows.Steps) -> bool:
    """Whether more than one range was wanted at once."""
    calls = [step[0] for step in steps]
    return ("fadvise64", "fadvise64") in pairwise(calls)


@pytest.mark.parametrize("reader", ["pyarrow", "columns", "iter", "table"])
def test_what_is_announced_is_what_is_read(tmp_path: Path, reader: str) -> None:
    """Each range of a row group is announced once, before the first of them is read."""
    files, steps = rows.population("parquet", 1, 250, 150_000), []
    written.write(files, tmp_path)

    def fadvise(_fd: int, offset: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        steps.append(("advise", offset, length))

    def pread(fd: int, buffers: list[memoryview], offset: int) -> int:
        steps.append(("read", offset, len(buffers[0])))
        return os.preadv(fd, buffers, offset)

    root = os.open(tmp_path, os.O_RDONLY)
    access = Access(replace(real_calls(), fadvise=fadvise, pread=pread), root, files)
    made = FORMAT.readers[reader].make(access)
    assert len(list(made.samples(iter([np.array([0])])))) == 250
    os.close(root)
    assert steps.pop(0)[0] == "read"  # the footer
    while steps:
        announced = list(takewhile(lambda step: step[0] == "advise", steps))
        steps, done = steps[2 * len(announced) :], steps[len(announced) : 2 * len(announced)]
        assert [("read", *where) for _, *where in announced] == done
        assert announced


@pytest.mark.parametrize(
    ("reader", "name"),
    [("pyarrow", "parquet_rg_mmap0"), ("columns", "parquet_rgcol_mmap0"),
     ("iter", "parquet_iter_mmap0"), ("table", "parquet_read_table_mmap0"),
     ("mmap", "parquet_rg_mmap1")],
)  # fmt: skip
def test_calls_are_as_recorded(tmp_path: Path, reader: str, name: str) -> None:
    """A file of 62 MB in 8 row groups, as the recorded one: as many calls of each kind.

    The recorded file had six columns and rows of 1.6 kB. How long ranges are depends on that, so
    that of their lengths only the 64 KiB at the end of the file are compared.
    """
    files = rows.population("parquet", 1, 800, 78_000)
    written.write(files, tmp_path)
    with written.reading(files, tmp_path, reader, [0]) as (spy, samples):
        for _ in samples:
            pass
    real = recorded(name, "read")["ops"]
    names = {"pread64": "pread", "open": "open", "stat": "stat", "fstat": "fstat", "mmap": "map"}
    for call, our in names.items():
        assert len(spy.named(our)) == real.get(call, 0), call
    if "pread64" in real:
        asked = [step.asked for step in spy.named("pread")]
        top = recorded(name, "read")["read"]["requested"]["top_exact"]
        assert asked.count(2**16) == sizes(top)[2**16] == 1
        assert asked[0] == 2**16
