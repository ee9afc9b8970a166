"""What the machine says of clocks, heat and drives is read from its files."""

from pathlib import Path

import pytest

from aibench.probes import clock, drives, heat
from tests.machines import tree

CPU = "sys/devices/system/cpu"


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"intel_pstate/no_turbo": "0\n"}, "on"),
        ({"intel_pstate/no_turbo": "1\n"}, "off"),
        ({"cpufreq/boost": "1\n"}, "on"),
        ({"cpufreq/boost": "0\n"}, "off"),
        ({"cpufreq/boost": "?\n"}, None),
        ({}, None),
    ],
)
def test_turbo(tmp_path: Path, files: dict[str, str], turbo: str | None) -> None:
    """Turbo is on or off by what either driver says, or not told."""
    root = tree(tmp_path, {f"{CPU}/{name}": text for name, text in files.items()})
    assert heat.turbo(root) == turbo


def test_throttles(tmp_path: Path) -> None:
    """What every CPU counts is added up; without counters nothing is told."""
    assert heat.throttles(str(tmp_path)) is None
    root = tree(tmp_path, {
        f"{CPU}/cpu0/thermal_throttle/core_throttle_count": 3,
        f"{CPU}/cpu0/thermal_throttle/package_throttle_count": 5,
        f"{CPU}/cpu11/thermal_throttle/core_throttle_count": 7,
        f"{CPU}/cpuidle/thermal_throttle/core_throttle_count": 100,
    })  # fmt: skip
    assert heat.throttles(root) == 15


def test_temperatures(tmp_path: Path) -> None:
    """The hottest zone and the hottest sensor of a drive are told in °C."""
    root = tree(tmp_path, {
        "sys/class/thermal/thermal_zone0/temp": 45500,
        "sys/class/thermal/thermal_zone1/temp": 61000,
        "sys/class/thermal/cooling_device0/temp": 99000,
        "sys/class/block/nvme0n1/device/hwmon3/temp1_input": 38850,
        "sys/class/block/nvme0n1/device/hwmon3/temp2_input": 51850,
        "sys/class/block/nvme0n1/device/hwmon3/temp2_max": 90000,
        "sys/class/block/sda/device/hwmon/hwmon1/temp1_input": 30000,
    })  # fmt: skip
    assert heat.hottest(root) == 61.0
    assert heat.drive_temperature("nvme0n1", root) == 51.85
    assert heat.drive_temperature("sda", root) == 30.0
    assert heat.drive_temperature("sdb", root) is None
    assert heat.hottest(str(tmp_path / "nowhere")) is None


def test_drives(tmp_path: Path) -> None:
    """Model, firmware and number are those of the drives at the bottom, equal ones once."""
    block = "sys/class/block"
    files: dict[str, object] = {f"{block}/sda/device/rev": "HPG9\n", f"{block}/md0/size": 1}
    for name, number in (("nvme0n1", "eui.01"), ("nvme1n1", "eui.02")):
        files |= {
            f"{block}/{name}/wwid": f"{number}\n",
            f"{block}/{name}/device/model": "Example  Drive \n",
            f"{block}/{name}/device/firmware_rev": "FW1\n",
            f"{block}/md0/slaves/{name}/x": "",
        }
    root = tree(tmp_path, files)
    assert drives.drives("md0", root) == {
        "model": "Example Drive", "firmware": "FW1", "id": "eui.01, eui.02",
    }  # fmt: skip
    assert drives.drives("sda", root) == {"firmware": "HPG9"}
    assert drives.drives(None, root) == drives.drives("loop0", root) == {}


def test_clock(tmp_path: Path) -> None:
    """The clock's source is told, and whether something sets it right."""
    name = "sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert clock.source(tree(tmp_path, {name: "tsc\n"})) == "tsc"
    told = clock.discipline()
    assert told is None or abs(told.offset_ns) <= 10**9
