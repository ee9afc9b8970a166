"""Reading files whole: each once, to its last byte, whatever the file system returns."""

import os
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from aibench.calls import Calls, real_calls
from aibench.engines.null import _instant_calls
from aibench.engines.pooled import measure
from aibench.errors import TargetFailed
from aibench.formats.files import path_of, total_bytes
from aibench.model import Operation, Order, Population, Sizes
from aibench.workers.job import Job, Progress
from aibench.workers.loops.common import aligned_buffer
from aibench.workers.loops.read import prepare_read
from tests import build
from tests.engines.files import population, run, site, write

MIB = 2**20
LARGE = Sizes(distribution="fixed", mean=3 * MIB + 1234)


def recording(directory: Path) -> Callable[[], Calls]:
    """Real calls that also note which files are opened, a file for each process."""

    def calls() -> Calls:
        real = real_calls()

        def open_(path: bytes, *rest: Any, **more: Any) -> int:
            if b"/f" in path[-12:]:
                with (directory / f"opened-{os.getpid()}").open("ab") as log:
                    log.write(path + b"\n")
            return real.open(path, *rest, **more)

        return replace(real, open=open_)

    return calls


def epoch(root: Path, seed: int, **changes: Any) -> list[str]:
    """The files that an epoch opens, in the order in which one worker does."""
    phase = build.phase(population=population(), **{"processes": 1, "io_size": 4096} | changes)
    measure(phase, site(root, seed), lambda *_: None, recording(root))
    found = [name for log in root.glob("opened-*") for name in log.read_text().split()]
    for log in root.glob("opened-*"):
        log.unlink()
    return found


def test_an_epoch_reads_each_file_once(tmp_path: Path) -> None:
    """Each epoch reads every file exactly once, and in another order for another seed."""
    files = population()
    write(tmp_path, files)
    names = sorted(path_of(files, index) for index in range(files.files))
    one, other = epoch(tmp_path, 1), epoch(tmp_path, 2)
    assert sorted(one) == sorted(other) == names
    assert one == epoch(tmp_path, 1)
    assert one not in (other, names)
    assert epoch(tmp_path, 1, order=Order.SEQUENTIAL) == names
    assert sorted(epoch(tmp_path, 1, processes=2, threads=2, batch=4)) == names


def in_python() -> Calls:
    """Real calls of which the loop in Python makes every one."""
    return replace(real_calls(), compiled=None)


def instant(files: Population, **changes: Any) -> Calls:
    """The calls of the null engine."""
    return replace(_instant_calls(files), **changes)


@pytest.mark.parametrize("reader", ["lean", "stat"])
@pytest.mark.parametrize("io_size", [4096, 65_536, MIB])
@pytest.mark.parametrize("operation", [Operation.READ_FILES, Operation.LOAD_SHARDS])
def test_all_bytes_are_read(
    tmp_path: Path, operation: Operation, io_size: int, reader: str
) -> None:
    """Files smaller and larger than the buffer are read to their end, and counted by the byte.

    So it is compiled and in Python, and by the null engine.
    """
    files = population()
    write(tmp_path, files)
    phase = build.phase(
        operation=operation, population=files, io_size=io_size, reader=reader, threads=2
    )
    null = partial(instant, files)
    for calls in (real_calls, in_python, null, partial(null, compiled=None)):
        measured = measure(phase, site(tmp_path), lambda *_: None, calls)
        assert (measured.operations, measured.bytes) == (50, total_bytes(files))
        counts = [measured.histograms[kind].count for kind in ("whole", "open", "read", "close")]
        assert counts == [50] * 4
        assert measured.series is not None
        assert sum(measured.series.bytes) == total_bytes(files)


class Noted(list[int]):
    """Cells that note what is stored in the first of them."""

    def __init__(self) -> None:
        super().__init__([0, 0])
        self.told: list[int] = []

    def __setitem__(self, place: Any, value: Any) -> None:
        super().__setitem__(place, value)
        if place == 0:
            self.told.append(value)


@pytest.mark.parametrize("calls", [real_calls, in_python])
def test_progress_is_told_in_the_middle(
    tmp_path: Path, calls: Callable[[], Calls], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file takes as long as progress may wait, it is told after each file."""
    monkeypatch.setattr("aibench.workers.loops.read.TELL_NS", 0)
    files, cells = population(), Noted()
    directory = write(tmp_path, files)
    phase = build.phase(population=files, processes=1, io_size=MIB)
    job = Job(phase=phase, directory=str(directory), seed=1, calls=calls)
    outcome = prepare_read(job, 0, Progress(cast("memoryview", cells), 0))(time.perf_counter_ns())
    assert cells.told == [*range(1, 51), 50]
    assert (outcome.operations, outcome.bytes) == tuple(cells) == (50, total_bytes(files))


@pytest.mark.parametrize("calls", [real_calls, in_python])
def test_time_ends_a_chunk_in_its_middle(tmp_path: Path, calls: Callable[[], Calls]) -> None:
    """When time is up, what was read is counted, to the file that was being read then."""
    files = population()
    phase = build.phase(population=files, processes=1, io_size=MIB, runtime_ns=1)
    job = Job(phase=phase, directory=str(write(tmp_path, files)), seed=1, calls=calls)
    cells = memoryview(bytearray(16)).cast("q")
    outcome = prepare_read(job, 0, Progress(cells, 0))(time.perf_counter_ns())
    assert (outcome.operations, outcome.histograms["whole"].count, cells[0]) == (1, 1, 1)
    assert outcome.bytes == cells[1]


@pytest.mark.parametrize("change", [-1, 1, 5000, -(10**9)])
@pytest.mark.parametrize("size", [10_000, 8192])
def test_a_changed_file_ends_the_phase(tmp_path: Path, size: int, change: int) -> None:
    """A file that is shorter or longer than it was written is named, with both lengths."""
    files = population(3, sizes=Sizes(distribution="fixed", mean=size))
    directory = write(tmp_path, files)
    victim = directory / path_of(files, 1)
    os.truncate(victim, max(size + change, 0))
    with pytest.raises(TargetFailed, match=f"where {size} were written; verify") as failed:
        run(build.phase(population=files, io_size=16_384), tmp_path)
    assert failed.value.code == "wrong_length"
    assert str(victim) in str(failed.value)


def test_a_buffer_is_there_before_it_is_used() -> None:
    """Its pages are touched before anything is measured: using it brings in no more."""
    buffer = aligned_buffer(64 * MIB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffer[:] = 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < len(buffer) // 4096 // 10


def test_a_buffer_is_no_larger_than_needed(tmp_path: Path) -> None:
    """However large a call may be, the largest file says how large it is."""
    files = population(3, sizes=Sizes(distribution="fixed", mean=10_000))
    directory = str(write(tmp_path, files))
    asked: list[int] = []

    def calls() -> Calls:
        real = real_calls()

        def readv(fd: int, buffers: list[memoryview]) -> int:
            asked.append(len(buffers[0]))
            return cast("int", real.readv(fd, buffers))

        return replace(real, readv=readv)

    phase = build.phase(population=files, processes=1, io_size=8 * MIB)
    job = Job(phase=phase, directory=directory, seed=1, calls=calls)
    prepare_read(job, 0, Progress(memoryview(bytearray(16)).cast("q"), 0))(0)
    assert asked == [3 * 4096] * 3


def test_a_vanished_file_ends_the_phase(tmp_path: Path) -> None:
    """A file that is gone is named by its whole path."""
    files = population(5)
    victim = write(tmp_path, files) / path_of(files, 4)
    victim.unlink()
    with pytest.raises(TargetFailed, match=f"ENOENT.* at {victim}") as failed:
        run(build.phase(population=files), tmp_path)
    assert failed.value.code == "vanished"


def test_short_reads_are_continued(tmp_path: Path) -> None:
    """Where the filesystem returns less than asked for, the rest of the file is read too."""
    files = population()
    write(tmp_path, files)

    def calls() -> Calls:
        return replace(real_calls(), readv=lambda fd, into: os.readv(fd, [into[0][:777]]))

    phase = build.phase(population=files, io_size=MIB)
    assert measure(phase, site(tmp_path), lambda *_: None, calls).bytes == total_bytes(files)


def test_progress_never_goes_back(tmp_path: Path) -> None:
    """Large shards, read in many pieces, show a progress in bytes that only grows."""
    files = population(6, sizes=LARGE)
    write(tmp_path, files)
    told: list[int] = []

    def calls() -> Calls:
        def slow(fd: int, into: list[memoryview]) -> int:
            time.sleep(0.02)
            return os.readv(fd, into)

        return replace(real_calls(), readv=slow)

    phase = build.phase(operation=Operation.LOAD_SHARDS, population=files, processes=1)
    measure(phase, site(tmp_path), lambda _, moved: told.append(moved), calls)
    assert told == sorted(told)
    assert told[-1] == total_bytes(files)
    assert len(set(told)) > 3
