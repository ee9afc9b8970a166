"""Filesystems whose limits are known: so many bytes a second, so much space, so much memory."""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import lab
from tests.lab import MIB, Mounted
from tests.labs.ledger import laboratory

THROTTLED = (
    "reads and synced or direct writes at the bytes per second or operations per second that were "
    "asked for, within 3 % after a burst of up to 0.2 s, by this process and those it starts"
)
BURST_S = 0.2
"""The kernel lets an idle device off with what it may do in so many seconds."""
TMPFS = "full exactly at its size, and at its number of inodes"
LOST_WRITES = "takes 60 MiB of writes that it has no room for; only fsync says so"
CUT_SHORT = "after `cut`, what lies beyond gives EIO, and what lies before is read well"
PAGE_CACHE = "the page cache keeps no more than the limit of what this process reads"
_V1_MEMORY = Path("/sys/fs/cgroup/memory")
_V1_CPU = Path("/sys/fs/cgroup/cpu")
_V2 = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def throttled(
    fstype: str = "ext4",
    *,
    read_bps: int = 0,
    read_iops: int = 0,
    write_bps: int = 0,
    size: int = 256 * MIB,
) -> Iterator[Mounted]:
    """An ext4 or xfs on a device with limits, 0 for none. Skips where the kernel can't throttle."""
    limits = {"read_bps": read_bps, "read_iops": read_iops, "write_bps": write_bps}
    with laboratory() as ledger, lab.loop_mount(ledger.directory, fstype, size) as mounted:
        if not any(limits.values()):
            yield mounted
            return
        with lab.throttle(mounted, **limits):
            yield mounted


def xfs(**settings: int) -> AbstractContextManager[Mounted]:
    """`throttled`, as an xfs."""
    return throttled("xfs", **settings)


@contextlib.contextmanager
def tmpfs(*, size: int = 64 * MIB, inodes: int | None = None) -> Iterator[Mounted]:
    """A tmpfs that is full after ``size`` bytes or ``inodes`` inodes, its root being the first."""
    with laboratory() as ledger, lab.tmpfs_mount(ledger.directory, size, inodes) as mounted:
        yield mounted


@contextlib.contextmanager
def lost_writes(*, size: int = 100 * MIB, room: int = 30 * MIB) -> Iterator[Mounted]:
    """An ext4 that says it has ``size``, on an image for which there is only ``room``."""
    with (
        laboratory() as ledger,
        lab.tmpfs_mount(ledger.directory, room) as memory,
        lab.loop_mount(memory.path, "ext4", size, direct=False, at=ledger.directory) as mounted,
    ):
        yield mounted


@dataclass(frozen=True)
class CutShort(Mounted):
    """A filesystem on an image that can be cut off while it is mounted."""

    image: Path = Path()

    def cut(self, size: int) -> None:
        """Remove all of the image beyond ``size``, and forget what is cached of it."""
        os.sync()
        os.truncate(self.image, size)
        Path("/proc/sys/vm/drop_caches").write_text("3\n")


@contextlib.contextmanager
def cut_short(*, size: int = 256 * MIB) -> Iterator[CutShort]:
    """An ext4 without a journal, to be cut short."""
    with laboratory() as ledger, lab.loop_mount(ledger.directory, "ext4", size) as mounted:
        image = next(iter(ledger.directory.glob("*.image")))
        whole = image.stat().st_size
        yield CutShort(mounted.path, mounted.fstype, mounted.device, image)
        os.truncate(image, whole)


def missing_memory() -> str:
    """What this machine lacks to limit memory, in a sentence; empty where it lacks nothing."""
    if os.geteuid() != 0:
        return "A limited page cache needs root."
    v2 = _V2 / "cgroup.controllers"
    if (_V1_MEMORY / "cgroup.procs").exists() or (v2.exists() and "memory" in v2.read_text()):
        return ""
    return "A limited page cache needs the memory controller of cgroups."


@contextlib.contextmanager
def page_cache(limit: int) -> Iterator[None]:
    """This process and those it starts get ``limit`` bytes of memory, page cache and all."""
    if lacking := missing_memory():
        pytest.skip(lacking)
    if (_V1_MEMORY / "cgroup.procs").exists():
        top, name, controller = _V1_MEMORY, "memory.limit_in_bytes", "memory"
    else:
        top, name, controller = _V2, "memory.max", ""
    home = top / lab.own_group(controller).lstrip("/")
    with lab.in_group(top, home, [(name, str(limit))]):
        yield


def missing_quota() -> str:
    """What this machine lacks to limit CPU time, in a sentence; empty where it lacks nothing."""
    if os.geteuid() != 0:
        return "A CPU quota needs root."
    v2 = _V2 / "cgroup.controllers"
    if (_V1_CPU / "cpu.cfs_quota_us").exists() or (v2.exists() and "cpu" in v2.read_text()):
        return ""
    return "A CPU quota needs the cpu controller of cgroups."


@contextlib.contextmanager
def cpu_quota(share: float) -> Iterator[Callable[[], object]]:
    """A control group whose processes together get this share of one processor.

    What is given moves the calling process there: it is for ``preexec_fn``. They have ended when
    this is left, or are moved out.
    """
    if lacking := missing_quota():
        pytest.skip(lacking)
    period_us = 100_000
    if (_V1_CPU / "cgroup.procs").exists():
        top, name, line = _V1_CPU, "cpu.cfs_quota_us", str(int(share * period_us))
    else:
        top, name, line = _V2, "cpu.max", f"{int(share * period_us)} {period_us}"
    with laboratory() as ledger:
        group = top / ledger.name
        ledger.note("borrowed group", group)
        if top == _V2 and "cpu" not in (top / "cgroup.subtree_control").read_text().split():
            (top / "cgroup.subtree_control").write_text("+cpu")
        group.mkdir()
        (group / name).write_text(line)
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
