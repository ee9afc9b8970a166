"""What control groups allow is read as they say it, in both versions, and on this machine."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aibench.probes import groups, resources
from tests import lab
from tests.machines import tree

V1 = (
    "31 1 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "33 1 0:33 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
)
V2 = "32 1 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
BLOCK = "sys/class/block"


@pytest.mark.parametrize(
    ("text", "quota"), [("150000 100000", 1.5), ("max 100000", None), ("", None), ("5 0", None)]
)
def test_quota_of_v2(tmp_path: Path, text: str, quota: float | None) -> None:
    """A quota is told in CPUs' worth of time, parts of one too."""
    files = {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2, "sys/fs/cgroup/cpu.max": text}
    root = tree(tmp_path, files)
    assert groups.cpu_quota(root) == quota


def test_tightest_quota(tmp_path: Path) -> None:
    """Of the groups on the way up the tightest holds; the usable CPUs are whole ones."""
    top = "sys/fs/cgroup"
    root = tree(tmp_path, {
        "proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": V2,
        f"{top}/a/cpu.max": "120000 100000", f"{top}/a/b/cpu.max": "400000 100000",
        f"{top}/a/cpu.stat": "throttled_usec 9\n", f"{top}/a/b/cpu.stat": "throttled_usec 4\n",
    })  # fmt: skip
    assert groups.cpu_quota(root) == 1.2
    assert groups.held_back_us(root) == 9
    assert resources.usable_cpus(root) <= 2


def test_held_back_of_v1(tmp_path: Path) -> None:
    """Version 1 counts nanoseconds."""
    root = tree(tmp_path, {
        "proc/self/cgroup": "1:cpu:/\n", "proc/self/mountinfo": V1,
        "sys/fs/cgroup/cpu/cpu.stat": "nr_throttled 3\nthrottled_time 5000\n",
    })  # fmt: skip
    assert groups.held_back_us(root) == 5
    assert groups.held_back_us(str(tmp_path / "nowhere")) is None


def disk(root: Path) -> None:
    """A disk ``sda`` with a partition, and a volume ``dm-0`` on the partition."""
    real = root / "sys/devices/sda"
    tree(real, {"dev": "8:0\n", "sda1/dev": "8:1\n", "sda1/partition": "1\n"})
    tree(root, {f"{BLOCK}/dm-0/dev": "253:0\n"})
    (root / BLOCK / "sda").symlink_to(real)
    (root / BLOCK / "sda1").symlink_to(real / "sda1")
    (root / BLOCK / "dm-0/slaves").mkdir()
    (root / BLOCK / "dm-0/slaves/sda1").symlink_to(real / "sda1")


@pytest.mark.parametrize("device", ["sda", "sda1", "dm-0"])
def test_io_limits_of_v2(tmp_path: Path, device: str) -> None:
    """Limits on a disk hold for its partitions and for volumes on it; the tightest is told."""
    disk(tmp_path)
    root = tree(tmp_path, {
        "proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": V2,
        "sys/fs/cgroup/io.max": "8:0 rbps=9000000 wbps=max riops=max wiops=max\n",
        "sys/fs/cgroup/a/io.max": "8:16 rbps=1 wbps=1 riops=1 wiops=1\n"
        "8:0 rbps=5000000 wbps=max riops=max wiops=300\n",
    })  # fmt: skip
    assert groups.io_limits(device, root) == ("reads 5.00 MB/s", "writes 300 a second")


def test_io_limits_of_v1(tmp_path: Path) -> None:
    """Version 1 has a file for each kind of limit."""
    disk(tmp_path)
    root = tree(tmp_path, {
        "proc/self/cgroup": "1:blkio:/\n", "proc/self/mountinfo": V1,
        "sys/fs/cgroup/blkio/blkio.throttle.write_bps_device": "8:0 40000000\n9:9 1\n",
        "sys/fs/cgroup/blkio/blkio.throttle.read_iops_device": "8:0 500\n",
    })  # fmt: skip
    assert groups.io_limits("sda1", root) == ("reads 500 a second", "writes 40.0 MB/s")
    assert groups.io_limits("sdb", root) == groups.io_limits(None, root) == ()


def test_memory_limit(tmp_path: Path) -> None:
    """A limit above the memory of the machine is none."""
    files = {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2,
             "proc/meminfo": "MemTotal: 1000 kB\n"}  # fmt: skip
    root = tree(tmp_path, files | {"sys/fs/cgroup/memory.max": "512000"})
    assert groups.memory_limit(root) == 512000
    tree(tmp_path, {"sys/fs/cgroup/memory.max": "9999999999"})
    assert groups.memory_limit(root) is None


TOP = Path("/sys/fs/cgroup/cpu")
MISSING = lab.missing() or (
    "" if (TOP / "cpu.cfs_quota_us").exists() or (TOP / "cgroup.procs").exists() else
    "Here is no cpu controller of cgroup version 1."
)  # fmt: skip


@contextmanager
def quota(microseconds: int) -> Iterator[None]:
    """This process may compute for so long in each 100 ms."""
    home = TOP / lab.own_group("cpu").lstrip("/")
    with lab.in_group(TOP, home, [("cpu.cfs_quota_us", str(microseconds))]):
        yield


@pytest.mark.mounts
@pytest.mark.alone
@pytest.mark.skipif(bool(MISSING), reason=MISSING or "nothing is missing")
def test_a_real_quota() -> None:
    """A quota of a real group is seen, as are the CPUs it leaves and the time it held back."""
    before = resources.usable_cpus()
    with quota(30_000):
        assert groups.cpu_quota() == 0.3
        assert resources.usable_cpus() == 1
        held = groups.held_back_us()
        computing = "import time\nwhile time.process_time() < 0.2: pass"
        subprocess.run([sys.executable, "-c", computing], timeout=60, check=True)
        now = groups.held_back_us()
    assert held is not None
    assert now is not None
    assert now > held
    assert resources.usable_cpus() == before


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_a_real_limit(tmp_path: Path) -> None:
    """Limits on a real loop device are seen while they hold."""
    with lab.loop_mount(tmp_path) as mounted:
        with lab.throttle(mounted, read_bps=40_000_000, write_bps=20_000_000):
            found = groups.io_limits(mounted.device)
        assert found == ("reads 40.0 MB/s", "writes 20.0 MB/s")
        assert groups.io_limits(mounted.device) == ()
