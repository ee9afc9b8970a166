"""How fast the processors may run, and whether heat slowed them: governor, turbo, throttling."""

import re
from collections.abc import Iterator

from aibench.probes import sysfs

_CPU = "sys/devices/system/cpu"
_THROTTLES = ("core_throttle_count", "package_throttle_count")


def _cpus(root: str) -> Iterator[str]:
    for name in sysfs.names(f"{root}/{_CPU}"):
        if re.fullmatch(r"cpu[0-9]+", name):
            yield f"{root}/{_CPU}/{name}"


def governor(root: str = "/") -> str | None:
    """The frequency governor of the CPUs, or all of them with a plus between; None if hidden."""
    found = {sysfs.text(f"{cpu}/cpufreq/scaling_governor") for cpu in _cpus(root)}
    return "+".join(sorted(filter(None, found))) or None


def turbo(root: str = "/") -> str | None:
    """``on`` or ``off``: whether clocks above the nominal one are allowed; None if not told."""
    for path, on in (("intel_pstate/no_turbo", "0"), ("cpufreq/boost", "1")):
        told = sysfs.text(f"{root}/{_CPU}/{path}")
        if told in ("0", "1"):
            return "on" if told == on else "off"
    return None


def throttles(root: str = "/") -> int | None:
    """How often heat slowed a core or package since boot, over all CPUs; None if not counted.

    A package counts once for each of its CPUs: only growth tells something.
    """
    counts = [sysfs.integer(f"{cpu}/thermal_throttle/{n}") for cpu in _cpus(root)
              for n in _THROTTLES]  # fmt: skip
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def hottest(root: str = "/") -> float | None:
    """The highest temperature of the machine's thermal zones in °C; None where none is told."""
    top = f"{root}/sys/class/thermal"
    zones = [name for name in sysfs.names(top) if name.startswith("thermal_zone")]
    return _celsius(sysfs.integer(f"{top}/{zone}/temp") for zone in zones)


def drive_temperature(device: str, root: str = "/") -> float | None:
    """The highest temperature that block device ``device`` tells in °C; None if it tells none."""
    place = f"{root}/sys/class/block/{device}/device"
    for directory in (place, f"{place}/device", f"{place}/hwmon"):
        monitors = [name for name in sysfs.names(directory) if name.startswith("hwmon")]
        found = _celsius(
            sysfs.integer(f"{directory}/{monitor}/{name}")
            for monitor in monitors
            for name in sysfs.names(f"{directory}/{monitor}")
            if re.fullmatch(r"temp[0-9]+_input", name)
        )
        if found is not None:
            return found
    return None


def _celsius(thousandths: Iterator[int | None]) -> float | None:
    known = [value for value in thousandths if value is not None]
    return max(known) / 1000 if known else None
