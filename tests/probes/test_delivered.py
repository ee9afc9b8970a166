"""Bytes that storage delivered are counted below the page cache."""

import os
import subprocess
from pathlib import Path

import pytest

from aibench.probes import cache, delivered, devices, mounts
from tests import build, lab
from tests.lab import MIB

MOUNTSTATS = """device rootfs mounted on / with fstype ext4
device nas:/data mounted on /mnt/my\\040nas with fstype nfs4 statvers=1.1
\topts:\trw,vers=4.2
\tage:\t100
\tbytes:\t11 12 13 14 1500 1600 17 18
\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)
device nas:/other mounted on /mnt/other with fstype nfs statvers=1.1
\tbytes:\t1 2 3 4 5 6 7 8
device nas:/broken mounted on /mnt/broken with fstype nfs statvers=1.1
\tbytes:\t1 2
"""


@pytest.mark.mounts
@lab.requires_mounts
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_known_volume(tmp_path: Path, fstype: str) -> None:
    """A known volume, read cold, is delivered within 5 %; the same read again, not at all."""
    size = 32 * MIB
    with lab.loop_mount(tmp_path, fstype) as mounted:
        file = mounted.path / "file"
        file.write_bytes(os.urandom(size))
        counter = delivered.counter(mounts.describe(str(mounted.path)))
        evict(mounted.path, "file")
        shares = []
        for _ in range(2):
            before = counter.read_bytes() or 0
            file.read_bytes()
            shares.append(((counter.read_bytes() or 0) - before) / size)
    assert counter.source == f"block device {mounted.device}"
    assert (counter.reason, counter.memory, counter.cached_below) == ("", "", "")
    assert shares[0] == pytest.approx(1, abs=0.05)
    assert shares[1] == pytest.approx(0, abs=0.05)


def evict(directory: Path, *names: str) -> None:
    """Evicts the files ``names`` one by one."""
    root = os.open(directory, os.O_RDONLY)
    try:
        cache.evict(root, names, allow_drop=False)
    finally:
        os.close(root)


@pytest.mark.mounts
@lab.requires_mounts
def test_written_volume(tmp_path: Path) -> None:
    """A known volume, written with dd and synced, is taken by the device within 5 %."""
    size = 32 * MIB
    with lab.loop_mount(tmp_path) as mounted:
        counter = delivered.counter(mounts.describe(str(mounted.path)))
        before = counter.written_bytes() or 0
        command = ["dd", "if=/dev/urandom", f"of={mounted.path}/file", "bs=1M", "count=32"]
        subprocess.run([*command, "conv=fsync"], check=True, capture_output=True, timeout=60)
        share = ((counter.written_bytes() or 0) - before) / size
    assert share == pytest.approx(1, abs=0.05)


@pytest.mark.mounts
@lab.requires_mounts
def test_own_bytes(tmp_path: Path) -> None:
    """What a child read counts as the parent's own once the child has ended."""
    size = 8 * MIB
    if delivered.own_read_bytes() is None:
        pytest.skip("This kernel does not count what a process reads.")
    with lab.loop_mount(tmp_path) as mounted:
        file = mounted.path / "file"
        file.write_bytes(os.urandom(size))
        evict(mounted.path, "file")
        before = delivered.own_read_bytes() or 0
        command = ["dd", f"if={file}", "of=/dev/null", "bs=1M"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        own = (delivered.own_read_bytes() or 0) - before
    assert own == pytest.approx(size, rel=0.25)


@pytest.mark.mounts
@lab.requires_mounts
def test_loop_device_with_cached_image(tmp_path: Path) -> None:
    """A loop device that reads its image through the page cache is named."""
    with lab.loop_mount(tmp_path, direct=False) as mounted:
        counter = delivered.counter(mounts.describe(str(mounted.path)))
    assert counter.cached_below == mounted.device


@pytest.mark.mounts
@lab.requires_mounts
def test_image_in_memory(tmp_path: Path) -> None:
    """A loop device whose image lies on a tmpfs is memory, whatever its counter says."""
    with (
        lab.tmpfs_mount(tmp_path) as memory,
        lab.loop_mount(memory.path, size=32 * MIB, direct=False) as mounted,
    ):
        counter = delivered.counter(mounts.describe(str(mounted.path)))
    assert "image lies in memory (tmpfs)" in counter.memory


@pytest.mark.mounts
@lab.requires_mounts
def test_tmpfs(tmp_path: Path) -> None:
    """A tmpfs has nothing to count, because it is memory."""
    with lab.tmpfs_mount(tmp_path) as mounted:
        counter = delivered.counter(mounts.describe(str(mounted.path)))
    assert (counter.source, counter.read_bytes(), counter.written_bytes()) == ("", None, None)
    assert "memory" in counter.memory


@pytest.mark.parametrize(
    ("fstype", "why"),
    [
        ("fuse.juicefs", "a process that may cache"),
        ("fuseblk", "a process that may cache"),
        ("overlay", "any of its layers"),
        ("zfs", "ARC"),
        ("lustre", "no byte counter is known for lustre"),
        ("nfs4", "does not list /nowhere"),
    ],
)
def test_no_counter(fstype: str, why: str) -> None:
    """Where nothing can be counted, the reason says why."""
    target = build.target(fstype=fstype, device=None, mount_point="/nowhere")
    counter = delivered.counter(target)
    assert (counter.source, counter.read_bytes()) == ("", None)
    assert why in counter.reason


def test_nfs_bytes(tmp_path: Path) -> None:
    """For NFS the bytes are those asked of the server, not those that programs read."""
    file = tmp_path / "mountstats"
    file.write_text(MOUNTSTATS)
    assert delivered.nfs_traffic("/mnt/my nas", str(file)) == (1500, 1600)
    assert delivered.nfs_traffic("/mnt/other", str(file)) == (5, 6)
    assert delivered.nfs_traffic("/mnt/broken", str(file)) is None
    assert delivered.nfs_traffic("/", str(file)) is None


def sysfs(root: Path) -> str:
    """A recorded machine: btrfs on two disks, and a volume on a partition of a loop device."""
    devices_ = root / "devices"
    for name, sectors in (("sda", 100), ("sdb", 50), ("dm-0", 7), ("loop7", 9), ("zram0", 1)):
        (devices_ / name / "queue").mkdir(parents=True)
        (devices_ / name / "queue/iostats").write_text("1\n")
        (devices_ / name / "stat").write_text(f"1 0 {sectors} 5 1 0 {2 * sectors} 5 0 5 10\n")
    partition = devices_ / "loop7/loop7p1"
    partition.mkdir()
    (partition / "partition").write_text("1\n")
    (partition / "stat").write_text("1 0 3 5 1 0 4 5 0 5 10\n")
    (devices_ / "loop7/loop").mkdir()
    (devices_ / "loop7/loop/dio").write_text("0\n")
    (devices_ / "dm-0/slaves/loop7p1").mkdir(parents=True)
    (root / "fs/btrfs/1234/devices").mkdir(parents=True)
    (root / "class/block").mkdir(parents=True)
    for name in ("sda", "sdb"):
        (root / "fs/btrfs/1234/devices" / name).symlink_to(devices_ / name)
    for place in (*devices_.iterdir(), partition):
        (root / "class/block" / place.name).symlink_to(place)
    return str(root)


def test_all_devices_of_btrfs(tmp_path: Path) -> None:
    """A filesystem on several devices is counted on all of them."""
    counter = delivered.counter(build.target(fstype="btrfs", device="sda"), sysfs(tmp_path))
    assert counter.source == "block devices sda, sdb"
    assert (counter.read_bytes(), counter.written_bytes()) == (150 * 512, 300 * 512)


def test_layers_below(tmp_path: Path) -> None:
    """A cached image is found through a volume and a partition."""
    counter = delivered.counter(build.target(device="dm-0"), sysfs(tmp_path))
    assert (counter.cached_below, counter.read_bytes()) == ("loop7", 7 * 512)


def test_ram_disk(tmp_path: Path) -> None:
    """A filesystem on a RAM disk is memory."""
    counter = delivered.counter(build.target(device="zram0"), sysfs(tmp_path))
    assert counter.memory == "block device zram0 is memory"


def test_uncounted_device(tmp_path: Path) -> None:
    """A device that the kernel was told not to count gives no figures, and says so."""
    root = sysfs(tmp_path)
    (tmp_path / "devices/loop7/queue/iostats").write_text("0\n")
    counter = delivered.counter(build.target(device="loop7p1"), root)
    assert (counter.source, counter.read_bytes()) == ("", None)
    assert "iostats is 0" in counter.reason
    assert devices.traffic("loop7p1", root) == (3 * 512, 4 * 512)
    assert "no statistics" in delivered.counter(build.target(device="sdz"), root).reason


def test_vanished_device(tmp_path: Path) -> None:
    """A counter whose device has gone tells nothing any more."""
    counter = delivered.counter(build.target(device="sda"), sysfs(tmp_path))
    (tmp_path / "devices/sda/stat").unlink()
    assert counter.read_bytes() is None


@pytest.mark.mounts
@lab.requires_mounts
def test_device_of_a_source(tmp_path: Path) -> None:
    """Where the filesystem's own number is no device, the source of the mount names it."""
    with lab.loop_mount(tmp_path, size=32 * MIB) as mounted:
        assert devices.name_of_source(f"/dev/{mounted.device}") == mounted.device
    for source in ("overlay", "/dev/null", "/nowhere"):
        assert devices.name_of_source(source) is None
