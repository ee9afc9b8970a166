"""Known limits are what they are said to be, measured by fio, dd and fincore."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests import lab
from tests.lab import MIB
from tests.labs import limits
from tests.labs.tools import copied, dd, fio, requires_fio, tool, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow(2), lab.requires_mounts]
requires_throttle = unless(lab.missing_throttle())


@pytest.mark.paced
@requires_throttle
@requires_fio
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_read_bandwidth(fstype: str) -> None:
    """A device with a limit of bytes per second is read at that rate, within 3 %."""
    with limits.throttled(fstype, read_bps=40_000_000) as mounted:
        measured = fio(mounted.path, "--rw=read", "--bs=256k")
    assert measured["read"]["bw_bytes"] == pytest.approx(40_000_000, rel=0.03)


@pytest.mark.paced
@requires_throttle
@requires_fio
def test_write_bandwidth() -> None:
    """A device with a limit of bytes per second is written at that rate, within 3 %."""
    with limits.throttled(write_bps=40_000_000) as mounted:
        measured = fio(mounted.path, "--rw=write", "--bs=256k")
    assert measured["write"]["bw_bytes"] == pytest.approx(40_000_000, rel=0.03)


@pytest.mark.paced
@requires_throttle
@requires_fio
def test_read_operations() -> None:
    """A device with a limit of operations does as many, each as long as its share of a second."""
    with limits.throttled(read_iops=500) as mounted:
        measured = fio(mounted.path, "--rw=randread", "--bs=4k")
    assert measured["read"]["iops"] == pytest.approx(500, rel=0.03)
    assert measured["read"]["lat_ns"]["mean"] == pytest.approx(2e6, rel=0.1)


def test_tmpfs_is_full_at_its_size() -> None:
    """A tmpfs takes exactly as many bytes as it was made for."""
    with limits.tmpfs(size=8 * MIB) as mounted:
        done = dd("if=/dev/zero", f"of={mounted.path}/file", "bs=64k")
    assert "No space left on device" in done.stderr
    assert copied(done) == 8 * MIB


def test_tmpfs_has_so_many_inodes() -> None:
    """A tmpfs takes exactly as many names as it was made for, its root among them."""
    with limits.tmpfs(inodes=10) as mounted:
        done = tool("touch", *(mounted.path / str(number) for number in range(10)))
        assert len(os.listdir(mounted.path)) == 9
    assert done.returncode == 1


@pytest.mark.alone
def test_lost_writes() -> None:
    """Writes that there is no room for succeed, and fsync tells, unless somebody syncs before."""
    with limits.lost_writes() as mounted:
        source, target = "if=/dev/urandom", f"of={mounted.path}/file"
        assert dd(source, target, "bs=1M", "count=60").returncode == 0
        synced = dd(source, target, "bs=1M", "count=60", "conv=notrunc,fsync")
    assert synced.returncode == 1
    assert re.search("No space left on device|Input/output error", synced.stderr)


def test_cut_short() -> None:
    """On an image that was cut short, what lies beyond gives EIO, and what lies before is well."""
    with limits.cut_short() as mounted:
        before, beyond = mounted.path / "before", mounted.path / "beyond"
        before.write_bytes(os.urandom(MIB))
        beyond.write_bytes(bytes(150 * MIB))
        expected = before.read_bytes()
        mounted.cut(60 * MIB)
        assert before.read_bytes() == expected
        done = dd(f"if={beyond}", "of=/dev/null", "bs=1M")
    assert "Input/output error" in done.stderr
    assert 0 < copied(done) < 150 * MIB


@pytest.mark.alone
@unless("" if shutil.which("fincore") else "This needs fincore (package util-linux).")
@unless(limits.missing_memory())
def test_page_cache() -> None:
    """Of a file twice as large as the page cache may be, no more than the limit is kept."""
    limit, size = 128 * MIB, 256 * MIB
    with limits.throttled(size=320 * MIB) as mounted:
        file = mounted.path / "file"
        assert dd("if=/dev/zero", f"of={file}", "bs=1M", f"count={size // MIB}").returncode == 0
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
        with limits.page_cache(limit):
            assert dd(f"if={file}", "of=/dev/null", "bs=1M").returncode == 0
        kept = int(tool("fincore", "--bytes", "--noheadings", "--output=RES", file).stdout)
    assert limit / 4 < kept <= limit
