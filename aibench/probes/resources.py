"""What this process may use of the machine: memory, CPUs, open files; limits of containers too."""

import math
import os
import resource
from collections.abc import Iterator

from aibench.probes import mounts, sysfs

_UNLIMITED = 2**60
_MANY_FILES = 2**20


def available_memory(root: str = "/") -> int:
    """Bytes that this process can still take without swapping or being killed.

    The kernel's estimate for the machine, or what the tightest control group leaves, whichever is
    less. Page cache counts as free, as it gives way.
    """
    machine = sysfs.fields(os.path.join(root, "proc/meminfo")).get("MemAvailable")
    if machine is None:
        machine = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    left = (_left(directory) for directory in control_groups("memory", root))
    return max(0, min([machine, *(bytes_ for bytes_ in left if bytes_ is not None)]))


def total_memory(root: str = "/") -> int | None:
    """Bytes of memory of the machine, or the limit of the control group where that is less."""
    machine = sysfs.fields(os.path.join(root, "proc/meminfo")).get("MemTotal")
    limits = (_memory_limit(directory) for directory in control_groups("memory", root))
    known = [bytes_ for bytes_ in (machine, *limits) if bytes_ is not None]
    return min(known) if known else None


def usable_cpus(root: str = "/") -> int:
    """CPUs this process may run on: its affinity, or its quota rounded up where that is less."""
    quotas = (cpu_quota(directory) for directory in control_groups("cpu", root))
    cpus = [math.ceil(quota) for quota in quotas if quota is not None]
    return max(1, min([len(os.sched_getaffinity(0)), *cpus]))


def open_file_limit() -> int:
    """How many files this process may hold open at once."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sysfs.integer("/proc/sys/fs/nr_open") or _MANY_FILES
    return soft


def control_groups(controller: str, root: str = "/") -> Iterator[str]:
    """The directories of this process's groups of ``controller``, from its own to the topmost.

    Version 1 where the controller is mounted there, else version 2; none where neither is.
    """
    lines = (sysfs.text(os.path.join(root, "proc/self/cgroup")) or "").splitlines()
    groups = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    hierarchies = list(_hierarchies(root))
    for _, controllers, path in sorted(groups, key=lambda group: not group[1]):
        for mount in hierarchies:
            ours = mount.fstype == "cgroup" and controller in mount.options
            if controllers and (controller not in controllers.split(",") or not ours):
                continue
            if not controllers and mount.fstype != "cgroup2":
                continue
            yield from _upwards(mount, path, root)
            return


def _hierarchies(root: str) -> Iterator[mounts.Mount]:
    try:
        with open(os.path.join(root, "proc/self/mountinfo"), "rb") as file:
            content = file.read()
    except OSError:
        return
    yield from (m for m in mounts.parse(content) if m.fstype in ("cgroup", "cgroup2"))


def _upwards(mount: mounts.Mount, path: str, root: str) -> Iterator[str]:
    """The directory of group ``path``, then its parents up to the mount point."""
    top = os.path.join(root, mount.point.lstrip("/"))
    inside = path[len(mount.root) :] if mount.root != "/" and path.startswith(mount.root) else path
    directory = os.path.normpath(os.path.join(top, inside.lstrip("/")))
    if not mounts.covers(top, directory) or not os.path.isdir(directory):
        directory = top
    while directory != top:
        yield directory
        directory = os.path.dirname(directory)
    yield top


def _memory_limit(directory: str) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        limit = sysfs.integer(os.path.join(directory, name))
        if limit is not None and limit < _UNLIMITED:
            return limit
    return None


def _left(directory: str) -> int | None:
    """What the limit of one group leaves, its page cache taken for free; None without a limit."""
    limit = _memory_limit(directory)
    if limit is None:
        return None
    used = 0
    for name in ("memory.current", "memory.usage_in_bytes"):
        used = used or sysfs.integer(os.path.join(directory, name)) or 0
    numbers = sysfs.fields(os.path.join(directory, "memory.stat"))
    prefix = "total_" if "total_inactive_file" in numbers else ""
    kinds = ("inactive_file", "active_file")
    gives_way = sum(numbers.get(prefix + kind, 0) for kind in kinds)
    return max(0, limit - max(0, used - gives_way - numbers.get("slab_reclaimable", 0)))


def cpu_quota(directory: str) -> float | None:
    """CPUs' worth of time that the bandwidth limit of one group allows; None without a limit."""
    words = (sysfs.text(os.path.join(directory, "cpu.max")) or "").split()
    quota, period = (*words, "", "")[:2]
    if not quota:
        quota = sysfs.text(os.path.join(directory, "cpu.cfs_quota_us")) or ""
        period = sysfs.text(os.path.join(directory, "cpu.cfs_period_us")) or ""
    allowed, of = sysfs.whole(quota), sysfs.whole(period)
    return allowed / of if allowed and of and allowed > 0 and of > 0 else None
