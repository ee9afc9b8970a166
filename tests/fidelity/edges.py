"""Files around the sizes where readers change their steps, read as they are or as if elsewhere."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aibench.calls import real_calls
from aibench.formats.files import path_of
from aibench.formats.format import Access, format_of
from aibench.formats.packing import Packer
from aibench.model import Population
from tests.fidelity import reading
from tests.fidelity.tracing import Mix, trace

#: Of the samples, in bytes.
SIZES = (
    1, 100, 3967, 3968, 3969, 4095, 4096, 4097, 8063, 8064, 8065, 65_535, 65_536, 65_537,
    110_000, 131_072, 262_016, 262_144, 262_273, 10**6, 2**20,
)  # fmt: skip
_PROGRAM = "from tests.fidelity.edges import main; main()"


def population(form: str, sizes: Sequence[int]) -> Population:
    """One file for each size."""
    listed = tuple((1, size) for size in sizes)
    return reading.population(
        form, len(listed), distribution="listed", mean=max(sizes), smallest=0, listed=listed,
        largest=max(sizes),
    )  # fmt: skip


def write(form: str, sizes: Sequence[int], directory: Path) -> list[str]:
    """Write a file for each size; their paths."""
    files = population(form, sizes)
    packer, buffer = Packer(files), memoryview(bytearray(2**18))
    paths = [directory / path_of(files, number) for number in range(len(sizes))]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(packer.pack(number, buffer))
    return list(map(str, paths))


def traced(form: str, sizes: Sequence[int], directory: Path, reader: str) -> Mix:
    """The system calls of reading the files of `write`, in a process of its own."""
    arguments = [form, reader, str(directory), *map(str, sizes)]
    log = directory.parent / f"strace-{reader}.log"
    return trace([sys.executable, "-c", _PROGRAM, *arguments], directory, log)


def main() -> None:
    """Read as the arguments say: format, reader, directory, sizes."""
    form, reader, directory, *sizes = sys.argv[1:]
    files = population(form, [int(size) for size in sizes])
    root = os.open(directory, os.O_RDONLY)
    access = Access(real_calls(), root, files, block=os.fstat(root).st_blksize)
    for _ in (
        format_of(files)
        .readers[reader]
        .make(access)
        .samples(iter([np.arange(files.files, dtype=np.int64)]))
    ):
        pass
