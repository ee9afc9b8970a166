"""What stands between the loops and the kernel does what it promises."""

import errno
import os
import statistics
import time
from pathlib import Path

import pytest

from aibench.calls import burn, real_calls, wait_until


def test_burning_takes_time_of_a_core() -> None:
    """Four times as much takes about four times the CPU time of the thread that burns it."""
    burn(0)

    def spent(nanoseconds: int) -> int:
        before = time.thread_time_ns()
        burn(nanoseconds)
        return time.thread_time_ns() - before

    pairs = [(spent(5_000_000), spent(20_000_000)) for _ in range(9)]
    assert 2.5 < statistics.median(more / less for less, more in pairs) < 6


def test_waiting_ends_at_the_time_and_not_before() -> None:
    """Nobody comes back early, and a time that is over is not waited for."""
    until = time.perf_counter_ns() + 3_000_000
    wait_until(until)
    assert time.perf_counter_ns() >= until
    before = time.thread_time_ns()
    wait_until(until)
    assert time.thread_time_ns() - before < 3_000_000


def test_a_file_is_mapped_as_far_as_it_goes(tmp_path: Path) -> None:
    """A map has the bytes of the file; a file that came short is an error of the target."""
    (tmp_path / "file").write_bytes(bytes(5000))
    calls = real_calls()
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        mapped = calls.map(fd, 5000, False)
        calls.touch(mapped, 4096, 904)
        calls.unmap(mapped)
        with pytest.raises(OSError, match="shorter than it was written") as short:
            calls.map(fd, 5001, True)
        assert short.value.errno == errno.EIO
    finally:
        os.close(fd)
