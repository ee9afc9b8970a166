"""The client that measures: what makes results comparable, and what explains their noise."""

import os
import platform
import socket
import time
from collections.abc import Iterator, Mapping

import aibench
from aibench.model import Environment
from aibench.probes import resources, sysfs

_GIB = 2**30
_CPU = "sys/devices/system/cpu"
_CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"
_THP = "sys/kernel/mm/transparent_hugepage/enabled"
_DIRTY = ("dirty_ratio", "dirty_bytes", "dirty_background_ratio", "dirty_background_bytes")
"""Of each ratio and its bytes the kernel uses one and shows the other as 0."""

_STEAL = 7

Fact = str | int | float | None


def environment(version: str | None = None, root: str = "/") -> Environment:
    """This machine now. What it does not tell is None.

    ``version`` is aibench's own where none is given; ``root`` is where ``proc`` and ``sys`` are.
    """
    return Environment(key=key(root), metadata=metadata(version or aibench.__version__, root))


def key(root: str = "/") -> Mapping[str, Fact]:
    """What must be equal for two results to be compared."""
    memory = resources.total_memory(root)
    return {
        "cpu": cpu_model(root),
        "sockets": _sockets(root),
        "cores": resources.usable_cpus(root),
        "memory_gib": round(memory / _GIB) if memory else None,
        "kernel": _major_minor(platform.release()),
        "numa_nodes": sum(1 for _ in _numbered(f"{root}/sys/devices/system/node", "node")) or None,
    }


def metadata(version: str, root: str = "/") -> Mapping[str, Fact]:
    """What explains a result and may differ between two that are compared."""
    facts: dict[str, Fact] = {
        "hostname": socket.gethostname(),
        "os": _os_name(root),
        "kernel_release": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "aibench": version,
        "boot_id": sysfs.text(f"{root}/proc/sys/kernel/random/boot_id"),
        "uptime_s": _first_number(f"{root}/proc/uptime"),
        "load_1min": _first_number(f"{root}/proc/loadavg"),
        "governor": governor(root),
        "clock_source": clock_source(root),
        "transparent_hugepage": sysfs.chosen(f"{root}/{_THP}"),
        "virtualisation": virtualisation(root),
        "memory_bytes": sysfs.fields(f"{root}/proc/meminfo").get("MemTotal"),
        "swap_bytes": sysfs.fields(f"{root}/proc/meminfo").get("SwapTotal"),
        "available_memory_bytes": resources.available_memory(root),
        "open_file_limit": resources.open_file_limit(),
    }
    facts |= {name: sysfs.integer(f"{root}/proc/sys/vm/{name}") or None for name in _DIRTY}
    facts |= pressure(root)
    facts |= {f"nic_{name}": speed for name, speed in network_cards(root)}
    return facts


def cpu_model(root: str = "/") -> str | None:
    """The model of the first CPU as the kernel prints it."""
    names = ("model name", "Model", "cpu model", "cpu", "CPU part")
    lines = (sysfs.text(f"{root}/proc/cpuinfo") or "").splitlines()
    pairs = [(line.partition(":")[0].strip(), line.partition(":")[2].strip()) for line in lines]
    for name in names:
        for found, value in pairs:
            if found == name and value:
                return " ".join(value.split())
    return None


def governor(root: str = "/") -> str | None:
    """The frequency governor of the CPUs, or all of them with a plus between; None if hidden."""
    cpus = (number for number in _numbered(f"{root}/{_CPU}", "cpu"))
    found = {sysfs.text(f"{root}/{_CPU}/{cpu}/cpufreq/scaling_governor") for cpu in cpus}
    return "+".join(sorted(filter(None, found))) or None


def clock_source(root: str = "/") -> str | None:
    """What the kernel's clocks count by, such as ``tsc``."""
    return sysfs.text(f"{root}/{_CLOCK}")


def virtualisation(root: str = "/") -> str | None:
    """What this machine says it runs in: container runtime, cloud, hypervisor; None if nothing."""
    hints = []
    if os.path.exists(f"{root}/.dockerenv"):
        hints.append("docker")
    if os.path.exists(f"{root}/run/.containerenv"):
        hints.append("podman")
    hints.append(sysfs.text(f"{root}/run/systemd/container") or "")
    vendor = sysfs.text(f"{root}/sys/class/dmi/id/sys_vendor")
    product = sysfs.text(f"{root}/sys/class/dmi/id/product_name")
    guest = " hypervisor" in (sysfs.text(f"{root}/proc/cpuinfo") or "")
    if guest:
        hints.append(" ".join(filter(None, (vendor, product))) or "hypervisor")
    return ", ".join(filter(None, hints)) or None


def pressure(root: str = "/") -> dict[str, Fact]:
    """The share of time in percent in which tasks waited, over 10 and 60 seconds (PSI)."""
    facts: dict[str, Fact] = {}
    for kind in ("cpu", "io", "memory"):
        for line in (sysfs.text(f"{root}/proc/pressure/{kind}") or "").splitlines():
            who, *averages = line.split()
            for name, _, value in (average.partition("=") for average in averages):
                if name in ("avg10", "avg60") and value.replace(".", "", 1).isdigit():
                    facts[f"psi_{kind}_{who}_{name}"] = float(value)
    return facts


def stolen(window_s: float, root: str = "/") -> float | None:
    """The share of CPU time that the hypervisor takes in the next ``window_s`` seconds."""
    before = _cpu_ticks(root)
    time.sleep(window_s)
    passed = [now - then for then, now in zip(before, _cpu_ticks(root), strict=False)]
    total = sum(passed)
    return passed[_STEAL] / total if len(passed) > _STEAL and total > 0 else None


def _cpu_ticks(root: str) -> list[int]:
    first = (sysfs.text(f"{root}/proc/stat") or "").partition("\n")[0].split()
    return [int(word) for word in first[1 : _STEAL + 2] if word.isdigit()]


def network_cards(root: str = "/") -> Iterator[tuple[str, str | None]]:
    """Name and speed of each network card that is not the loopback; None where it is not known."""
    for name in sysfs.names(f"{root}/sys/class/net"):
        state = sysfs.text(f"{root}/sys/class/net/{name}/operstate")
        if name != "lo" and state is not None and state != "down":
            speed = sysfs.integer(f"{root}/sys/class/net/{name}/speed")
            yield name, f"{speed} Mbit/s" if speed and speed > 0 else None


def _numbered(directory: str, prefix: str) -> Iterator[str]:
    for name in sysfs.names(directory):
        if name.startswith(prefix) and name.removeprefix(prefix).isdigit():
            yield name


def _sockets(root: str) -> int | None:
    cpus = _numbered(f"{root}/{_CPU}", "cpu")
    found = {sysfs.integer(f"{root}/{_CPU}/{cpu}/topology/physical_package_id") for cpu in cpus}
    return len(found - {None}) or None


def _major_minor(release: str) -> str | None:
    parts = release.split(".")
    return ".".join(parts[:2]) if len(parts) >= 2 else release or None


def _first_number(path: str) -> float | None:
    words = (sysfs.text(path) or "").split()
    try:
        return float(words[0]) if words else None
    except ValueError:
        return None


def _os_name(root: str) -> str | None:
    for line in (sysfs.text(f"{root}/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'") or None
    return None
