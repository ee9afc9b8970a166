"""Whether this machine is fit to measure a mount, and what to do where it is not.

Looks for seconds at most, and writes one small file on the mount that it removes.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from aibench.errors import TargetError
from aibench.model import Target
from aibench.probes import cache, delivered, environment, mounts, resources
from aibench.probes.direct import direct_problem
from aibench.units import format_count, format_size, format_size_binary

Status = Literal["ok", "warning", "fails"]

_STEAL_WINDOW_S = 0.25
_SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")
_BUSY_PRESSURE = 5.0
_BUSY_LOAD = 0.5
_STOLEN = 0.02
_FULL = 0.90
_FEW_INODES = 100_000
_COSTLY = {
    "sync": "every write waits for the storage, as with fsync after each",
    "dirsync": "creating, renaming and deleting wait for the storage",
    "noac": "attributes are never cached, so each open and stat asks the server",
    "actimeo=0": "attributes are never cached, so each open and stat asks the server",
    "lookupcache=none": "each open asks the server for every directory on the way",
    "soft": "the client gives up on a slow server and returns EIO",
    "strictatime": "each read also writes an access time",
    "nobarrier": "fsync does not wait for the medium, so durable times are too good",
    "fsc": "reads may come from a local disk cache (fscache) instead of the server",
}
_HARMLESS = {
    "noatime": "reading writes no access times",
    "relatime": "reading writes an access time at most once a day",
    "hard": "a server that is away is waited for without end",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: what was found, and what to do where it is not ok."""

    name: str
    status: Status
    found: str
    advice: str = ""


def _ok(name: str, found: str, advice: str = "") -> Check:
    return Check(name=name, status="ok", found=found, advice=advice)


def _warning(name: str, found: str, advice: str = "") -> Check:
    return Check(name=name, status="warning", found=found, advice=advice)


def _failure(name: str, found: str, advice: str = "") -> Check:
    return Check(name=name, status="fails", found=found, advice=advice)


def examine(path: str, results: str | None = None) -> tuple[Check, ...]:
    """Everything that decides whether measuring the directory ``path`` from here can be trusted.

    ``results`` is where records would go: ``$AIBENCH_RESULTS`` or ``results/runs`` without it.
    Where the directory can't be used at all, only that and the machine are looked at.
    """
    problem = mounts.writable_problem(path)
    machine = tuple(check() for check in (_fio, _eviction, _cpu, _clock, _noise))
    try:
        target = mounts.describe(path)
    except TargetError as error:
        return (_failure("target", problem or str(error)), *machine)
    return (*_target_checks(path, target, problem, results), *machine)


def _target_checks(
    path: str, target: Target, problem: str | None, results: str | None
) -> Iterator[Check]:
    if problem:
        yield _failure("target", problem)
    else:
        yield _ok("target", f"{target.path}, on {target.mount_point}, writable")
    yield _fstab(path, target)
    checks: list[Callable[[Target], Check]] = [_filesystem, mount_options, cache_evidence]
    if not problem:
        checks.append(_direct)
    checks += [space, _inodes, _memory]
    if target.is_network or target.server:
        checks.append(network)
    yield from (check(target) for check in checks)
    yield _results(target, results or os.environ.get("AIBENCH_RESULTS") or "results/runs")


def _fstab(path: str, target: Target) -> Check:
    point = mounts.unmounted_entry(path)
    if point is None:
        return _ok("mounted", "no entry of /etc/fstab is missing here")
    found = f"/etc/fstab wants a mount at {point}, and there is none; this is {target.source}"
    return _failure("mounted", found, f"mount {point}")


def _filesystem(target: Target) -> Check:
    server = f", server {target.server}" if target.server else ""
    found = f"{target.fstype} from {target.source}{server}"
    if target.is_memory:
        advice = "This is memory: what is measured is the harness, not storage."
        return _warning("filesystem", found, advice)
    return _ok("filesystem", found)


def mount_options(target: Target) -> Check:
    """What the mount options mean for a measurement; a warning where one costs or flatters."""
    costly = [f"{name}: {_COSTLY[name]}" for name in target.options if name in _COSTLY]
    meant = [f"{name}: {_HARMLESS[name]}" for name in target.options if name in _HARMLESS]
    if target.fstype in ("nfs", "nfs4"):
        lines = [name.partition("=")[2] for name in target.options if name.startswith("nconnect=")]
        if lines:
            meant.append(f"nconnect={lines[0]}: that many connections carry the traffic")
        else:
            costly.append("no nconnect: one connection carries all traffic to the server")
    status: Status = "warning" if costly else "ok"
    advice = "; ".join(costly + meant)
    return Check(name="mount options", status=status, found=",".join(target.options), advice=advice)


def cache_evidence(target: Target) -> Check:
    """Whether a read phase here can be shown to be cold."""
    counter = delivered.counter(target)
    name = "cache evidence"
    if not counter.source:
        advice = "No read phase here can be shown to be cold."
        return _warning(name, counter.reason, advice)
    if counter.memory:
        return _warning(name, counter.memory)
    if counter.cached_below:
        found = f"{counter.cached_below} reads its image through this host's page cache"
        advice = f"losetup --direct-io=on /dev/{counter.cached_below}"
        return _warning(name, found, advice)
    return _ok(name, f"counted by {counter.source}")


def _direct(target: Target) -> Check:
    try:
        found = direct_problem(target.path)
    except OSError as error:
        found = f"a small file could not be written: {(error.strerror or str(error)).lower()}"
        return _failure("small file", found, "Mend the mount first.")
    if found:
        advice = "--cache direct will be refused; use --cache cold."
        return _warning("O_DIRECT", found, advice)
    return _ok("O_DIRECT", "works")


def space(target: Target) -> Check:
    """How much room is left; a warning where there is little, or where it is not told."""
    if target.total_bytes is None or target.free_bytes is None:
        advice = "Make sure there is room; aibench can't check it."
        return _warning("space", "not told", advice)
    fill = 1 - target.free_bytes / target.total_bytes
    found = f"{format_size(target.free_bytes)} free, {100 * fill:.0f} % full"
    if fill > _FULL:
        advice = "Nearly full storage is slower; free some, or say so with the result."
        return _warning("space", found, advice)
    return _ok("space", found)


def _inodes(target: Target) -> Check:
    if target.free_inodes is None:
        return _ok("inodes", "no limit is told")
    found = f"{format_count(target.free_inodes)} free"
    if target.free_inodes < _FEW_INODES:
        advice = "Too few for millions of small files; use fewer (--scale)."
        return _warning("inodes", found, advice)
    return _ok("inodes", found)


def _memory(target: Target) -> Check:
    total = resources.total_memory()
    if total is None:
        return _warning("memory", "not told")
    found = f"{format_size_binary(total)}, {format_size_binary(resources.available_memory())} free"
    if cache.may_drop_caches() or target.is_memory:
        return _ok("memory", found)
    advice = (
        f"A dataset below {format_size(5 * total)} (5 × memory) may be read from the page cache; "
        "use --cache cold and look at the evidence, or --cache direct."
    )
    return _warning("memory", found, advice)


def network(target: Target) -> Check:
    """The server, and the cards that lead to it; a warning where no speed is known."""
    cards = [f"{name} {speed or 'of unknown speed'}" for name, speed in environment.network_cards()]
    found = f"{target.server or target.source} through {', '.join(cards) or 'no known card'}"
    if any(speed for _, speed in environment.network_cards()):
        return _ok("network", found)
    advice = "The link's limit is not known here; compare rates with it by hand."
    return _warning("network", found, advice)


def _results(target: Target, results: str) -> Check:
    place = os.path.abspath(results)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    found = f"records go to {os.path.abspath(results)}"
    device = os.stat(place).st_dev
    if f"{os.major(device)}:{os.minor(device)}" == target.device_id:
        advice = "That is on the filesystem to be measured; give another disk with --results."
        return _warning("results", found, advice)
    return _ok("results", found)


def _fio() -> Check:
    program = shutil.which("fio")
    if program is None:
        advice = "Workloads of kind 'block' need it: apt install fio, or dnf install fio."
        return _warning("fio", "not installed", advice)
    try:
        run = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        found = f"{program} does not run: {error}"
        return _warning("fio", found, "Install it again.")
    return _ok("fio", f"{run.stdout.strip()} ({program})")


def _eviction() -> Check:
    if cache.may_drop_caches():
        return _ok("eviction", "the kernel's caches can be dropped")
    found = "drop_caches is not permitted; files are advised away one by one"
    advice = "Run as root, so that directory entries and attributes are cold too."
    return _warning("eviction", found, advice)


def _cpu() -> Check:
    cpus, stolen = resources.usable_cpus(), environment.stolen(_STEAL_WINDOW_S)
    load, governor = os.getloadavg()[0], environment.governor()
    found = f"{cpus} usable, load {load:.2f}, governor {governor or 'not told'}"
    advice = []
    if load > _BUSY_LOAD * cpus:
        advice.append("Other work is running; wait for it or stop it.")
    if governor not in (None, "performance"):
        advice.append("Set the performance governor: cpupower frequency-set -g performance.")
    if stolen is not None:
        found += f", {100 * stolen:.1f} % stolen by the hypervisor"
        if stolen > _STOLEN:
            advice.append("The host is shared; results will vary.")
    return Check(
        name="cpu", status="warning" if advice else "ok", found=found, advice=" ".join(advice)
    )


def _clock() -> Check:
    source = environment.clock_source()
    if source is None:
        return _warning("clock", "clock source not told")
    if source in _SLOW_CLOCKS:
        advice = "Each reading costs a microsecond or more; boot with another clocksource."
        return _warning("clock", source, advice)
    return _ok("clock", source)


def _noise() -> Check:
    pressure = environment.pressure()
    names = [f"psi_{kind}_some_avg10" for kind in ("cpu", "io", "memory")]
    values = {name.split("_")[1]: pressure.get(name) for name in names}
    told = {kind: float(value) for kind, value in values.items() if value is not None}
    if not told:
        found = "this kernel has no pressure information (PSI)"
        return _warning("noise", found)
    found = "waiting in the last 10 s: " + ", ".join(f"{k} {v:.1f} %" for k, v in told.items())
    busy = [kind for kind, value in told.items() if value > _BUSY_PRESSURE]
    if busy:
        advice = f"Others wait for {' and '.join(busy)} here; stop them, or measure later."
        return _warning("noise", found, advice)
    return _ok("noise", found)
