"""What goes wrong on a target ends a run in bounded time, with a sentence and a record."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aibench.store import read
from tests import lab
from tests.integration.command import (
    LARGE,
    SMALL,
    Done,
    Stand,
    children,
    codes,
    eventually,
    finished,
)

pytestmark = pytest.mark.slow
SAVE = ("-w", "checkpoint-save", "--repeats", "2", "--set", "ranks=2")


def failed_well(stand: Stand, done: Done, code: str) -> None:
    """Ended with exit code 4, a sentence, a record with ``code``, and nothing left behind."""
    assert done.code == 4, done.err
    assert "Traceback" not in done.err
    assert any(message.startswith("the run failed: ") for message in done.messages)
    record = stand.record()
    assert record.complete
    assert codes(record) == [code]
    assert stand.ask("report", "last").code == 0
    assert stand.left_running() == []


def refused_well(stand: Stand, done: Done, *words: str) -> None:
    """Ended with exit code 2 and one line that holds ``words``, before any record was begun."""
    assert done.code == 2, done.err
    assert len(done.messages) == 1
    for word in words:
        assert word in done.err
    assert stand.paths() == []


def generating(stand: Stand, least: int = 1) -> Callable[[], bool]:
    """Tells whether a data set is being written: there are ``least`` files of it."""

    def condition() -> bool:
        found = (stand.workspace / "data").glob("*/d*/f*")
        return sum(1 for _, _ in zip(range(least), found, strict=False)) == least

    return condition


def running(stand: Stand, *arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
    """A run that goes on while the body of the block does its worst."""
    return stand.start("run", stand.target, *arguments, **options)


@contextmanager
def standing_still(process: "subprocess.Popen[str]") -> Iterator[None]:
    """All processes of a run are stopped, and go on afterwards."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


@pytest.mark.mounts
@lab.requires_mounts
class TestFull:
    """A target that is full."""

    def test_too_little_space(self, tmp_path: Path) -> None:
        """Where space would not suffice, a run is refused and nothing is written."""
        with lab.tmpfs_mount(tmp_path, size=80 * lab.MIB) as mount:
            stand = Stand(tmp_path, mount.path)
            refused_well(stand, stand.run(*LARGE), "free and this needs", "--scale")
            assert list(mount.path.iterdir()) == []
            planned = stand.do("plan", stand.target, *LARGE)
            assert planned.code == 2
            assert "a run would be refused: " in planned.err

    def test_too_few_inodes(self, tmp_path: Path) -> None:
        """Where inodes would not suffice, a run is refused and nothing is written."""
        with lab.tmpfs_mount(tmp_path, size=256 * lab.MIB, inodes=300) as mount:
            stand = Stand(tmp_path, mount.path)
            refused_well(stand, stand.run(*SMALL), "inodes free and this needs")
            assert list(mount.path.iterdir()) == []

    @pytest.mark.parametrize("fstype", ["tmpfs", "ext4"])
    def test_space_runs_out_in_generation(self, tmp_path: Path, fstype: str) -> None:
        """Somebody fills the target while data is generated: no_space, and the data is resumed."""
        size = 300 * lab.MIB
        mounting = (
            lab.tmpfs_mount(tmp_path, size=size)
            if fstype == "tmpfs"
            else lab.loop_mount(tmp_path, fstype, size=size)
        )
        with mounting as mount:
            stand = Stand(tmp_path, mount.path)
            with running(stand, *LARGE) as process:
                assert eventually(generating(stand))
                with standing_still(process):  # or it could be done before there is no space
                    fill(mount.path / "foreign")
                done = finished(process)
            failed_well(stand, done, "no_space")
            assert "no space left on the target (ENOSPC) at " in done.err
            assert (mount.path / "foreign").stat().st_size > 0
            (mount.path / "foreign").unlink()
            assert stand.run(*LARGE).code == 0
            assert stand.ask("verify", stand.target).code == 0
            assert stand.ask("clean", stand.target).code == 0

    def test_space_runs_out_in_a_checkpoint(self, tmp_path: Path) -> None:
        """Somebody fills the target while a checkpoint is saved: no_space, and scratch is gone."""
        with lab.tmpfs_mount(tmp_path, size=400 * lab.MIB) as mount:
            stand = Stand(tmp_path, mount.path)
            arguments = (*SAVE, "--repeats", "20", "--set", "scale=0.0015")
            with running(stand, *arguments) as process:
                assert eventually(lambda: list(stand.workspace.glob("scratch/*/d*/*")))
                while process.poll() is None:  # what a checkpoint gives back is taken, too
                    fill(mount.path / "foreign")
                done = finished(process)
            failed_well(stand, done, "no_space")
            assert stand.scratch() == []
            assert [p.name for p in stand.workspace.iterdir() if p.name == "scratch"] == []

    def test_inodes_run_out(self, tmp_path: Path) -> None:
        """Somebody uses up the inodes while data is generated: the same as with space."""
        with lab.tmpfs_mount(tmp_path, size=300 * lab.MIB, inodes=21000) as mount:
            stand = Stand(tmp_path, mount.path)
            with running(stand, *LARGE) as process:
                assert eventually(generating(stand))
                (mount.path / "foreign").mkdir()
                try:
                    for number in range(21000):
                        (mount.path / "foreign" / str(number)).touch()
                except OSError:
                    pass
                done = finished(process)
            failed_well(stand, done, "no_space")

    def test_full_before_the_first_byte(self, tmp_path: Path) -> None:
        """A target with no room for a single file is refused, and nothing half made stays."""
        with lab.tmpfs_mount(tmp_path, size=64 * lab.MIB) as mount:
            stand = Stand(tmp_path, mount.path)
            fill(mount.path / "foreign")
            refused_well(stand, stand.run("-w", "metadata", "--scale", "0.001"))
            assert [entry.name for entry in mount.path.iterdir()] == ["foreign"]


def fill(path: Path) -> None:
    """Write to the end of a file until there is no space."""
    with path.open("ab", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


@pytest.mark.mounts
@lab.requires_mounts
class TestBrokenDevices:
    """A device that returns errors."""

    def test_lost_write_in_generation(self, tmp_path: Path) -> None:
        """Data whose writing fails only when it is synced is never called complete."""
        with lying_device(tmp_path) as stand:
            done = stand.run(*LARGE)
            assert done.code == 4, done.err
            assert codes(stand.record()) in (["io_error"], ["no_space"], ["read_only"])
            assert "Traceback" not in done.err
            assert stand.left_running() == []
            assert not stand.do("verify", stand.target).out.startswith("ok")

    def test_lost_write_in_a_checkpoint(self, tmp_path: Path) -> None:
        """A checkpoint whose fsync fails has not been saved: no sample of it is kept."""
        with lying_device(tmp_path) as stand:
            done = stand.run(*SAVE, "--set", "scale=0.001")
            assert done.code == 4, done.err
            record = stand.record()
            assert codes(record) in (["io_error"], ["no_space"], ["read_only"])
            assert record.samples == ()
            assert "Traceback" not in done.err

    def test_unreadable_data(self, tmp_path: Path) -> None:
        """An I/O error while reading ends the run and says where; a lost marker is no licence."""
        with lab.loop_mount(tmp_path, "ext4", size=300 * lab.MIB) as mount:
            stand = Stand(tmp_path, mount.path)
            said = tmp_path / "said"
            with said.open("w") as file, running(stand, *LARGE, stderr=file) as process:
                assert eventually(lambda: "load-4k: epoch" in said.read_text())
                os.truncate(tmp_path / "ext4.image", 20 * lab.MIB)
                Path("/proc/sys/vm/drop_caches").write_text("3")
                done = finished(process)
            assert done.code == 4, said.read_text()
            # what ext4 can't read of itself it may call damaged
            assert codes(stand.record()) in (["io_error"], ["damaged"]), said.read_text()
            told = r"the target( returned an I/O error|'s filesystem is damaged) \(E[A-Z]+\) at "
            assert re.search(told, said.read_text())
            assert stand.left_running() == []
            for command in ("run", "verify", "clean"):
                lost = stand.do(command, stand.target)
                assert lost.code == 2
                why = "input/output error|structure needs cleaning|bad message"
                assert re.search(f"can't be opened: ({why})", lost.err), lost.err
                assert "Traceback" not in lost.err + said.read_text()


@contextmanager
def lying_device(directory: Path) -> Iterator[Stand]:
    """A stand on an ext4 that promises 300 MiB on a medium of 60: writes fail when synced."""
    with (
        lab.tmpfs_mount(directory, size=60 * lab.MIB) as medium,
        lab.loop_mount(medium.path, "ext4", size=300 * lab.MIB) as mount,
    ):
        yield Stand(directory, mount.path)


class TestWrongTargets:
    """Targets that are not what they should be."""

    def test_missing(self, tmp_path: Path) -> None:
        """A target that does not exist is not made."""
        stand = Stand(tmp_path, tmp_path / "nowhere")
        refused_well(stand, stand.run(*SMALL), "does not exist")
        assert not stand.target.exists()

    def test_file(self, tmp_path: Path) -> None:
        """A file is no target."""
        (tmp_path / "file").write_text("mine")
        stand = Stand(tmp_path, tmp_path / "file")
        for command in ("run", "plan", "verify", "clean"):
            refused_well(stand, stand.do(command, stand.target), "file")
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.mounts
    @lab.requires_mounts
    def test_read_only(self, tmp_path: Path) -> None:
        """A read-only target is refused; what lies there can be verified all the same."""
        with lab.loop_mount(tmp_path, "ext4") as mount:
            stand = Stand(tmp_path, mount.path)
            assert stand.run(*SMALL).code == 0
            shutil.rmtree(stand.results)
            subprocess.run(["mount", "-o", "remount,ro", mount.path], check=True)
            refused_well(stand, stand.run(*SMALL), "read-only")
            assert stand.ask("verify", stand.target).code == 0
            cleaned = stand.do("clean", stand.target)
            assert cleaned.code == 4
            assert "read-only" in cleaned.err
            assert len(cleaned.messages) == 1

    @pytest.mark.parametrize("kind", ["directory", "file", "symlink", "dangling", "fifo", "marked"])
    def test_name_is_taken(self, tmp_path: Path, kind: str) -> None:
        """What is called aibench-data and is not aibench's is left as it is, by every command."""
        stand = Stand(tmp_path)
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "precious").write_text("mine")
        if kind == "directory":
            shutil.copytree(outside, stand.workspace)
        elif kind == "marked":
            shutil.copytree(outside, stand.workspace)
            (stand.workspace / "aibench.json").write_text('{"made_by": "somebody", "format": 1}')
        elif kind == "file":
            stand.workspace.write_text("mine")
        elif kind == "fifo":
            os.mkfifo(stand.workspace)
        else:
            stand.workspace.symlink_to(outside if kind == "symlink" else tmp_path / "nothing")
        before = listing(tmp_path)
        refused_well(stand, stand.run(*SMALL), str(stand.workspace), "aibench")
        for command in ("clean", "verify")[: 2 if kind == "directory" else 1]:
            refused_well(stand, stand.do(command, stand.target), str(stand.workspace))
        assert listing(tmp_path) == before

    @pytest.mark.mounts
    @lab.requires_mounts
    def test_mount_point_is_in_the_way(self, tmp_path: Path) -> None:
        """A mount point called aibench-data is not aibench's, also one of the same filesystem."""
        stand = Stand(tmp_path)
        other = Stand(tmp_path / "other", tmp_path / "other")
        (tmp_path / "other").mkdir()
        assert other.run(*SMALL).code == 0
        with lab.bind_mount(other.workspace, stand.workspace):
            refused_well(stand, stand.run(*SMALL), "is a mount point of its own")
            refused_well(stand, stand.do("clean", stand.target), "is a mount point of its own")
        assert other.ask("verify", other.target).code == 0

    @pytest.mark.parametrize("kind", ["file", "below a file"])
    def test_results_are_not_a_directory(self, tmp_path: Path, kind: str) -> None:
        """A place for records that is none is refused before anything is written."""
        stand = Stand(tmp_path)
        (tmp_path / "file").write_text("mine")
        place = tmp_path / "file" if kind == "file" else tmp_path / "file" / "runs"
        refused_well(stand, stand.run(*SMALL, "--results", place), str(place), "--results DIR")
        assert list(stand.target.iterdir()) == []

    @pytest.mark.mounts
    @lab.requires_mounts
    def test_results_can_not_be_written(self, tmp_path: Path) -> None:
        """A read-only place for records is refused before anything is written."""
        stand = Stand(tmp_path)
        with lab.tmpfs_mount(tmp_path, read_only=True) as mount:
            for place in (mount.path, mount.path / "deeper"):
                refused_well(stand, stand.run(*SMALL, "--results", place), str(place), "read-only")
        assert list(stand.target.iterdir()) == []

    @pytest.mark.mounts
    @lab.requires_mounts
    def test_results_on_the_target(self, tmp_path: Path) -> None:
        """Records go to the mount under test only when asked for, and then with a warning."""
        with lab.tmpfs_mount(tmp_path, size=128 * lab.MIB) as mount:
            stand = Stand(tmp_path, mount.path)
            silent = stand.run(*SMALL, cwd=mount.path, environment={"AIBENCH_RESULTS": ""})
            refused_well(stand, silent, "is on the mount under test")
            asked = stand.run(*SMALL, "--results", mount.path / "runs")
            assert asked.code == 0
            found = read(next((mount.path / "runs").glob("*.jsonl"))).warnings
            assert "results_on_target" in [warning.code for warning in found]

    @pytest.mark.mounts
    @lab.requires_mounts
    def test_results_fill_up(self, tmp_path: Path) -> None:
        """Where the record can't be written to its end, the run ends and says so."""
        stand = Stand(tmp_path)
        with lab.tmpfs_mount(tmp_path, size=lab.MIB) as mount:
            fill(mount.path / "foreign")
            with (mount.path / "foreign").open("r+b") as file:
                file.truncate(lab.MIB - 8192)
            done = stand.run(*SMALL, "--results", mount.path)
            assert done.code == 4, done.err
            assert "can't be written: no space left on device" in done.err
            assert "Traceback" not in done.err
        assert stand.left_running() == []


def listing(directory: Path) -> list[tuple[str, int, int]]:
    """Everything below a directory, with its kind and its time of change; results left out."""
    found = []
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        found.append((str(path), status.st_mode, status.st_mtime_ns))
    return found


class TestCompany:
    """Others who use the target at the same time."""

    def test_one_run_at_a_time(self, tmp_path: Path) -> None:
        """A second run is refused and told who holds the target; so are clean and verify."""
        stand = Stand(tmp_path)
        with running(stand, *LARGE) as process:
            assert eventually(generating(stand))
            (holder,) = children(process.pid)
            os.kill(holder, signal.SIGSTOP)  # it holds the lock and can't come to its end
            try:
                for command in ("run", "clean", "verify"):
                    done = stand.do(command, stand.target)
                    assert done.code == 2
                    assert f"is in use by another run (pid {holder} on " in done.err
            finally:
                os.kill(holder, signal.SIGCONT)
                process.terminate()
            assert finished(process).code == 4
        assert stand.ask("clean", stand.target).code == 0

    def test_target_is_removed(self, tmp_path: Path) -> None:
        """The target goes away in the middle of a run: it ends, and says what is gone."""
        stand = Stand(tmp_path)
        with running(stand, *LARGE) as process:
            assert eventually(generating(stand))
            stand.target.rename(tmp_path / "elsewhere")
            shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
            done = finished(process)
        assert done.code == 4, done.err
        assert "Traceback" not in done.err
        assert codes(stand.record()) == ["vanished"]
        assert stand.left_running() == []

    def test_data_is_removed_between_phases(self, tmp_path: Path) -> None:
        """Files that vanish before they are read end the run, and are named."""
        stand = Stand(tmp_path)
        assert stand.run(*SMALL).code == 0
        next(stand.workspace.glob("data/*/d*/f0000000499")).unlink()
        done = stand.run(*SMALL)
        assert done.code in (2, 4)
        assert "f0000000499" in done.err
        assert "Traceback" not in done.err
