"""Network cards are found, described, and told apart by the way to the server."""

import ipaddress
from pathlib import Path

import pytest

from aibench.probes import cards
from tests import build
from tests.machines import tree

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t00000000\t0100A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0
ib0\t0000A00A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
ib1\t0001A00A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
ib2\t0002A00A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0
broken line
"""
ROUTES6 = """\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0
20010db8000000000000000000000000 20 00000000000000000000000000000000 00 \
00000000000000000000000000000000 00000100 00000001 00000000 00000001      ib0
20010db8000000000000000000000000 20 00000000000000000000000000000000 00 \
00000000000000000000000000000000 00000100 00000001 00000000 00000200       lo
nonsense
"""


def card(root: Path, name: str, speed: object = 25000, state: str = "up", **more: object) -> Path:
    """A card of hardware; ``more`` are files of its directory."""
    place = root / "sys/class/net" / name
    files = {"operstate": state, "speed": speed, "mtu": 9000, **more}
    tree(place, files)
    tree(place / "device", {"vendor": "0x15b3\n", "device": "0x1015\n"})
    driver = root / "sys/bus/pci/drivers/mlx5_core"
    driver.mkdir(parents=True, exist_ok=True)
    (place / "device/driver").symlink_to(driver)
    return place


def virtual(root: Path, name: str, *below: str, kind: str = "bond") -> None:
    """An interface that software makes of those ``below``."""
    place = root / "sys/class/net" / name
    uevent = f"DEVTYPE={kind}\nINTERFACE={name}\n"
    tree(place, {"operstate": "up", "speed": 50000, "mtu": 1500, "uevent": uevent})
    for lower in below:
        (place / f"lower_{lower}").symlink_to(root / "sys/class/net" / lower)


def counters(place: Path, *numbers: int) -> None:
    """Errors and drops, received and sent."""
    names = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
    tree(place / "statistics", dict(zip(names, numbers, strict=True)))


def test_a_card(tmp_path: Path) -> None:
    """A card of hardware tells driver, numbers, speed, size of packets, errors and drops."""
    counters(card(tmp_path, "eth0"), 1, 2, 30, 40)
    (found,) = cards.cards(str(tmp_path))
    assert found == cards.Card(
        name="eth0", up=True, hardware=True, model="mlx5_core 15b3:1015", mbits=25000, mtu=9000,
        errors=3, drops=70,
    )  # fmt: skip
    assert found.speed == "25000 Mbit/s"


def test_what_is_not_told(tmp_path: Path) -> None:
    """Down cards and the loopback are left out; a speed of -1 and missing counts are None."""
    card(tmp_path, "eth0", -1)
    card(tmp_path, "eth1", 1000, "down")
    card(tmp_path, "lo", 1000, "unknown")
    (found,) = cards.cards(str(tmp_path))
    assert (found.name, found.speed, found.errors, found.drops) == ("eth0", None, None, None)
    assert cards.cards(str(tmp_path / "nowhere")) == ()


def test_many_containers(tmp_path: Path) -> None:
    """Of very many interfaces only those of hardware are told."""
    card(tmp_path, "eth0")
    for number in range(cards.MOST):
        virtual(tmp_path, f"veth{number}", kind="veth")
    assert [found.name for found in cards.cards(str(tmp_path))] == ["eth0"]


def test_bond(tmp_path: Path) -> None:
    """A bond is described by what is below it."""
    for name in ("eth0", "eth1"):
        card(tmp_path, name)
    virtual(tmp_path, "bond0", "eth0", "eth1")
    bond = cards.cards(str(tmp_path))[0]
    assert (bond.name, bond.hardware) == ("bond0", False)
    assert bond.model == "bond over mlx5_core 15b3:1015 + mlx5_core 15b3:1015"


@pytest.mark.parametrize(
    ("address", "card_name"),
    [
        ("8.8.8.8", "eth1"), ("10.160.9.9", "ib0"), ("10.160.1.9", "ib1"), ("10.160.2.9", "ib0"),
        ("127.0.0.5", "lo"), ("::1", "lo"), ("2001:db8::7", "ib0"), ("2001:db9::7", "eth0"),
    ],
)  # fmt: skip
def test_routes(tmp_path: Path, address: str, card_name: str) -> None:
    """The longest prefix leads, then the lowest metric; routes that reject don't."""
    root = tree(tmp_path, {"proc/net/route": ROUTES, "proc/net/ipv6_route": ROUTES6})
    assert cards.leading_to(ipaddress.ip_address(address), root) == card_name


def test_no_route(tmp_path: Path) -> None:
    """Without a table there is no way that is known."""
    assert cards.leading_to(ipaddress.ip_address("10.0.0.1"), str(tmp_path)) is None


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"options": ("rw", "addr=10.160.1.9"), "server": "nas"}, "10.160.1.9"),
        ({"options": ("rw", "addr=fe80::1%eth0"), "server": "nas"}, "fe80::1"),
        ({"server": "2001:db8::7"}, "2001:db8::7"),
        ({"server": "localhost"}, "127.0.0.1"),
        ({"server": "nas"}, None),
        ({}, None),
    ],
)
def test_address(changes: dict[str, object], address: str | None) -> None:
    """The server's address is what the mount says in numbers; no name is looked up."""
    found = cards.address_of(build.target(**changes))
    assert (None if found is None else str(found)) == address


def test_the_card_on_the_way(tmp_path: Path) -> None:
    """The card that leads to the server counts alone; for a local target all of hardware do."""
    tree(tmp_path, {"proc/net/route": ROUTES})
    card(tmp_path, "eth1", 1000)
    card(tmp_path, "ib1", 200000)
    virtual(tmp_path, "docker0", kind="bridge")
    root = str(tmp_path)
    near = build.target(fstype="nfs4", server="nas", options=("addr=10.160.1.9",))
    here = build.target(fstype="nfs4", server="nas", options=("addr=127.0.0.1",))
    assert cards.identity(near, root) == "mlx5_core 15b3:1015 200000 Mbit/s"
    assert [each.name for each in cards.on_the_way(build.target(), root)] == ["eth1", "ib1"]
    assert cards.on_the_way(here, root) == ()
    assert cards.identity(here, root) is None
    assert cards.identity(None, root) == (
        "mlx5_core 15b3:1015 1000 Mbit/s; mlx5_core 15b3:1015 200000 Mbit/s"
    )


def test_rdma(tmp_path: Path) -> None:
    """Active RDMA ports tell their rate."""
    port = "sys/class/infiniband/mlx5_0/ports"
    root = tree(tmp_path, {
        f"{port}/1/rate": "400 Gb/sec (4X NDR)\n", f"{port}/1/state": "4: ACTIVE\n",
        f"{port}/2/rate": "2.5 Gb/sec (1X SDR)\n", f"{port}/2/state": "1: DOWN\n",
    })  # fmt: skip
    assert cards.rdma_rates(root) == {"mlx5_0_1": "400 Gb/sec (4X NDR)"}


def test_this_machine() -> None:
    """Whatever cards there are here, asking for them raises nothing."""
    for found in cards.cards():
        assert found.name != "lo"
        assert found.model
