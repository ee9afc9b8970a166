"""How many clients a rate takes: by their links, and by what their processors start."""

import math
from collections.abc import Iterator, Sequence

from aibench.clients.need import Bound, Level
from aibench.clients.rig import Ceiling, Client, Link, Task
from aibench.metrics import CLIENT_BOUND_BELOW

#: Clients together can do so many times the figure, so that they are not what is measured.
HEADROOM = CLIENT_BOUND_BELOW
#: The same of their processors where a figure is to be refuted, as the judge asks for it.
PROOF = 2.0
#: Reads of less than so many times the memory of clients may come out of it.
MEMORY_TIMES = 5
#: Written bytes that tell of what is behind the server's cache are so many times as many.
CACHE_TIMES = 2
#: A shorter run does not tell a burst from what lasts.
SHORTEST_NS = 60 * 10**9
#: What is in the client itself, and what one client drives alone: that, or its own share.
DEVICES = frozenset({"device", "disk", "drive"})
ALONE = DEVICES | {"client"}
_SECOND = 10**9
#: Less than the rounding of a float may be over a whole number.
_SLACK = 1e-9


def clients_for(demand: float, each: float) -> int:
    """How many clients that can do ``each`` can do ``demand``; at least one."""
    return max(math.ceil(demand / each - _SLACK), 1)


def bounds(
    figure: float, unit: str, test: Task | None, client: Client, times: float = HEADROOM
) -> tuple[Bound, ...]:
    """What asks for how many clients, for a rate of ``figure`` in ``unit`` (B/s or op/s).

    Links carry `HEADROOM` times the figure, processors start ``times`` as many operations. A bound
    is left out where nothing tells what one client can do, or how large an operation is.
    """
    found = []
    size = test.operation_bytes if test else 0
    moved = figure if unit == "B/s" else figure * size
    started = figure if unit == "op/s" else figure / size if size else 0.0
    if client.link.useful and moved and math.isfinite(client.link.useful):
        found.append(_bound("link", moved * HEADROOM, client.link.useful))
    ceiling = _ceiling(client, test)
    if ceiling is not None and started:
        found.append(_bound("harness", started * times, ceiling.operations))
    return tuple(found)


def _bound(what: str, demand: float, each: float) -> Bound:
    return Bound(what=what, demand=demand, each=each, clients=clients_for(demand, each))


def _ceiling(client: Client, test: Task | None) -> Ceiling | None:
    return client.ceilings.get((test.kind, test.phase)) if test else None


def most(found: Sequence[Bound], link: Link) -> int | None:
    """The clients that all bounds ask for; None where nobody says what a link carries."""
    if link.rate is None:
        return None
    return max((bound.clients for bound in found), default=1)


def data_bytes(
    figure: float, test: Task, client: Client, clients: int, server_cache: int | None
) -> int | None:
    """Bytes that neither the memory of ``clients`` nor a server's cache holds, for long enough.

    ``figure`` is in bytes per second; None where the memory of a client is not known.
    """
    if client.memory_bytes is None:
        return None
    wanted = [MEMORY_TIMES * client.memory_bytes * clients, CACHE_TIMES * (server_cache or 0)]
    if not test.runtime_ns:
        wanted.append(math.ceil(figure * SHORTEST_NS / _SECOND))
    return max(wanted)


def asked_for(data: int, test: Task, clients: int) -> tuple[int, tuple[str, ...]]:
    """(bytes, settings) that ask the workload ``test`` for at least ``data`` from ``clients``.

    No setting where it has as many without one, or where no single setting says how many.
    """
    files = test.files * clients if test.each_client else test.files
    have = files * test.file_bytes
    if have >= data or test.kind not in _SETTINGS:
        return max(have, data), ()
    if test.each_client:
        gib = math.ceil(data / files / 2**30)
        return gib * 2**30 * files, (f"{_SETTINGS[test.kind]}={gib}GiB",)
    many = math.ceil(data / test.file_bytes)
    return many * test.file_bytes, (f"{_SETTINGS[test.kind]}={many}",)


#: The setting that makes the data of a kind of workload more.
_SETTINGS = {"block": "file_size", "load": "files"}


def accelerator_levels(test: Task, client: Client) -> Iterator[Level]:
    """The clients whose links feed each number of emulated accelerators of ``test``."""
    for count in test.accelerators:
        fed = (test.accelerator_rate or 0.0) * count * HEADROOM
        useful = client.link.useful
        yield Level(size=count, clients=clients_for(fed, useful) if useful and fed else None)
