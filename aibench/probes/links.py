"""What is physically possible: the rates of network cards, and of the links to local devices.

A result above them did not come over them. Everything here is in bytes per second, and what the
machine does not tell, or only emulates, is absent.
"""

import os
import re
from collections.abc import Iterable, Iterator

from aibench.probes import devices, sysfs

_TRANSFERS = re.compile(r"([0-9]+(?:\.[0-9]+)?) GT/s.*")
_GIGABITS = re.compile(r"([0-9]+(?:\.[0-9]+)?) Gbps")
_ATA = re.compile(r"/ata([0-9]+)/")
_CONTROLLER = re.compile(r"nvme[0-9]+")
#: Up to this many GT/s, PCIe codes 8 bits in 10; faster links code 128 in 130 (PCIe 3.0, 4.2.2).
_LAST_8B10B = 5.0
#: Drives that only software makes: their links are numbers somebody wrote down.
_EMULATED = ("QEMU", "VMware", "ORCL-VBOX")


def nic_rates(root: str = "/") -> dict[str, float]:
    """Line rate of each network card that is up and tells its speed, in one direction.

    Bonds, bridges and VLANs are left out where a card below them tells its own. ``root`` is where
    ``sys`` is.
    """
    net = f"{root}/sys/class/net"
    rates = {name: rate for name in sysfs.names(net) if (rate := _nic_rate(f"{net}/{name}"))}
    return {
        name: rate
        for name, rate in rates.items()
        if not any(lower in rates for lower in _lower(f"{net}/{name}"))
    }


def _nic_rate(directory: str) -> float | None:
    if os.path.basename(directory) == "lo" or sysfs.text(f"{directory}/operstate") != "up":
        return None
    speed = sysfs.integer(f"{directory}/speed")
    return speed * 10**6 / 8 if speed is not None and speed > 0 else None


def _lower(directory: str) -> Iterator[str]:
    for name in sysfs.names(directory):
        if name.startswith("lower_"):
            yield name.removeprefix("lower_")


def device_rates(names: Iterable[str], root: str = "/") -> dict[str, float]:
    """The rate of the links to block devices ``names``, each in one direction.

    PCIe for NVMe (speed × lanes × coding), SATA for disks behind it. A partition has the rate of
    its disk; a volume or array has that of all devices below it together, where all are known.
    """
    sys = f"{root}/sys"
    found = {name: _rate_below(name, sys) for name in names}
    return {name: rate for name, rate in found.items() if rate is not None}


def _rate_below(name: str, sys: str) -> float | None:
    leaves = {
        device
        for member in devices.members(name, sys)
        for device in devices.stack(member, sys)
        if not any(sysfs.names(f"{sys}/class/block/{device}/slaves"))
    }
    rates = [_link_rate(device, sys) for device in leaves]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and len(known) == len(rates) else None


def _link_rate(device: str, sys: str) -> float | None:
    """The rate of the link to one whole device; None where none is known."""
    place = f"{sys}/class/block/{device}"
    if device.startswith("nvme"):
        return _nvme_rate(f"{place}/device")
    port = _ATA.search(os.path.realpath(place))
    return _sata_rate(f"{sys}/class/ata_link/link{port[1]}/sata_spd") if port else None


def _nvme_rate(controller: str) -> float | None:
    """The rate of a controller, or of all controllers of a subsystem with several paths."""
    if (sysfs.text(f"{controller}/model") or "").startswith(_EMULATED):
        return None
    paths = [name for name in sysfs.names(controller) if _CONTROLLER.fullmatch(name)]
    places = [f"{controller}/{name}/device" for name in paths] or [f"{controller}/device"]
    rates = [pcie_rate(place) for place in places]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and len(known) == len(rates) else None


def pcie_rate(directory: str) -> float | None:
    """The rate of the link to the PCIe device in ``directory`` as it is trained now."""
    speed = _TRANSFERS.fullmatch(sysfs.text(f"{directory}/current_link_speed") or "")
    lanes = sysfs.integer(f"{directory}/current_link_width")
    if speed is None or lanes is None or lanes <= 0:
        return None
    transfers = float(speed[1])
    coding = 8 / 10 if transfers <= _LAST_8B10B else 128 / 130
    return transfers * 10**9 * coding * lanes / 8 or None


def _sata_rate(path: str) -> float | None:
    """The rate of a SATA link, which codes 8 bits in 10."""
    speed = _GIGABITS.fullmatch(sysfs.text(path) or "")
    return float(speed[1]) * 10**9 / 10 or None if speed else None
