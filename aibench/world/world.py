"""The World protocol: what a process knows of those that measure together with it.

Each rank is one process with workers of its own. Rank 0 plans, asks and writes the record; the
others do what it shares with them. All ranks make the same calls in the same order.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any, Protocol

#: How long before the common start of a lone rank: time for its workers to see it.
_HEADSTART_NS = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rank is; ``hosts`` has the name of the host of each rank, by rank."""

    rank: int
    hosts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.rank < len(self.hosts):
            raise ValueError(f"rank {self.rank} of {len(self.hosts)}")

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return len(self.hosts)

    @property
    def host(self) -> str:
        """The name of this rank's host."""
        return self.hosts[self.rank]

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts, each once, in the order of their first ranks."""
        return tuple(dict.fromkeys(self.hosts))

    @property
    def counts(self) -> dict[str, int]:
        """How many ranks each host has, in the order of `names`."""
        return dict(Counter(self.hosts))

    @property
    def leaders(self) -> dict[str, int]:
        """The first rank of each host, in the order of `names`."""
        found: dict[str, int] = {}
        for rank, host in enumerate(self.hosts):
            found.setdefault(host, rank)
        return found

    @property
    def leads(self) -> bool:
        """Whether this is the first rank of its host: the one that acts for the host as a whole."""
        return self.hosts.index(self.host) == self.rank

    @property
    def beside(self) -> int:
        """How many ranks this rank's host has, this one among them."""
        return self.hosts.count(self.host)

    def ranks_of(self, hosts: int = 0) -> int:
        """How many ranks the first so many hosts have; all of them with 0."""
        counts = list(self.counts.values())
        return sum(counts[:hosts] if hosts else counts)

    @property
    def turn(self) -> int:
        """The place of this rank where those of one host stand next to each other."""
        order = {name: number for number, name in enumerate(self.names)}
        return sum(
            (order[host], rank) < (order[self.host], self.rank)
            for rank, host in enumerate(self.hosts)
        )

    @property
    def host_count(self) -> int:
        """How many hosts there are."""
        return len(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot(Place):
    """A place as told to ranks other than 0: without the names of all hosts, and so small.

    It has the same properties, but for those that name other hosts. ``fleet`` holds (how many
    hosts, with how many ranks each), in their order.
    """

    hosts: tuple[str, ...] = ()
    of: int
    on: str
    at: int
    first: bool
    fleet: tuple[tuple[int, int], ...]
    neighbours: int

    def __post_init__(self) -> None:
        """Nothing is to be checked."""

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return self.of

    @property
    def host(self) -> str:
        """The name of this rank's host."""
        return self.on

    @property
    def leads(self) -> bool:
        """Whether this is the first rank of its host."""
        return self.first

    @property
    def beside(self) -> int:
        """How many ranks this rank's host has, this one among them."""
        return self.neighbours

    @property
    def turn(self) -> int:
        """The place of this rank where those of one host stand next to each other."""
        return self.at

    def ranks_of(self, hosts: int = 0) -> int:
        """How many ranks the first so many hosts have; all of them with 0."""
        if not hosts:
            return self.of
        found = 0
        for count, each in self.fleet:
            found += min(count, hosts) * each
            hosts -= min(count, hosts)
        return found

    @property
    def host_count(self) -> int:
        """How many hosts there are."""
        return sum(count for count, _ in self.fleet)


def spots(hosts: Sequence[str]) -> Iterator[Spot]:
    """The place of each rank, by rank, where ``hosts`` has the name of the host of each."""
    counts = Counter(hosts)
    begins = dict(zip(counts, accumulate(counts.values(), initial=0), strict=False))
    fleet = tuple((len(list(run)), each) for each, run in groupby(counts.values()))
    seen: Counter[str] = Counter()
    for rank, host in enumerate(hosts):
        yield Spot(
            rank=rank,
            of=len(hosts),
            on=host,
            at=begins[host] + seen[host],
            first=not seen[host],
            fleet=fleet,
            neighbours=counts[host],
        )
        seen[host] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How far the monotonic clock of a rank is ahead of that of rank 0, give or take ``error_ns``.

    Ranks of one host have one clock.
    """

    offset_ns: int
    error_ns: int


class World(Protocol):
    """All ranks, as one of them sees them.

    Any call may raise: on rank 0 `errors.RankFailed`, which names the rank and host that failed,
    died or was not heard of; on the others `errors.WorldEnded` when rank 0 has ended the work.
    No call waits longer than for that to be known.
    """

    @property
    def place(self) -> Place:
        """Where this rank is."""

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """On rank 0 the clock of each rank, by rank; elsewhere nothing."""

    def meet(self) -> int:
        """Wait for all ranks; a common start that is still to come, on this host's monotonic clock.

        In nanoseconds of `time.perf_counter_ns`.
        """

    def share(self, whole: object) -> Any:
        """What rank 0 gives, on every rank; what the others give is not looked at."""

    def gather(self, mine: object) -> list[Any]:
        """On rank 0 what each rank gives, by rank; elsewhere nothing."""

    def tell(self, operations: int, moved: int) -> tuple[int, int]:
        """Tell how far this rank has come, without waiting; the sum of what all ranks told.

        Elsewhere than on rank 0 it is what was told here. To be called now and then while
        nothing else is: it is how a rank learns that another one has failed.
        """

    @property
    def wires(self) -> tuple[int, ...]:
        """Descriptors that become readable when something has come from other ranks."""

    def post(self, what: object) -> None:
        """Send ``what`` to rank 0, from rank 0 to all others, without waiting."""

    def posts(self) -> list[tuple[int, Any]]:
        """What has come by `post` since the last call, with the rank that it is from."""

    def end(self) -> None:
        """On rank 0: end what all others do, and wait for a while until they have let go."""


class Alone:
    """The world of a process that nobody measures together with."""

    def __init__(self, host: str) -> None:
        self.place = Place(rank=0, hosts=(host,))
        self.clocks = (Clock(offset_ns=0, error_ns=0),)

    def meet(self) -> int:
        """A start that is just to come."""
        return time.perf_counter_ns() + _HEADSTART_NS

    def share(self, whole: object) -> Any:
        """What was given."""
        return whole

    def gather(self, mine: object) -> list[Any]:
        """What was given, by rank."""
        return [mine]

    def tell(self, operations: int, moved: int) -> tuple[int, int]:
        """What was told."""
        return operations, moved

    wires: tuple[int, ...] = ()

    def post(self, what: object) -> None:
        """There is nobody."""

    def posts(self) -> list[tuple[int, Any]]:
        """Nothing."""
        return []

    def end(self) -> None:
        """There is nobody."""
