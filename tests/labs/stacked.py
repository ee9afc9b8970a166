"""Filesystems with layers below them: several devices, a partition, an image on another one."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import lab
from tests.lab import MIB, Mounted
from tests.labs.ledger import Ledger, laboratory
from tests.labs.undoing import run, unmount


@dataclass(frozen=True)
class Pool(Mounted):
    """A filesystem on several loop devices."""

    devices: tuple[str, ...] = ()


def missing_btrfs() -> str:
    """What this machine lacks for a btrfs, in a sentence; empty where it lacks nothing."""
    if lacking := lab.missing():
        return lacking
    if shutil.which("mkfs.btrfs") is None:
        return "A btrfs needs mkfs.btrfs (package btrfs-progs)."
    known = Path("/proc/filesystems").read_text().split()
    return "" if "btrfs" in known else "A btrfs needs a kernel with btrfs."


def missing_partitions() -> str:
    """What this machine lacks for a partition, in a sentence; empty where it lacks nothing."""
    lacking = "" if shutil.which("addpart") else "A partition needs addpart (package util-linux)."
    return lab.missing() or lacking


@contextlib.contextmanager
def btrfs(size: int = 128 * MIB) -> Iterator[Pool]:
    """A btrfs on two loop devices past the page cache, data spread over both."""
    with laboratory() as ledger:
        devices = [_loop(ledger, f"{number}.image", size) for number in range(2)]
        run("mkfs.btrfs", "-q", "-f", "-d", "raid0", "-m", "raid1", *devices)
        options = ",".join(f"device={device}" for device in devices)
        point = ledger.mount("-t", "btrfs", "-o", options, devices[0])
        names = tuple(Path(device).name for device in devices)
        yield Pool(point, "btrfs", names[0], names)


@contextlib.contextmanager
def partition(size: int = 128 * MIB) -> Iterator[Mounted]:
    """An ext4 on a partition of a loop device past the page cache.

    The kernel is told of the partition, so it needs to understand no partition table.
    """
    with laboratory() as ledger:
        device = _loop(ledger, "partitioned.image", size, "--partscan")
        run("addpart", device, "1", "2048", str(size // 512 - 2048))
        run("mkfs.ext4", "-q", "-F", f"{device}p1")
        point = ledger.mount("-t", "ext4", f"{device}p1")
        yield Mounted(point, "ext4", f"{Path(device).name}p1")
        unmount(str(point))
        run("delpart", device, "1")


@contextlib.contextmanager
def cached_image(directory: Path, size: int = 64 * MIB) -> Iterator[tuple[Mounted, Mounted]]:
    """An ext4, and one on an image that lies on the first and is read through the page cache."""
    with (
        lab.loop_mount(directory, size=2 * size) as below,
        lab.loop_mount(below.path, size=size, direct=False) as above,
    ):
        yield below, above


def _loop(ledger: Ledger, name: str, size: int, *options: str) -> str:
    """A new sparse image on a loop device; the path of the device."""
    image = ledger.directory / name
    image.touch()
    os.truncate(image, size)
    ledger.note("loop", image)
    return run("losetup", "-f", "--show", "--direct-io=on", *options, image)
