"""Limits that control groups put on this process: processor time, and I/O of a device."""

import os
import re
from collections.abc import Iterator

from aibench.probes import devices, resources, sysfs
from aibench.units import format_rate

_V1_LIMITS = {
    "read_bps": "rbps",
    "write_bps": "wbps",
    "read_iops": "riops",
    "write_iops": "wiops",
}


def cpu_quota(root: str = "/") -> float | None:
    """CPUs' worth of time that the tightest control group allows; None without a limit.

    A share of a CPU counts as such: 1.5 CPUs are 150 ms in each 100 ms.
    """
    quotas = (resources.cpu_quota(directory) for directory in resources.control_groups("cpu", root))
    return min((quota for quota in quotas if quota is not None), default=None)


def held_back_us(root: str = "/") -> int | None:
    """Microseconds for which a quota of CPU time has held processes of this group back so far.

    That of the group on the way up that was held back most; None where no group counts it.
    """
    found = []
    for directory in resources.control_groups("cpu", root):
        counted = sysfs.fields(f"{directory}/cpu.stat")
        if "throttled_usec" in counted:
            found.append(counted["throttled_usec"])
        elif "throttled_time" in counted:
            found.append(counted["throttled_time"] // 1000)
    return max(found, default=None)


def memory_limit(root: str = "/") -> int | None:
    """The memory in bytes that control groups allow, where that is less than the machine has."""
    machine = sysfs.fields(f"{root}/proc/meminfo").get("MemTotal")
    allowed = resources.total_memory(root)
    return allowed if allowed is not None and machine is not None and allowed < machine else None


def io_limits(device: str | None, root: str = "/") -> tuple[str, ...]:
    """The limits on I/O of block device ``device`` for this process, in words; mostly none.

    The devices below it are looked at too. A limit on one of several drives counts.
    """
    numbers = set(_numbers(device, root)) if device else set()
    if not numbers:
        return ()
    found: dict[str, int] = {}
    for name, limit in _limits(numbers, root):
        found[name] = min(limit, found.get(name, limit))
    return tuple(_worded(name, limit) for name, limit in sorted(found.items()))


def _numbers(device: str, root: str) -> Iterator[str]:
    """Major and minor numbers of ``device`` and of what lies below it."""
    sys = f"{root}/sys"
    for member in devices.members(device, sys):
        for name in (member, *devices.stack(member, sys)):
            number = sysfs.text(f"{sys}/class/block/{name}/dev")
            if number:
                yield number


def _limits(numbers: set[str], root: str) -> Iterator[tuple[str, int]]:
    for directory in resources.control_groups("io", root):
        for line in (sysfs.text(f"{directory}/io.max") or "").splitlines():
            if line.split()[:1] and line.split()[0] in numbers:
                for name, limit in re.findall(r"\b([rw](?:bps|iops))=([0-9]{1,20})\b", line):
                    yield name, int(limit)
    for directory in resources.control_groups("blkio", root):
        for file, name in _V1_LIMITS.items():
            path = os.path.join(directory, f"blkio.throttle.{file}_device")
            for line in (sysfs.text(path) or "").splitlines():
                number, _, limit = line.partition(" ")
                if number in numbers and (known := sysfs.whole(limit)) is not None:
                    yield name, known


def _worded(name: str, limit: int) -> str:
    way = "reads" if name.startswith("r") else "writes"
    return f"{way} {format_rate(limit)}" if name.endswith("bps") else f"{way} {limit} a second"
