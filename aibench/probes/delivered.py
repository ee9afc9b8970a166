"""How many bytes the storage delivered to this client, counted below the page cache.

A counter counts all traffic of its device or mount, so it says too much where others read from
the same one, never too little. `own_read_bytes` says what this process and its children caused.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aibench.model import Target
from aibench.probes import devices, mounts, sysfs
from aibench.probes.devices import Traffic

MOUNTSTATS = "/proc/self/mountstats"
_SERVER_READ, _SERVER_WRITTEN = 4, 5
_NO_COUNTER = {
    "overlay": "an overlay's files may lie in any of its layers",
    "zfs": "ZFS has no counter for one mount, and its own cache (ARC) in memory",
    "9p": "9p mounts have no byte counter",
    "virtiofs": "virtiofs mounts have no byte counter, and the host caches behind them",
}


def _nothing() -> Traffic | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCounter:
    """Bytes that storage has delivered to this client, and taken from it, since some past moment.

    ``source`` names what is counted. Where nothing can be counted it is empty and ``reason`` says
    why. ``memory`` says why what lies below is memory. ``cached_below`` names a loop device that
    reads its image through this host's page cache, above the medium and below the counter.
    """

    source: str = ""
    reason: str = ""
    memory: str = ""
    cached_below: str = ""
    totals: Callable[[], Traffic | None] = _nothing

    def read_bytes(self) -> int | None:
        """Bytes read so far; None where they can't be counted (any more)."""
        traffic = self.totals()
        return traffic.read if traffic else None

    def written_bytes(self) -> int | None:
        """Bytes written so far; None where they can't be counted (any more)."""
        traffic = self.totals()
        return traffic.written if traffic else None


def counter(target: Target, sys: str = "/sys") -> DeliveryCounter:
    """The counter for ``target``: of its block devices, or of its NFS mount."""
    if target.is_memory:
        return DeliveryCounter(
            reason=f"{target.fstype} has no storage to count",
            memory=f"{target.fstype} is memory: there is no storage behind it",
        )
    if target.fstype.partition(".")[0] in ("fuse", "fuseblk"):
        why = f"{target.fstype} is served by a process that may cache, and has no byte counter"
        return DeliveryCounter(reason=why)
    if target.fstype in ("nfs", "nfs4"):
        return _nfs_counter(target)
    if target.fstype not in _NO_COUNTER and target.device:
        return _block_counter(target.device, sys)
    why = _NO_COUNTER.get(target.fstype, f"no byte counter is known for {target.fstype}")
    return DeliveryCounter(reason=why)


def _nfs_counter(target: Target) -> DeliveryCounter:
    totals = partial(nfs_traffic, target.mount_point)
    if totals() is None:
        return DeliveryCounter(reason=f"{MOUNTSTATS} does not list {target.mount_point}")
    return DeliveryCounter(source=f"NFS mount {target.mount_point}", totals=totals)


def _block_counter(device: str, sys: str) -> DeliveryCounter:
    names = devices.members(device, sys)
    title = f"block device{'s' * (len(names) > 1)} {', '.join(names)}"
    if not all(devices.counts(name, sys) for name in names):
        return DeliveryCounter(reason=f"the kernel does not count {title} (queue/iostats is 0)")
    totals = partial(_block_traffic, names, sys)
    if totals() is None:
        return DeliveryCounter(reason=f"{sys} has no statistics of {title}")
    memory = (_memory_below(name, sys) for name in names)
    cached = (devices.cached_loop(name, sys) for name in names)
    return DeliveryCounter(
        source=title,
        totals=totals,
        memory=next(filter(None, memory), ""),
        cached_below=next(filter(None, cached), ""),
    )


def _block_traffic(names: tuple[str, ...], sys: str) -> Traffic | None:
    read = written = 0
    for name in names:
        traffic = devices.traffic(name, sys)
        if traffic is None:
            return None
        read, written = read + traffic.read, written + traffic.written
    return Traffic(read, written)


def _memory_below(name: str, sys: str) -> str:
    """Why a device below ``name`` is memory; empty where none is, as far as can be seen."""
    for device in devices.stack(name, sys):
        if devices.is_memory(device):
            return f"block device {device} is memory"
        image = devices.image(device, sys)
        below = mounts.covering(mounts.mounted(), image) if image else None
        if below is not None and below.fstype in ("tmpfs", "ramfs"):
            return f"{device} is a loop device whose image lies in memory ({below.fstype})"
    return ""


def nfs_traffic(mount_point: str, mountstats: str = MOUNTSTATS) -> Traffic | None:
    """What the NFS server of ``mount_point`` was asked for, buffered and direct, by this client.

    All mounts of one export share these counters. None where the mount is not listed.
    """
    found = None
    inside = False
    for line in (sysfs.text(mountstats) or "").splitlines():
        words = line.split()
        if words[:1] == ["device"]:
            inside = "on" in words and _point(words) == mount_point
        elif inside and words[:1] == ["bytes:"] and len(words) > _SERVER_WRITTEN + 1:
            found = Traffic(int(words[1 + _SERVER_READ]), int(words[1 + _SERVER_WRITTEN]))
    return found


def _point(words: list[str]) -> str:
    """The mount point of ``device SOURCE mounted on POINT with fstype …``, escapes decoded."""
    return mounts.decoded(os.fsencode(words[words.index("on") + 1]))


def own_read_bytes() -> int | None:
    """Bytes this process and its ended children have caused to be read from block devices.

    None where the kernel doesn't count them. Running children count when they are waited for;
    programs and libraries that they load from a disk count too.
    """
    return sysfs.fields("/proc/self/io").get("read_bytes")
