"""Network cards: which there are, what they are, and which of them leads to a server."""

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aibench.model import Target
from aibench.probes import sysfs

#: Containers bring an interface each; of more than these only those of hardware are told.
MOST = 16

_UP, _REJECTS = 0x1, 0x200
_HOST_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One network interface. ``mbits`` is its speed in Mbit/s, ``errors`` and ``drops`` count.

    The counts are of both directions since it came up; what the kernel does not tell is None.
    ``model`` is the driver and the numbers of maker and model, or what kind of interface it is.
    """

    name: str
    up: bool
    hardware: bool
    model: str
    mbits: int | None
    mtu: int | None
    errors: int | None
    drops: int | None

    @property
    def speed(self) -> str | None:
        """The speed as `units.parse_rate` reads it."""
        return f"{self.mbits} Mbit/s" if self.mbits else None


def cards(root: str = "/") -> tuple[Card, ...]:
    """All interfaces that are not down, the loopback left out; ``root`` is where ``sys`` is."""
    names = [name for name in sysfs.names(f"{root}/sys/class/net") if name != "lo"]
    found = [card for card in (_card(name, root) for name in names) if card is not None]
    return tuple(found) if len(found) <= MOST else tuple(card for card in found if card.hardware)


def _card(name: str, root: str) -> Card | None:
    place = f"{root}/sys/class/net/{name}"
    state = sysfs.text(f"{place}/operstate")
    if state is None or state == "down":
        return None
    speed = sysfs.integer(f"{place}/speed")
    return Card(
        name=name,
        up=state == "up",
        hardware=os.path.exists(f"{place}/device"),
        model=_model(place),
        mbits=speed if speed and speed > 0 else None,
        mtu=sysfs.integer(f"{place}/mtu"),
        errors=_counted(place, "rx_errors", "tx_errors"),
        drops=_counted(place, "rx_dropped", "tx_dropped"),
    )


def _counted(place: str, *names: str) -> int | None:
    numbers = [sysfs.integer(f"{place}/statistics/{name}") for name in names]
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _model(place: str) -> str:
    """``mlx5_core 15b3:101d``, or for what only software makes ``bond over`` what is below it."""
    if os.path.exists(f"{place}/device"):
        driver = os.path.basename(os.path.realpath(f"{place}/device/driver"))
        numbers = [sysfs.text(f"{place}/device/{name}") or "" for name in ("vendor", "device")]
        identity = ":".join(number.removeprefix("0x") for number in numbers if number)
        return " ".join(filter(None, (driver if driver != "driver" else "", identity))) or "unknown"
    kind = re.search(r"^DEVTYPE=(.+)$", sysfs.text(f"{place}/uevent") or "", re.MULTILINE)
    title = kind[1] if kind else "virtual"
    below = [n.removeprefix("lower_") for n in sysfs.names(place) if n.startswith("lower_")]
    models = sorted(_model(os.path.join(os.path.dirname(place), name)) for name in below)
    return f"{title} over {' + '.join(models)}" if models else title


def address_of(target: Target) -> Address | None:
    """The address of the server of ``target`` where the mount tells it as a number."""
    told = [option.removeprefix("addr=") for option in target.options if option.startswith("addr=")]
    for text in (*told, target.server or ""):
        if text in _HOST_NAMES:
            return ipaddress.ip_address("127.0.0.1")
        try:
            return ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            continue
    return None


def leading_to(address: Address, root: str = "/") -> str | None:
    """The interface that the main routing table sends packets for ``address`` to.

    ``lo`` for a loopback address; None where no route is known. Rules of policy routing are not
    looked at, and one mount may use several cards (bonds aside): then this is the first of them.
    """
    if address.is_loopback:
        return "lo"
    routes = _routes4(root) if address.version == 4 else _routes6(root)
    fitting = [route for route in routes if address in route[0]]
    return max(fitting, key=lambda route: (route[0].prefixlen, -route[1]))[2] if fitting else None


Route = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, int, str]


def _routes4(root: str) -> Iterator[Route]:
    """(network, metric, interface) of ``/proc/net/route``; its numbers are hex in host order."""
    for line in (sysfs.text(f"{root}/proc/net/route") or "").splitlines()[1:]:
        words = line.split()
        try:
            name, network, flags, metric, mask = (words[n] for n in (0, 1, 3, 6, 7))
            if _usable(int(flags, 16)):
                numbers = (int.from_bytes(bytes.fromhex(n), "little") for n in (network, mask))
                begin, width = (str(ipaddress.IPv4Address(number)) for number in numbers)
                yield ipaddress.ip_network(f"{begin}/{width}"), int(metric), name
        except (ValueError, IndexError):
            continue


def _routes6(root: str) -> Iterator[Route]:
    for line in (sysfs.text(f"{root}/proc/net/ipv6_route") or "").splitlines():
        words = line.split()
        try:
            network, length, metric, flags, name = (words[n] for n in (0, 1, 5, 8, 9))
            if _usable(int(flags, 16)):
                begin = ipaddress.IPv6Address(int(network, 16))
                yield ipaddress.ip_network(f"{begin}/{int(length, 16)}"), int(metric, 16), name
        except (ValueError, IndexError):
            continue


def _usable(flags: int) -> bool:
    return bool(flags & _UP) and not flags & _REJECTS


def on_the_way(target: Target | None, root: str = "/") -> tuple[Card, ...]:
    """The cards that the data of ``target`` can have come over.

    The one that leads to its server, where that is known; no card where the server is this
    machine; otherwise all cards of hardware that are up, or all that are up where none is.
    """
    every = tuple(card for card in cards(root) if card.up)
    address = address_of(target) if target else None
    leading = leading_to(address, root) if address else None
    if leading == "lo":
        return ()
    if leading is not None:
        found = _card(leading, root)
        return (found,) if found else ()
    return tuple(card for card in every if card.hardware) or every


def identity(target: Target | None, root: str = "/") -> str | None:
    """Models and speeds of the cards on the way to ``target``, for what makes runs comparable."""
    found = sorted(f"{card.model} {card.speed or 'of unknown speed'}" for card in
                   on_the_way(target, root))  # fmt: skip
    return "; ".join(found) or None


def rdma_rates(root: str = "/") -> dict[str, str]:
    """The rate of each active port for RDMA as the kernel prints it, by device and port."""
    top = f"{root}/sys/class/infiniband"
    found = {}
    for device in sysfs.names(top):
        for port in sysfs.names(f"{top}/{device}/ports"):
            place = f"{top}/{device}/ports/{port}"
            rate = sysfs.text(f"{place}/rate")
            if rate and (sysfs.text(f"{place}/state") or "").endswith("ACTIVE"):
                found[f"{device}_{port}"] = rate
    return found
