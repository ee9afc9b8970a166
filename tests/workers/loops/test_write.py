"""Data sets as they lie on disk: right to the byte, completed, and never through a link."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.calls import Calls, real_calls
from aibench.engines.pooled import measure
from aibench.engines.posix import PosixEngine
from aibench.errors import TargetFailed, WorkspaceError
from aibench.formats.files import path_of, total_bytes
from aibench.model import Operation, Sizes
from aibench.workers.loops.granules import write_all
from aibench.workers.share import block_of
from tests import build, lab
from tests.engines.files import assert_written, population, present, run, site
from tests.integration.command import eventually

MIB = 2**20
EVEN = Sizes(distribution="fixed", mean=4096)


@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize("io_size", [MIB, 4096, 5000])
def test_a_data_set_holds_what_it_should(
    tmp_path: Path, processes: int, threads: int, io_size: int
) -> None:
    """Whoever writes it, and in whatever pieces, a data set is the same byte for byte."""
    files = population()
    phase = build.phase(
        operation=Operation.WRITE_FILES, population=files, processes=processes, threads=threads,
        io_size=io_size,
    )  # fmt: skip
    measured = run(phase, tmp_path)
    assert_written(tmp_path / files.directory, files)
    assert (measured.operations, measured.bytes) == (50, total_bytes(files))


def test_only_what_is_missing_is_written(tmp_path: Path) -> None:
    """A partial data set is completed granule by granule, each noted when it is done."""
    files = population(100)
    directory = tmp_path / files.directory
    directory.mkdir(parents=True)
    phase = build.phase(operation=Operation.WRITE_FILES, population=files)
    PosixEngine().generate(phase, site(tmp_path), lambda *_: None, (1, 3, 4), str(tmp_path))
    noted = [int(n) for path in tmp_path.glob("progress-*") for n in path.read_text().split()]
    assert sorted(noted) == [1, 3, 4]
    expected = {path_of(files, index) for n in noted for index in range(n * 20, n * 20 + 20)}
    assert set(present(directory)) == expected
    PosixEngine().generate(phase, site(tmp_path), lambda *_: None, (0, 2), str(tmp_path))
    assert_written(directory, files)


def test_shards_are_read_by_another_worker_than_wrote_them(tmp_path: Path) -> None:
    """With a shift, no rank of a resume reads a shard that the worker of its number wrote."""
    files = population(24, sizes=Sizes(distribution="fixed", mean=17 * MIB), seed=3)
    (tmp_path / files.directory).mkdir(parents=True)
    wrote: dict[int, range] = {}
    phase = build.phase(operation=Operation.LOAD_SHARDS, population=files, processes=4, shift=1)
    small = replace(files, sizes=Sizes(distribution="fixed", mean=100), files_per_directory=1)
    layout = build.phase(operation=Operation.WRITE_FILES, population=small, processes=4)
    PosixEngine().generate(layout, site(tmp_path), lambda *_: None, tuple(range(24)), str(tmp_path))
    for slot in range(4):
        noted = sorted(int(n) for n in (tmp_path / f"progress-{slot:04d}").read_text().split())
        wrote[slot] = range(noted[0], noted[-1] + 1)
        assert list(wrote[slot]) == noted
    for slot in range(4):
        assert block_of(24, phase.slots, slot, phase.shift) == wrote[(slot + 1) % 4]


@pytest.mark.parametrize("operation", [Operation.WRITE_FILES, Operation.SAVE_SHARDS])
def test_short_writes_are_continued(tmp_path: Path, operation: Operation) -> None:
    """Where the filesystem takes less than given, the rest is written too."""
    files = population()
    (tmp_path / files.directory).mkdir(parents=True)

    def calls() -> Calls:
        return replace(real_calls(), write=lambda fd, data: os.write(fd, data[:3333]))

    phase = build.phase(operation=operation, population=files)
    measure(phase, site(tmp_path), lambda *_: None, calls)
    assert_written(tmp_path / files.directory, files)


def test_a_signal_in_the_middle_of_a_write_loses_nothing() -> None:
    """A write that a signal cuts short goes on where it stopped."""
    reader, writer = os.pipe()
    data = os.urandom(2 * MIB)
    received = bytearray()
    lengths: list[int] = []

    def drain() -> None:
        while len(received) < len(data):
            time.sleep(0.0005)
            received.extend(os.read(reader, 65_536))

    def note(fd: int, part: memoryview) -> int:
        lengths.append(os.write(fd, part))
        return lengths[-1]

    old = signal.signal(signal.SIGALRM, lambda *_: None)
    thread = threading.Thread(target=drain)
    thread.start()
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        write_all(replace(real_calls(), write=note), writer, memoryview(data))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        thread.join()
        os.close(reader)
        os.close(writer)
    assert received == data
    assert len(lengths) > 1


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_the_device_works_meanwhile(tmp_path: Path) -> None:
    """What is written of a large file goes to the device before anybody asks for a sync."""
    files = population(1, sizes=Sizes(distribution="fixed", mean=35 * MIB))
    with lab.loop_mount(tmp_path, "ext4", size=128 * MIB) as mount:
        counters = Path(f"/sys/class/block/{mount.device}/stat")

        def written() -> int:
            return 512 * int(counters.read_text().split()[6])

        before = written()
        run(build.phase(operation=Operation.WRITE_FILES, population=files), mount.path)
        assert eventually(lambda: written() - before >= 32 * MIB, limit_s=3)


@pytest.mark.parametrize(
    "operation", [Operation.WRITE_FILES, Operation.SAVE_SHARDS, Operation.CREATE]
)
def test_no_link_is_followed(tmp_path: Path, operation: Operation) -> None:
    """A symbolic link in place of a directory of the data ends the phase; nothing goes through."""
    files = population(5)
    directory, foreign = tmp_path / files.directory, tmp_path / "foreign"
    directory.mkdir(parents=True)
    foreign.mkdir()
    (directory / "d000000").symlink_to(foreign)
    with pytest.raises(WorkspaceError, match="d000000 is not a directory; aibench follows no"):
        run(build.phase(operation=operation, population=files), tmp_path)
    assert list(foreign.iterdir()) == []


@pytest.mark.parametrize("kind", ["hard link", "symbolic link"])
@pytest.mark.parametrize(
    ("operation", "form"),
    [
        (Operation.WRITE_FILES, "files"),
        (Operation.WRITE_FILES, "npy"),
        (Operation.INGEST, "files"),
    ],
)
def test_a_file_of_somebody_else_under_our_name_keeps_its_bytes(
    tmp_path: Path, operation: Operation, kind: str, form: str
) -> None:
    """Our name goes to a new file; whatever had it before is not written to."""
    files = population(3, format=form, **({"sizes": EVEN} if form != "files" else {}))
    directory, victim = tmp_path / files.directory, tmp_path / "victim"
    victim.write_bytes(b"precious" * 10_000)
    name = directory / path_of(files, 1)
    name.parent.mkdir(parents=True)
    (os.link if kind == "hard link" else os.symlink)(victim, name)
    run(build.phase(operation=operation, population=files), tmp_path)
    assert victim.read_bytes() == b"precious" * 10_000
    assert victim.stat().st_nlink == 1
    assert not name.is_symlink()
    if form == "files":
        assert_written(directory, files)


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
@pytest.mark.parametrize(
    "operation", [Operation.WRITE_FILES, Operation.SAVE_SHARDS, Operation.CREATE]
)
def test_a_full_target_ends_the_phase(tmp_path: Path, operation: Operation) -> None:
    """ENOSPC in the middle, of bytes or of inodes, is told with its code and the path."""
    files = population(200, sizes=Sizes(distribution="fixed", mean=20_000))
    with lab.tmpfs_mount(tmp_path, size=MIB, inodes=120) as mounted:
        with pytest.raises(TargetFailed, match=r"no space left.*ENOSPC.* at .*/f0000000") as failed:
            run(build.phase(operation=operation, population=files), mounted.path)
        assert failed.value.code == "no_space"
