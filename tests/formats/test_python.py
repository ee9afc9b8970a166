"""Python's buffered files: what goes to the kernel is what CPython's own reader sends there."""

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aibench.calls import real_calls
from aibench.formats.format import Access
from aibench.formats.python import PythonFile, buffer_size
from tests import build

LARGEST = 300
FILES = build.population()
Steps = list[tuple[str, int, int]]
Operation = tuple[str, int, int]

OPERATIONS = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 200), st.just(0)),
    st.tuples(st.just("seek"), st.integers(0, LARGEST + 20), st.just(os.SEEK_SET)),
    st.tuples(st.just("seek"), st.integers(-60, 60), st.just(os.SEEK_CUR)),
    st.tuples(st.just("seek"), st.integers(-50, 5), st.just(os.SEEK_END)),
    st.tuples(st.just("tell"), st.just(0), st.just(0)),
    st.tuples(st.just("all"), st.just(0), st.just(0)),
)


class Raw(io.RawIOBase):
    """A file that notes what it is asked, as the buffered reader of this Python asks it."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self.steps: Steps = []

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Noted with what came."""
        came = self._file.readinto(buffer)
        self.steps.append(("read", len(buffer), came))
        return came

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Noted."""
        self.steps.append(("lseek", offset, whence))
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Noted as the kernel sees it."""
        return self.seek(0, os.SEEK_CUR)

    def readall(self) -> bytes:
        """As `io.FileIO` does up to 3.13."""
        at, size = self.tell(), len(self._file.getbuffer())
        found = b""
        room = size - at + 1 if size >= at and size else 8192
        while came := self.readinto(buffer := bytearray(room - len(found))):
            found += buffer[:came]
        return found


def ours(directory: int, block: int) -> tuple[PythonFile, Steps]:
    """Our file, open, and the list that its calls go to."""
    steps: Steps = []
    calls = real_calls()

    def readv(fd: int, buffers: list[memoryview]) -> int:
        came: int = calls.readv(fd, buffers)
        steps.append(("read", len(buffers[0]), came))
        return came

    def lseek(fd: int, offset: int, whence: int) -> int:
        steps.append(("lseek", offset, whence))
        at: int = calls.lseek(fd, offset, whence)
        return at

    watched = replace(calls, readv=readv, lseek=lseek)
    file = PythonFile(Access(watched, directory, FILES, io_size=8192, block=block))
    file.open(b"file")
    return file, steps


def apply(operation: Operation, size: int, real: io.BufferedReader, file: PythonFile) -> None:
    """Do the same to both; they agree on what came and on where they are."""
    what, count, whence = operation
    if what == "read":
        assert len(real.read(count)) == file.read(count)
    elif what == "tell":
        assert real.tell() == file.tell() == file.position
    elif what == "all":
        assert len(real.read()) == file.read_all(size)
    elif {os.SEEK_SET: 0, os.SEEK_CUR: file.position, os.SEEK_END: size}[whence] + count >= 0:
        real.seek(count, whence)
        file.seek(count, whence)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    """A descriptor of a directory."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, LARGEST), st.sampled_from([1, 7, 16, 64, 128, 4096]),
    st.lists(OPERATIONS, max_size=25),
)  # fmt: skip
def test_it_asks_the_kernel_what_python_asks(
    directory: int, size: int, block: int, operations: list[Operation]
) -> None:
    """Whatever a program reads and wherever it goes, the calls are the same, one by one."""
    data = bytes(size)
    with open("file", "wb", opener=lambda name, flags: os.open(name, flags, dir_fd=directory)) as f:
        f.write(data)
    raw = Raw(data)
    real = io.BufferedReader(raw, buffer_size=block)
    file, steps = ours(directory, block)
    try:
        for operation in operations:
            apply(operation, size, real, file)
        assert steps == raw.steps
        assert file.asked == sum(came for call, _, came in steps if call == "read")
    finally:
        file.close()


@pytest.mark.parametrize(
    ("version", "block", "expected"),
    [((3, 11), 4096, 4096), ((3, 13), 2**20, 2**20), ((3, 14), 4096, 131_072),
     ((3, 14), 2**20, 2**20), ((3, 14), 2**25, 2**23)],
)  # fmt: skip
def test_the_buffer_follows_the_version(
    version: tuple[int, int], block: int, expected: int
) -> None:
    """``st_blksize`` up to 3.13; from 3.14 on that, but at least 128 KiB and at most 8 MiB."""
    assert buffer_size(block, version) == expected


@pytest.mark.parametrize(("given", "expected"), [(0, 65_536), (4096, 4096)])
def test_the_buffer_may_follow_the_file(directory: int, given: int, expected: int) -> None:
    """Where no ``st_blksize`` is given, it is the one that the file tells when it is opened."""
    calls = real_calls()

    def fstat(fd: int) -> os.stat_result:
        """As of a file with larger blocks than its directory."""
        told = list(calls.fstat(fd))
        return os.stat_result(told, {"st_blksize": 65_536})

    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    file = PythonFile(Access(replace(calls, fstat=fstat), directory, FILES, block=given))
    file.open(b"file")
    file.close()
    assert file.block == expected
