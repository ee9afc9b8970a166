"""The client that measures: what makes results comparable, and what explains their noise."""

import os
import platform
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import aibench
from aibench import reading
from aibench.model import Environment, Target
from aibench.probes import activity, cards, clock, drives, groups, heat, links, resources, sysfs

_GIB = 2**30
_CPU = "sys/devices/system/cpu"
_THP = "sys/kernel/mm/transparent_hugepage/enabled"
_DIRTY = ("dirty_ratio", "dirty_bytes", "dirty_background_ratio", "dirty_background_bytes")
"""Of each ratio and its bytes the kernel uses one and shows the other as 0."""
#: Words of the kernel's command line that change what a client can do.
_PARAMETERS = (
    *("mitigations", "isolcpus", "nohz_full", "nosmt", "maxcpus", "mem", "idle", "clocksource"),
    *("intel_idle.max_cstate", "processor.max_cstate", "intel_pstate", "amd_pstate", "iommu"),
    *("intel_iommu", "amd_iommu", "transparent_hugepage", "hugepages", "cpufreq.default_governor"),
)

_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
_SHARE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,9})?")

Fact = str | int | float | None


def environment(
    version: str | None = None, root: str = "/", target: Target | None = None
) -> Environment:
    """This machine now. What it does not tell is None.

    ``version`` is aibench's own where none is given; ``root`` is where ``proc`` and ``sys`` are.
    With a ``target`` the network cards are those on the way to it, and its drives are described.
    It takes 0.3 s, in which the work of others is looked at.
    """
    facts = metadata(version or aibench.__version__, root)
    seen = activity.activity(target, root)
    facts |= {f"others_{name}": value for name, value in asdict(seen).items()}
    facts |= target_facts(target, root) if target else {}
    return Environment(key=key(root, target), metadata=facts)


def key(root: str = "/", target: Target | None = None) -> Mapping[str, Fact]:
    """What must be equal for two results to be compared.

    ``nic`` is the model and speed of the network cards on the way to ``target``
    (`cards.on_the_way`), of all cards without one.
    """
    memory = resources.total_memory(root)
    return {
        "cpu": cpu_model(root),
        "sockets": _sockets(root),
        "cores": resources.usable_cpus(root),
        "memory_gib": round(memory / _GIB) if memory else None,
        "kernel": _major_minor(platform.release()),
        "numa_nodes": sum(1 for _ in _numbered(f"{root}/sys/devices/system/node", "node")) or None,
        "nic": cards.identity(target, root),
    }


def metadata(version: str, root: str = "/") -> dict[str, Fact]:
    """What explains a result and may differ between two that are compared.

    Counts (``_count``, ``_us``, errors, drops, segments) are since boot: only their growth tells
    something.
    """
    facts: dict[str, Fact] = {
        "hostname": socket.gethostname(),
        "os": _os_name(root),
        "kernel_release": platform.release(),
        "kernel_parameters": _parameters(root),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "aibench": version,
        "loops": reading.LOOPS,
        "boot_id": sysfs.text(f"{root}/proc/sys/kernel/random/boot_id"),
        "uptime_s": _number(f"{root}/proc/uptime", 0),
        "load_1min": _number(f"{root}/proc/loadavg", 0),
        "runnable": _runnable(root),
        "governor": heat.governor(root),
        "turbo": heat.turbo(root),
        "temperature_c": heat.hottest(root),
        "thermal_throttle_count": heat.throttles(root),
        "clock_source": clock.source(root),
        "virtualisation": virtualisation(root),
        "open_file_limit": resources.open_file_limit(),
        "cpus": len(os.sched_getaffinity(0)),
        "cpu_quota": groups.cpu_quota(root),
        "cpu_held_back_us": groups.held_back_us(root),
    }
    return facts | _memory(root) | pressure(root) | _clock() | _network(root)


def _memory(root: str) -> dict[str, Fact]:
    told = sysfs.fields(f"{root}/proc/meminfo")
    facts: dict[str, Fact] = {
        "memory_bytes": told.get("MemTotal"),
        "swap_bytes": told.get("SwapTotal"),
        "swap_free_bytes": told.get("SwapFree"),
        "free_memory_bytes": told.get("MemFree"),
        "dirty_memory_bytes": told.get("Dirty"),
        "available_memory_bytes": resources.available_memory(root),
        "memory_limit_bytes": groups.memory_limit(root),
        "transparent_hugepage": sysfs.chosen(f"{root}/{_THP}"),
        "huge_pages": told.get("HugePages_Total"),
    }
    return facts | {name: sysfs.integer(f"{root}/proc/sys/vm/{name}") or None for name in _DIRTY}


def _clock() -> dict[str, Fact]:
    told = clock.discipline()
    return {
        "clock_synchronised": None if told is None else int(told.synchronised),
        "clock_offset_ns": told.offset_ns if told and told.synchronised else None,
    }


def _network(root: str) -> dict[str, Fact]:
    """Cards by name (``nic_eth0`` is the speed alone), and what TCP has sent again."""
    facts: dict[str, Fact] = {}
    for card in cards.cards(root):
        facts[f"nic_{card.name}"] = card.speed
        facts |= {
            f"card_{card.name}_model": card.model,
            f"card_{card.name}_mtu": card.mtu,
            f"card_{card.name}_errors": card.errors,
            f"card_{card.name}_drops": card.drops,
        }
    facts |= {f"rdma_{name}": rate for name, rate in cards.rdma_rates(root).items()}
    lines = (sysfs.text(f"{root}/proc/net/snmp") or "").splitlines()
    tcp = [line.split()[1:] for line in lines if line.startswith("Tcp:")]
    row = dict(zip(*tcp, strict=False)) if len(tcp) == 2 else {}
    for name, field in (("tcp_sent_segments", "OutSegs"), ("tcp_sent_again", "RetransSegs")):
        facts[name] = sysfs.whole(row.get(field, ""))
    return facts


def target_facts(target: Target, root: str = "/") -> dict[str, Fact]:
    """What lies behind ``target`` and on the way to it, and the limits put on that.

    ``link_sda`` is what the link to that device can carry, in bytes per second.
    """
    device = None if target.is_memory else target.device
    told = drives.drives(device, root)
    facts: dict[str, Fact] = {f"target_{name}": told.get(name) for name in drives.NAMES}
    facts["target_temperature_c"] = heat.drive_temperature(device, root) if device else None
    facts["target_io_limits"] = ", ".join(groups.io_limits(device, root)) or None
    facts["target_cards"] = ", ".join(card.name for card in cards.on_the_way(target, root)) or None
    rates = links.device_rates([device] if device else [], root)
    return facts | {f"link_{name}": rate for name, rate in rates.items()}


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
            who, *averages = line.split() or [""]
            for name, _, value in (average.partition("=") for average in averages):
                if name in ("avg10", "avg60") and _SHARE.fullmatch(value):
                    facts[f"psi_{kind}_{who}_{name}"] = float(value)
    return facts


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


def _number(path: str, place: int) -> float | None:
    words = (sysfs.text(path) or "").split()
    found = words[place] if len(words) > place else ""
    return float(found) if _DECIMAL.fullmatch(found) else None


def _runnable(root: str) -> int | None:
    """Threads that run or want to, without the one that asks."""
    words = (sysfs.text(f"{root}/proc/loadavg") or "").split()
    running = sysfs.whole(words[3].partition("/")[0]) if len(words) > 3 else None
    return None if running is None else max(running - 1, 0)


def _parameters(root: str) -> str | None:
    words = (sysfs.text(f"{root}/proc/cmdline") or "").split()
    return " ".join(word for word in words if word.partition("=")[0] in _PARAMETERS) or None


def _os_name(root: str) -> str | None:
    for line in (sysfs.text(f"{root}/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'") or None
    return None
