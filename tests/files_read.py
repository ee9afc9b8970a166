"""Both loops over plain files, and what their tests read with them."""

import os
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aibench.reading import LIBRARY, ReadFiles, reading_by
from aibench.workers.loops.common import FOREVER

PYTHON = reading_by(time.perf_counter_ns, os.open, os.fstat, os.readv, os.close)
requires_library = pytest.mark.skipif(
    LIBRARY is None,
    reason="The compiled loop is built where aibench is installed with gcc and Python's headers.",
)
COMPILED: Any = LIBRARY.read_files if LIBRARY else None
both = pytest.mark.parametrize(
    "read_files",
    [
        pytest.param(PYTHON, id="Python"),
        pytest.param(COMPILED, id="compiled", marks=requires_library),
    ],
)
FLAGS = os.O_RDONLY | os.O_CLOEXEC
ROOM = 64


def stamps(files: int) -> tuple["array[int]", ...]:
    """Four arrays of clock readings, in which nothing is yet."""
    return tuple(array("q", bytes(8 * files)) for _ in range(4))


@contextmanager
def opened(directory: Path | str) -> Iterator[int]:
    """A descriptor of ``directory``, of whose files none is left open."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    before = os.listdir("/proc/self/fd")
    try:
        yield fd
        assert os.listdir("/proc/self/fd") == before
    finally:
        os.close(fd)


def written(directory: Path | str, lengths: Sequence[int]) -> list[bytes]:
    """Files of these lengths, and their names."""
    found = []
    for number, length in enumerate(lengths):
        name = f"f{number:010d}"
        (Path(directory) / name).write_bytes(bytes([number % 256]) * length)
        found.append(name.encode())
    return found


def read(
    read_files: ReadFiles, root: int, files: list[bytes], sizes: list[int],
    *, look: bool = True, first: int = 0, alarm: int = FOREVER,
) -> tuple[tuple[int, int, int], bytearray, tuple["array[int]", ...]]:  # fmt: skip
    """(what the loop said, the buffer, the stamps) of one call."""
    buffer = bytearray(ROOM)
    times = stamps(len(files))
    said = read_files(root, FLAGS, look, files, sizes, (memoryview(buffer), *times), first, alarm)
    return said, buffer, times
