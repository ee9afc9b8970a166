"""What this client can do: processors, their clocks, memory, and the limits put on this process."""

from collections.abc import Iterator

from aibench.doctor.check import Check, judged, ok, warning
from aibench.insight.wording import percent
from aibench.model import Environment, Target
from aibench.probes import cache, noise
from aibench.units import format_size, format_size_binary

_SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")
_LITTLE = 0.10
#: Page cache holds less than this share of a data set of five times the memory (statistics.md,
#: 2.11; DLIO and MLPerf Storage ask for the same factor).
_FACTOR = 5


def checks(target: Target | None, environment: Environment) -> Iterator[Check]:
    """All of the client."""
    yield processors(environment)
    yield speed(environment)
    yield groups(environment)
    yield memory(environment)
    if target is not None:
        yield _data_set(target, environment)
        yield io_limits(environment)
    yield delayed_writes(environment)
    yield _eviction()
    yield clock(environment)


def _whole(environment: Environment, name: str) -> int | None:
    value = environment.metadata.get(name)
    return value if isinstance(value, int) else None


def processors(environment: Environment) -> Check:
    """Model and number of the CPUs, and what this machine is."""
    key, facts = environment.key, environment.metadata
    found = f"{key.get('cores')} usable, {key.get('cpu') or 'model not told'}"
    for what, title in (("sockets", "socket"), ("numa_nodes", "NUMA node")):
        if key.get(what) is not None:
            found += f", {key[what]} {title}{'s' * (key[what] != 1)}"
    if facts.get("virtualisation"):
        found += f"; runs in {facts['virtualisation']}"
    if facts.get("kernel_parameters"):
        found += f"; kernel has {facts['kernel_parameters']}"
    return ok("cpu", found)


def speed(environment: Environment) -> Check:
    """Governor, turbo and heat; a warning where the clock may change with the load."""
    facts = environment.metadata
    governor, throttles = facts.get("governor"), _whole(environment, "thermal_throttle_count")
    found = f"governor {governor or 'not told'}, turbo {facts.get('turbo') or 'not told'}"
    if throttles is not None:
        found += f", slowed by heat {throttles} times since boot"
    if facts.get("temperature_c") is not None:
        found += f", {facts['temperature_c']:.0f} °C"
    if governor not in (None, "performance"):
        advice = "Set the performance governor: cpupower frequency-set -g performance."
        return warning("cpu speed", found, advice)
    return ok("cpu speed", found)


def groups(environment: Environment) -> Check:
    """What the control group (of a container) allows; a warning where a quota holds it back."""
    quota, cpus = environment.metadata.get("cpu_quota"), _whole(environment, "cpus")
    limit = _whole(environment, "memory_limit_bytes")
    parts = []
    if isinstance(quota, int | float):
        parts.append(f"{quota:.3g} CPUs' worth of time")
    if limit is not None:
        parts.append(f"{format_size_binary(limit)} of memory")
    if not parts:
        return ok("control group", "limits neither CPU time nor memory")
    found = f"allows {' and '.join(parts)}"
    if isinstance(quota, int | float) and cpus is not None and quota < cpus:
        advice = (
            f"Work on all {cpus} CPUs uses the quota up and then stops until the next period; "
            "raise it, or use no more workers than it has CPUs."
        )
        return warning("control group", found, advice)
    return ok("control group", found)


def io_limits(environment: Environment) -> Check:
    """Limits of control groups on the device; a warning where there is one."""
    told = environment.metadata.get("target_io_limits")
    found = f"a control group allows {told}" if told else "no control group limits the device"
    advice = "That limit is measured, not the storage; lift it for the benchmark."
    return judged("device limits", found, noise.io_limited(environment), advice)


def memory(environment: Environment) -> Check:
    """How much there is and is free; a warning where nearly all of it is taken."""
    facts = environment.metadata
    known = [_whole(environment, name) for name in ("memory_bytes", "memory_limit_bytes")]
    total = min((value for value in known if value is not None), default=None)
    available, swap = (
        _whole(environment, name) for name in ("available_memory_bytes", "swap_bytes")
    )
    if total is None or available is None:
        return warning("memory", "not told", "Make sure there is enough; aibench can't check it.")
    found = f"{format_size_binary(total)}, {format_size_binary(available)} available"
    if swap:
        used = swap - (_whole(environment, "swap_free_bytes") or 0)
        found += f", {format_size_binary(used)} swapped out"
    if facts.get("transparent_hugepage"):
        found += f", transparent huge pages {facts['transparent_hugepage']}"
    if available < _LITTLE * total:
        advice = "Other programs hold it; stop them, or workers and page cache get in their way."
        return warning("memory", found, advice)
    return ok("memory", found)


def _data_set(target: Target, environment: Environment) -> Check:
    total = _whole(environment, "memory_bytes")
    if target.is_memory or total is None:
        return ok("data set", "the page cache plays no part" if target.is_memory else "any size")
    found = f"less than {format_size(_FACTOR * total)} (5 × memory) may stay in the page cache"
    if cache.may_drop_caches():
        return ok("data set", f"{found}, which is dropped before cold reads")
    advice = "Use --cache cold and look at the evidence, or --cache direct."
    return warning("data set", found, advice)


def delayed_writes(environment: Environment) -> Check:
    """How much written data may wait in memory; what has no fsync in its time measures that."""
    available = _whole(environment, "available_memory_bytes")
    size, share = (_whole(environment, name) for name in ("dirty_bytes", "dirty_ratio"))
    dirty = _whole(environment, "dirty_memory_bytes")
    if size is None and share is not None and available is not None:
        size = available * share // 100
    if size is None:
        return ok("delayed writes", "how much may wait in memory is not told")
    waiting = "" if dirty is None else f", {format_size(dirty)} waits now"
    ratio = "" if share is None else f" (dirty_ratio {percent(share / 100)} of what is available)"
    return ok("delayed writes", f"up to {format_size(size)} may wait in memory{ratio}{waiting}")


def _eviction() -> Check:
    if cache.may_drop_caches():
        return ok("eviction", "the kernel's caches can be dropped")
    found = "drop_caches is not permitted; files are advised away one by one"
    advice = "Run as root, so that directory entries and attributes are cold too."
    return warning("eviction", found, advice)


def clock(environment: Environment) -> Check:
    """What the clocks count by; being synchronised matters only where several clients measure."""
    source = environment.metadata.get("clock_source")
    if not isinstance(source, str):
        return warning("clock", "clock source not told")
    kept, offset = (_whole(environment, f"clock_{what}") for what in ("synchronised", "offset_ns"))
    found = source
    if kept is not None:
        found += ", synchronised" if kept else ", not synchronised (times of day may be wrong)"
    if offset is not None:
        found += f" to {abs(offset) / 1000:.0f} µs"
    if source in _SLOW_CLOCKS:
        advice = "Each reading costs a microsecond or more; boot with another clocksource."
        return warning("clock", found, advice)
    return ok("clock", found)
