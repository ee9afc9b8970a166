"""Block devices by their kernel names: what they delivered, and what lies below them.

A counter of a device tells the truth about storage only where there is storage below. A loop
device may read its image from this host's page cache, and an image may lie in memory.
"""

import os
import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

from aibench.probes import sysfs

SECTOR = 512
_MEMORY_DEVICE = re.compile(r"(ram|zram)\d+")
_SERVED_DEVICE = re.compile(r"(nbd|ublkb)\d+")
_NAMESPACE = re.compile(r"nvme(\d+)n(\d+)")
#: What LVM calls the slow device below a dm-cache or dm-writecache.
_ORIGIN = re.compile(r"_w?corig$")
_DEEPEST = 8


class Traffic(NamedTuple):
    """Bytes read from and written to something since a moment in the past."""

    read: int
    written: int


def name_of(device_id: str, sys: str = "/sys") -> str | None:
    """The kernel name of block device ``device_id`` (``8:1``); None for an anonymous device."""
    link = f"{sys}/dev/block/{device_id}"
    if device_id.startswith("0:") or not os.path.exists(link):
        return None
    return os.path.basename(os.path.realpath(link))


def name_of_source(source: str, sys: str = "/sys") -> str | None:
    """The kernel name of the block device that the path ``source`` is; None where it is none."""
    if not source.startswith("/"):
        return None
    try:
        status = os.stat(source)
    except OSError:
        return None
    if not stat.S_ISBLK(status.st_mode):
        return None
    return name_of(f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}", sys)


def traffic(name: str, sys: str = "/sys") -> Traffic | None:
    """What block device ``name`` has read and written since it appeared."""
    words = (sysfs.text(f"{sys}/class/block/{name}/stat") or "").split()
    read, written = (sysfs.whole(word) for word in (*words[2:3], *words[6:7], "", "")[:2])
    if read is None or written is None or min(read, written) < 0:
        return None
    return Traffic(read * SECTOR, written * SECTOR)


def counts(name: str, sys: str = "/sys") -> bool:
    """Whether the kernel surely counts the traffic of ``name`` (``queue/iostats`` is not 0).

    Linux 6.1 says 0 of each dm device and counts it all the same.
    """
    return sysfs.text(f"{sys}/class/block/{whole(name, sys)}/queue/iostats") != "0"


def whole(name: str, sys: str = "/sys") -> str:
    """The whole device that partition ``name`` is on; ``name`` where it is no partition."""
    path = os.path.realpath(f"{sys}/class/block/{name}")
    if os.path.exists(f"{path}/partition"):
        return os.path.basename(os.path.dirname(path))
    return name


def stack(name: str, sys: str = "/sys", depth: int = 0) -> Iterator[str]:
    """The whole device of ``name``, then the devices below it (md, dm, LVM), each once a path."""
    device = whole(name, sys)
    yield device
    if depth < _DEEPEST:
        for lower in sysfs.names(f"{sys}/class/block/{device}/slaves"):
            yield from stack(lower, sys, depth + 1)


def paths(name: str, sys: str = "/sys") -> tuple[str, ...]:
    """The hidden devices by which an NVMe namespace with several paths is reached; else none.

    Before Linux 6.15 nothing links them, and some kernels count nothing but them.
    """
    parts = _NAMESPACE.fullmatch(whole(name, sys))
    if parts is None:
        return ()
    path = re.compile(rf"nvme{parts[1]}c\d+n{parts[2]}")
    return tuple(n for n in sysfs.names(f"{sys}/class/block") if path.fullmatch(n))


def below(name: str, sys: str = "/sys") -> tuple[str, ...]:
    """The devices directly below ``name`` (md, dm, LVM, bcache, DRBD), partitions by their names.

    Below a cache device it is the device that is cached, not the one that holds its copies.
    """
    slaves = tuple(sysfs.names(f"{sys}/class/block/{whole(name, sys)}/slaves"))
    return tuple(each for each in slaves if _is_origin(each, name, sys)) or slaves


def copies(name: str, sys: str = "/sys") -> tuple[str, ...]:
    """The devices that hold copies of parts of what is `below` the cache device ``name``."""
    origins = below(name, sys)
    slaves = sysfs.names(f"{sys}/class/block/{whole(name, sys)}/slaves")
    return tuple(each for each in slaves if each not in origins)


def _is_origin(lower: str, name: str, sys: str) -> bool:
    """Whether ``lower`` is what the bcache or LVM cache ``name`` keeps copies of."""
    cached = os.path.realpath(f"{sys}/class/block/{whole(name, sys)}/bcache")
    label = sysfs.text(f"{sys}/class/block/{lower}/dm/name") or ""
    return os.path.basename(os.path.dirname(cached)) == lower or bool(_ORIGIN.search(label))


def members(name: str, sys: str = "/sys") -> tuple[str, ...]:
    """All devices of the btrfs filesystem that ``name`` belongs to; ``name`` alone otherwise."""
    for filesystem in sysfs.names(f"{sys}/fs/btrfs"):
        devices = tuple(sysfs.names(f"{sys}/fs/btrfs/{filesystem}/devices"))
        if name in devices:
            return devices
    return (name,)


def image(name: str, sys: str = "/sys") -> str | None:
    """The path of the file behind loop device ``name``; None where it is no loop device."""
    return sysfs.text(f"{sys}/class/block/{name}/loop/backing_file")


def is_cached_loop(name: str, sys: str = "/sys") -> bool:
    """Whether ``name`` is a loop device that reads through this host's page cache."""
    return sysfs.text(f"{sys}/class/block/{name}/loop/dio") == "0"


def is_served(name: str) -> bool:
    """Whether a process serves block device ``name``, which may cache (``nbd0``, ``ublkb0``)."""
    return _SERVED_DEVICE.fullmatch(name) is not None


def is_memory(name: str) -> bool:
    """Whether block device ``name`` is a RAM disk by its name (``ram0``, ``zram0``)."""
    return _MEMORY_DEVICE.fullmatch(name) is not None
