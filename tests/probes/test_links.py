"""What links can carry is told from what the kernel says of them, and is absent otherwise."""

from pathlib import Path

import pytest

from aibench.probes import links

GB = 10**9


def write(path: Path, text: object) -> None:
    """A file of sysfs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def card(root: Path, name: str, speed: object, state: str = "up") -> Path:
    """A network card."""
    place = root / "sys/class/net" / name
    write(place / "operstate", state)
    write(place / "speed", speed)
    return place


def block(root: Path, name: str, place: str) -> Path:
    """A block device whose place in the device tree is ``place``."""
    real = root / "sys/devices" / place / name
    real.mkdir(parents=True)
    (root / "sys/class/block").mkdir(parents=True, exist_ok=True)
    (root / "sys/class/block" / name).symlink_to(real)
    return real


def nvme(root: Path, number: int, speed: str, lanes: object, model: str = "Example") -> Path:
    """An NVMe drive with one namespace."""
    slot = root / f"sys/devices/pci0000:00/0000:0{number}:00.0"
    controller = slot / f"nvme/nvme{number}"
    real = block(
        root, f"nvme{number}n1", f"{slot.relative_to(root / 'sys/devices')}/nvme/nvme{number}"
    )
    write(controller / "model", model)
    write(slot / "current_link_speed", speed)
    write(slot / "current_link_width", lanes)
    (real / "device").symlink_to(controller)
    (controller / "device").symlink_to(slot)
    return real


def disk(root: Path, name: str, port: int, speed: str) -> None:
    """A disk behind a SATA port."""
    block(root, name, f"pci0000:00/0000:00:1f.2/ata{port}/host0/target0:0:0/0:0:0:0/block")
    write(root / f"sys/class/ata_link/link{port}/sata_spd", speed)


def stacked(root: Path, name: str, *lower: str) -> None:
    """A volume or array on the devices ``lower``."""
    real = block(root, name, "virtual/block")
    (real / "slaves").mkdir()
    for each in lower:
        (real / "slaves" / each).symlink_to(root / "sys/class/block" / each)


def test_cards(tmp_path: Path) -> None:
    """Cards that are up and tell their speed have a rate, in bytes per second."""
    card(tmp_path, "eth0", 25000)
    card(tmp_path, "eth1", 100000, "down")
    card(tmp_path, "eth2", -1)
    card(tmp_path, "eth3", "unreadable")
    card(tmp_path, "lo", 10, "up")
    assert links.nic_rates(str(tmp_path)) == {"eth0": 3.125 * GB}
    assert links.nic_rates(str(tmp_path / "nowhere")) == {}


def test_bond_is_not_counted_twice(tmp_path: Path) -> None:
    """A bond of cards that tell their speeds is left out; a VLAN on a silent card is not."""
    for name in ("eth0", "eth1"):
        card(tmp_path, name, 10000)
    bond = card(tmp_path, "bond0", 20000)
    for name in ("eth0", "eth1"):
        (bond / f"lower_{name}").symlink_to(tmp_path / "sys/class/net" / name)
    card(tmp_path, "eth2", -1)
    vlan = card(tmp_path, "eth2.100", 1000)
    (vlan / "lower_eth2").symlink_to(tmp_path / "sys/class/net/eth2")
    assert links.nic_rates(str(tmp_path)) == {
        "eth0": 1.25 * GB,
        "eth1": 1.25 * GB,
        "eth2.100": 0.125 * GB,
    }


@pytest.mark.parametrize(
    ("speed", "lanes", "rate"),
    [
        ("2.5 GT/s PCIe", 4, 1e9),
        ("5.0 GT/s PCIe", 2, 1e9),
        ("5 GT/s", 4, 2e9),
        ("8.0 GT/s PCIe", 4, 3.938e9),
        ("8 GT/s", 4, 3.938e9),
        ("16.0 GT/s PCIe", 4, 7.877e9),
        ("32.0 GT/s PCIe", 4, 15.754e9),
        ("64.0 GT/s PCIe", 4, 31.508e9),
        ("Unknown", 4, None),
        ("Unknown speed", 4, None),
        ("8.0 GT/s PCIe", 0, None),
        ("8.0 GT/s PCIe", "", None),
        ("", 4, None),
    ],
)
def test_nvme(tmp_path: Path, speed: str, lanes: object, rate: float | None) -> None:
    """A drive's link is speed × lanes × coding: 8 bits in 10 up to 5 GT/s, then 128 in 130."""
    nvme(tmp_path, 0, speed, lanes)
    expected = {} if rate is None else {"nvme0n1": pytest.approx(rate, rel=1e-3)}
    assert links.device_rates(["nvme0n1"], str(tmp_path)) == expected


def test_partition_has_the_rate_of_its_disk(tmp_path: Path) -> None:
    """The rate of a partition is that of the link to its disk."""
    real = nvme(tmp_path, 0, "5.0 GT/s PCIe", 4)
    write(real / "nvme0n1p1/partition", 1)
    (tmp_path / "sys/class/block/nvme0n1p1").symlink_to(real / "nvme0n1p1")
    assert links.device_rates(["nvme0n1p1"], str(tmp_path)) == {"nvme0n1p1": 2 * GB}


def test_several_paths_to_one_drive(tmp_path: Path) -> None:
    """A drive of an NVMe subsystem has the rate of all its controllers together."""
    for number in (0, 1):
        nvme(tmp_path, number, "5.0 GT/s PCIe", 2)
    subsystem = tmp_path / "sys/devices/virtual/nvme-subsystem/nvme-subsys2"
    real = block(tmp_path, "nvme2n1", "virtual/nvme-subsystem/nvme-subsys2")
    (real / "device").symlink_to(subsystem)
    for number in (0, 1):
        place = tmp_path / f"sys/devices/pci0000:00/0000:0{number}:00.0/nvme/nvme{number}"
        (subsystem / f"nvme{number}").symlink_to(place)
    assert links.device_rates(["nvme2n1"], str(tmp_path)) == {"nvme2n1": 2 * GB}


def test_emulated_drive(tmp_path: Path) -> None:
    """The link of a drive that a hypervisor emulates says nothing."""
    nvme(tmp_path, 0, "2.5 GT/s PCIe", 1, model="QEMU NVMe Ctrl")
    assert links.device_rates(["nvme0n1"], str(tmp_path)) == {}


@pytest.mark.parametrize(
    ("speed", "expected"),
    [("6.0 Gbps", {"sda": 0.6 * GB}), ("1.5 Gbps", {"sda": 0.15 * GB}), ("<unknown>", {})],
)
def test_sata(tmp_path: Path, speed: str, expected: dict[str, float]) -> None:
    """A SATA link codes 8 bits in 10."""
    disk(tmp_path, "sda", 3, speed)
    assert links.device_rates(["sda"], str(tmp_path)) == expected


def test_array_has_the_rate_of_all_below(tmp_path: Path) -> None:
    """An array or volume has the rates of its devices together, where all are known."""
    disk(tmp_path, "sda", 1, "6.0 Gbps")
    disk(tmp_path, "sdb", 2, "6.0 Gbps")
    block(tmp_path, "vda", "pci0000:00/0000:00:05.0/virtio2/block")
    stacked(tmp_path, "md0", "sda", "sdb")
    stacked(tmp_path, "dm-0", "md0")
    stacked(tmp_path, "dm-1", "md0", "vda")
    names = ["md0", "dm-0", "dm-1"]
    assert links.device_rates(names, str(tmp_path)) == {"md0": 1.2 * GB, "dm-0": 1.2 * GB}


def test_unknown_links_are_absent(tmp_path: Path) -> None:
    """Virtio and loop devices, and names that aren't there, have no rate."""
    block(tmp_path, "vda", "pci0000:00/0000:00:05.0/virtio2/block")
    block(tmp_path, "loop0", "virtual/block")
    assert links.device_rates(["vda", "loop0", "nvme9n1", "sdz"], str(tmp_path)) == {}
