"""The laboratory keeps its promises and leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import lab
from tests.lab import MIB

pytestmark = [pytest.mark.mounts, lab.requires_mounts]

READ_DIRECTLY = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 2**18)
while os.readv(file, [buffer]):
    pass
"""


@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_loop_mount(tmp_path: Path, fstype: str) -> None:
    """A loop mount is a real filesystem, its image out of the page cache, and goes completely."""
    with lab.loop_mount(tmp_path, fstype) as mounted:
        (mounted.path / "file").write_bytes(b"x")
        listed = Path("/proc/self/mountinfo").read_text()
        assert f" - {fstype} /dev/{mounted.device} " in listed
        assert Path(f"/sys/block/{mounted.device}/loop/dio").read_text().strip() == "1"
        assert len(lab.leftovers(tmp_path)) == 2
    assert lab.leftovers(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def fail_on_a_mount(directory: Path) -> None:
    """Fails while a file on the mount is open."""
    with lab.loop_mount(directory) as mounted, (mounted.path / "file").open("w"):
        raise ZeroDivisionError


def test_teardown_after_failure(tmp_path: Path) -> None:
    """A mount goes also when the test on it fails."""
    with pytest.raises(ZeroDivisionError):
        fail_on_a_mount(tmp_path)
    assert lab.leftovers(tmp_path) == []


def test_teardown_while_held(tmp_path: Path) -> None:
    """A tmpfs that a process still holds is out of sight at once, and free when it lets go."""
    with lab.tmpfs_mount(tmp_path) as mounted:
        held = os.open(mounted.path, os.O_RDONLY)
    assert lab.leftovers(tmp_path) == []
    os.close(held)


def test_tmpfs_limits(tmp_path: Path) -> None:
    """A tmpfs is full exactly at its size and at its number of inodes."""
    with lab.tmpfs_mount(tmp_path, size=MIB, inodes=3) as mounted:
        with pytest.raises(OSError, match="No space left"):
            (mounted.path / "large").write_bytes(bytes(MIB + 1))
        (mounted.path / "second").touch()
        with pytest.raises(OSError, match="No space left"):
            (mounted.path / "third").touch()
    assert lab.leftovers(tmp_path) == []


def test_throttle(tmp_path: Path) -> None:
    """A throttled device reads at its limit, in a process that was started under it."""
    if lab.missing_throttle():
        pytest.skip(lab.missing_throttle())
    size, rate = 8 * MIB, 8_000_000
    with lab.loop_mount(tmp_path) as mounted:
        file = mounted.path / "file"
        file.write_bytes(os.urandom(size))
        os.sync()
        with lab.throttle(mounted, read_bps=rate):
            began = time.monotonic()
            subprocess.run([sys.executable, "-c", READ_DIRECTLY, file], check=True, timeout=60)
            took = time.monotonic() - began
    assert took >= 0.9 * size / rate
    assert not list(Path("/sys/fs/cgroup").glob(f"**/aibench-lab-{os.getpid()}-*"))
