"""Bytes that storage delivered are counted below the page cache."""

import os
import subprocess
from pathlib import Path

import pytest

from aibench.probes import cache, delivered, devices, mounts
from aibench.probes.delivered import DeliveryCounter
from aibench.probes.devices import Traffic
from aibench.probes.layers import Layer
from tests import build, lab
from tests.lab import MIB


@pytest.mark.mounts
@pytest.mark.alone
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
@pytest.mark.alone
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
@pytest.mark.alone
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
@pytest.mark.alone
@lab.requires_mounts
def test_loop_device_with_cached_image(tmp_path: Path) -> None:
    """A loop device that reads its image through the page cache is named."""
    with lab.loop_mount(tmp_path, direct=False) as mounted:
        counter = delivered.counter(mounts.describe(str(mounted.path)))
    assert counter.cached_below == mounted.device


@pytest.mark.mounts
@pytest.mark.alone
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
@pytest.mark.alone
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


def counted(*totals: int | None) -> DeliveryCounter:
    """A counter of one layer that says ``totals``, one after the other."""
    moves = iter(totals)

    def traffic() -> Traffic | None:
        total = next(moves)
        return None if total is None else Traffic(total, 0)

    return DeliveryCounter(layers=(Layer("block device sda", traffic),))


@pytest.mark.parametrize(
    ("before", "after", "passed"), [(5, 5, 0), (5, 12, 7), (5, 4, None), (5, None, None)]
)
def test_what_passed(before: int, after: int | None, passed: int | None) -> None:
    """A counter that went backwards was reset, and like one that has gone it tells nothing."""
    counter = counted(before, after)
    readings = counter.readings()
    assert counter.since(readings).layers == (("block device sda", passed),)


def test_programs_of_a_mount() -> None:
    """What all programs asked of a mount is counted beside what its server gave."""
    asked = iter((100, 350))
    counter = DeliveryCounter(asked=lambda: next(asked))
    assert counter.since(counter.readings()).asked_by_all == 250


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_device_of_a_source(tmp_path: Path) -> None:
    """Where the filesystem's own number is no device, the source of the mount names it."""
    with lab.loop_mount(tmp_path, size=32 * MIB) as mounted:
        assert devices.name_of_source(f"/dev/{mounted.device}") == mounted.device
    for source in ("overlay", "/dev/null", "/nowhere"):
        assert devices.name_of_source(source) is None
