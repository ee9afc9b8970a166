"""The posix engine: the system calls that it really makes, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from aibench.engines.posix import PosixEngine
from aibench.errors import TargetFailed
from aibench.formats.files import path_of, size_of, total_bytes
from aibench.model import Accelerators, CachePolicy, Operation, Order
from tests import build, lab
from tests.engines.files import population, run, write
from tests.engines.tracing import Call, names, requires_strace, traced


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"operation": Operation.READ_BLOCKS}, "it has no queue depth; engine fio can"),
        ({"operation": Operation.STAT, "cache": CachePolicy.DIRECT}, "means nothing for stat"),
        ({"operation": Operation.WRITE_FILES, "cache": CachePolicy.DIRECT}, "page cache"),
        ({"operation": Operation.READ_FILES, "batch": 5000}, "4096"),
        ({"cache": CachePolicy.DIRECT, "reader": "lean", "rate": 5.0}, "through the page cache"),
        (
            {
                "cache": CachePolicy.DIRECT, "reader": "lean",
                "accelerators": Accelerators(count=1, loaders=2, compute_ns=1),
            },
            "through the page cache",
        ),
        ({"operation": Operation.CREATE, "runtime_ns": 1}, "create ends when all is done once"),
        ({"operation": Operation.SAVE_SHARDS, "runtime_ns": 1}, "it can't be bounded in time"),
    ],
)  # fmt: skip
def test_what_it_refuses(changes: dict[str, Any], words: str) -> None:
    """What plain system calls can't do, or what means nothing, is refused with its reason."""
    assert words in str(PosixEngine().refusal(build.phase(**changes), build.target()))


def test_what_it_does() -> None:
    """Reads, saves and names are not refused, with O_DIRECT where it means something."""
    for operation in (Operation.READ_FILES, Operation.LOAD_SHARDS, Operation.SAVE_SHARDS):
        phase = build.phase(operation=operation, cache=CachePolicy.DIRECT, reader="lean")
        assert PosixEngine().refusal(phase, build.target()) is None
    assert "Python" in str(PosixEngine().version())


PROGRAM = """
import json, sys
from pathlib import Path
from aibench.model import CachePolicy, Operation, SyncPolicy
from tests import build
from tests.engines.files import population, run
from tests.engines.tracing import Call, names, requires_strace, traced
root, operation, changes = Path(sys.argv[1]), Operation(sys.argv[2]), json.loads(sys.argv[3])
kinds = {"cache": CachePolicy, "reader": str, "sync": SyncPolicy}
changes = {key: kinds.get(key, int)(value) for key, value in changes.items()}
run(build.phase(operation=operation, population=population(), **changes), root)
"""


def calls(root: Path, operation: Operation, **changes: str | int) -> list[list[Call]]:
    """The system calls about the data set that each worker makes in a phase."""
    trace = root / "trace"
    trace.mkdir()
    return traced(trace, PROGRAM, str(root), operation.value, json.dumps(changes))


def by_file(processes: list[list[Call]]) -> dict[str, list[Call]]:
    """The calls about each file, in order."""
    found: dict[str, list[Call]] = {}
    for call in (call for process in processes for call in process):
        if "/" in call.data:
            found.setdefault(call.data, []).append(call)
    return found


@requires_strace
@pytest.mark.parametrize(
    ("reader", "expected"),
    [("stat", ["openat", "fstat", "readv", "close"]), ("lean", ["openat", "readv", "close"])],
)
def test_a_read_makes_just_these_calls(tmp_path: Path, reader: str, expected: list[str]) -> None:
    """Each file is opened, [looked at], read by one call and closed once; nothing else is done."""
    files = population()
    write(tmp_path, files)
    found = calls(tmp_path, Operation.READ_FILES, reader=reader, processes=2, batch=4)
    assert len(found) == 2
    per_file = by_file(found)
    assert set(per_file) == {path_of(files, index) for index in range(files.files)}
    assert all(names(made) == expected for made in per_file.values())
    assert sum(len(process) for process in found) == len(expected) * files.files
    opened = [call for process in found for call in process if call.name == "openat"]
    assert all("O_RDONLY|O_CLOEXEC)" in call.text + ")" for call in opened)


@requires_strace
def test_larger_files_take_more_reads(tmp_path: Path) -> None:
    """A file that doesn't fit the buffer is read by just as many calls as it needs."""
    files = population()
    write(tmp_path, files)
    per_file = by_file(calls(tmp_path, Operation.LOAD_SHARDS, io_size=8192, shift=1))
    for index in range(files.files):
        made = names(per_file[path_of(files, index)])
        assert made.count("readv") == -(-size_of(files, index) // 8192)


@requires_strace
@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_direct_really_is_direct(tmp_path: Path) -> None:
    """Cache policy direct opens every file with O_DIRECT, and makes whole blocks of the calls."""
    files = population()
    with lab.loop_mount(tmp_path) as mounted:
        root = mounted.path
        saved = calls(root, Operation.SAVE_SHARDS, cache="direct", io_size=16_384)
        for path in (root / "trace").iterdir():
            path.unlink()
        (root / "trace").rmdir()
        read = calls(root, Operation.READ_FILES, cache="direct", io_size=16_384)
    for found in (saved, read):
        opened = [c for made in by_file(found).values() for c in made if c.name == "openat"]
        assert len(opened) == files.files
        assert all("O_DIRECT" in call.text for call in opened)
    writes = [c for made in by_file(saved).values() for c in made if c.name == "write"]
    assert all(int(call.result) % 4096 == 0 for call in writes)


@requires_strace
@pytest.mark.parametrize(
    ("sync", "commit", "end"),
    [
        ("commit", ["fsync", "close", "renameat"], ["openat", "fsync", "close"]),
        ("end", ["fsync", "close", "renameat"], []),
        ("none", ["close", "renameat"], []),
    ],
)
def test_a_save_commits_in_order(
    tmp_path: Path, sync: str, commit: list[str], end: list[str]
) -> None:
    """All shards are written first, then each is synced, closed, renamed; then the directories."""
    files = population()
    found = calls(tmp_path, Operation.SAVE_SHARDS, sync=sync, io_size=65_536, processes=2)
    assert len(found) == 2
    for process in found:
        made = [call for call in process if call.name not in ("mkdirat", "newfstatat")]
        called = names(made)
        shards = len({call.data for call in made if call.name == "write"})
        assert shards == files.files // 2
        assert all(call.data.endswith(".tmp") for call in made if call.name == "write")
        first = called.index(commit[0])
        assert set(called[:first]) == {"openat", "write"}
        assert called[first:][: shards * len(commit)] == commit * shards
        directories = len({call.data.partition("/")[0] for call in made})
        assert called[first:][shards * len(commit) :] == end * directories
    renames = [call for process in found for call in process if call.name == "renameat"]
    assert {call.data for call in renames} == {
        f"{path_of(files, index)}.tmp" for index in range(files.files)
    }


@requires_strace
def test_generating_makes_just_these_calls(tmp_path: Path) -> None:
    """A data set is written by open, write and close, with an fsync before only where asked for."""
    per_file = by_file(calls(tmp_path, Operation.WRITE_FILES, io_size=2**20))
    assert {tuple(names(made)) for made in per_file.values()} == {("openat", "write", "close")}
    other = tmp_path / "other"
    other.mkdir()
    per_file = by_file(calls(other, Operation.WRITE_FILES, io_size=2**20, sync="end"))
    assert {tuple(names(made)) for made in per_file.values()} == {
        ("openat", "write", "fsync", "close")
    }


@pytest.mark.parametrize("threads", [1, 4])
def test_a_loader_that_fails_ends_the_phase(tmp_path: Path, threads: int) -> None:
    """When a file is gone, the loaders that wait for their turn are not waited for."""
    data = population(files=40)
    directory = write(tmp_path, data)
    (directory / path_of(data, 3)).unlink()
    asked = Accelerators(count=2, loaders=2, prefetch=1, compute_ns=1)
    phase = build.phase(
        population=data, reader="lean", order=Order.SEQUENTIAL, processes=4 // threads,
        threads=threads, accelerators=asked,
    )  # fmt: skip
    with pytest.raises(TargetFailed, match="f0000000003"):
        run(phase, tmp_path)


def test_accelerators_take_their_time(tmp_path: Path) -> None:
    """Steps that take longer than the reads of their batches take that time in all, not more.

    The run ends when the last accelerator has, and not when the last batch is read.
    """
    data = population(files=40)
    write(tmp_path, data)
    asked = Accelerators(count=2, loaders=2, compute_ns=50_000_000)
    phase = build.phase(population=data, reader="python", batch=2, processes=2, threads=2,
                        accelerators=asked)  # fmt: skip
    measured = run(phase, tmp_path)
    assert measured.training is not None
    assert measured.operations == 40
    assert measured.bytes == total_bytes(data)
    for one in measured.training.accelerators:
        assert (one.steps, one.compute_ns) == (10, 9 * 50_000_000)
        assert one.wait_ns < one.compute_ns  # 20 reads of 20 kB in half a second
        assert one.end_ns == measured.elapsed_ns
