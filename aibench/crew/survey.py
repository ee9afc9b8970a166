"""What the hosts of a run are, and whether they can measure one filesystem together."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from aibench import __version__
from aibench.errors import AibenchError
from aibench.model import Finding, HostOf, Launch, Target
from aibench.probes import environment, resources
from aibench.workspace.dataset import boot
from aibench.world import Clock, Place, World

#: How many hosts are named in one sentence.
_NAMED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What every rank is to look for: the directory that rank 0 was given, under its label."""

    path: str
    label: str | None
    fstype: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a rank says of its host, and of the target as it sees it; ``problem`` where it can't.

    ``cpus`` are those that the rank may use, ``online`` those of its host.
    """

    host: str
    aibench: str
    python: str
    boot: str
    cpus: int
    online: int
    memory_bytes: int | None
    free_memory: int
    key: Mapping[str, str | int | float | None]
    target: Target | None = None
    problem: str = ""


def facts(look: Look, world: World, find: Callable[[Look], Target]) -> Facts:
    """What this rank has to say; never raises for what is wrong with the target."""
    target, problem = None, ""
    try:
        target = find(look)
    except (AibenchError, OSError) as error:
        problem = str(error)
    return Facts(
        host=world.place.host,
        aibench=__version__,
        python=platform.python_version(),
        boot=boot(),
        cpus=resources.usable_cpus(),
        online=os.cpu_count() or 1,
        memory_bytes=resources.total_memory(),
        free_memory=resources.available_memory(),
        key=environment.key(target=target),
        target=target,
        problem=problem,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What all ranks said, by rank."""

    place: Place
    facts: tuple[Facts, ...]
    clocks: tuple[Clock, ...] = field(default=())

    def refusals(self) -> list[str]:
        """Why these hosts can't measure together, each host by name."""
        first = self.facts[0]
        found = [f"{each.host}: {each.problem}" for each in self._once() if each.problem]
        found += self._unlike("aibench", lambda each: each.aibench, "install the same one on all")
        if first.target is not None:
            wanted = (
                ("the filesystem", lambda each: _filesystem(each.target)),
                ("the mount", lambda each: each.target and each.target.source),
            )
            for what, of in wanted:
                found += self._unlike(what, of, "mount the same one at the same path on all")
                if found:
                    break
        return found

    def remarks(self) -> tuple[Finding, ...]:
        """What is not alike on all hosts, and whether the launcher holds the ranks back."""
        told = self._unlike("Python", lambda each: each.python)
        told += self._unlike("what the mount options are", _options)
        for name in sorted({name for each in self.facts for name in each.key}):
            told += self._unlike(name, partial(_entry, name))
        found = (Finding(code="hosts_differ", message=message) for message in told)
        return (*found, *self._bound())

    def launch(self, library: str) -> Launch:
        """How the ranks were started, for the record."""
        own = self.facts[0].key
        hosts = []
        counts = self.place.counts
        for name, rank in self.place.leaders.items():
            of, clock = self.facts[rank], self.clocks[rank]
            names = sorted(of.key.keys() | own.keys())
            hosts.append(
                HostOf(
                    name=name,
                    ranks=counts[name],
                    cpus=of.online,
                    memory_bytes=of.memory_bytes,
                    clock_offset_ns=clock.offset_ns,
                    clock_error_ns=clock.error_ns,
                    differs={n: of.key.get(n) for n in names if of.key.get(n) != own.get(n)},
                )
            )
        return Launch(library=library, hosts=tuple(hosts))

    @property
    def fleet(self) -> tuple[int, ...]:
        """How many ranks each host has."""
        return tuple(self.place.counts.values())

    @property
    def boots(self) -> str:
        """What changes when one of the hosts is started anew."""
        return "+".join(sorted({each.boot for each in self.facts}))

    @property
    def cpus(self) -> int:
        """The processors that each rank may use, of the rank with the fewest."""
        counts = self.place.counts
        return min(min(each.cpus, max(each.online // counts[each.host], 1)) for each in self.facts)

    @property
    def memory_bytes(self) -> int:
        """The memory that all ranks may take together, if each takes as much."""
        counts = self.place.counts
        shares = (each.free_memory // counts[each.host] for each in self.facts)
        return min(shares) * self.place.size

    def _once(self) -> list[Facts]:
        """What the first rank of each host said."""
        return [self.facts[rank] for rank in self.place.leaders.values()]

    def _unlike(self, what: str, of: Callable[[Facts], object], advice: str = "") -> list[str]:
        """A sentence where hosts differ in something, with the names of those that do."""
        own = of(self.facts[0])
        others = [each for each in self._once() if of(each) != own and not each.problem]
        if not others:
            return []
        names = ", ".join(each.host for each in others[:_NAMED])
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        told = f"{what} is {own} on {self.facts[0].host} and {of(others[0])} on {names}{more}"
        return [f"{told}: {advice}" if advice else told]

    def _bound(self) -> tuple[Finding, ...]:
        """Whether each rank may use fewer processors than would be its share."""
        counts = self.place.counts
        for each in self.facts:
            share = each.online // counts[each.host]
            if each.cpus < share:
                message = (
                    f"each rank on {each.host} may use {each.cpus} of {each.online} processors, "
                    f"and its share would be {share}: where the launcher binds ranks, tell it not "
                    "to (mpirun --bind-to none, srun --cpu-bind=none)"
                )
                return (Finding(code="bound_ranks", message=message),)
        return ()


def _entry(name: str, each: Facts) -> object:
    return each.key.get(name)


def _filesystem(target: Target | None) -> object:
    return target and target.fstype


def _options(each: Facts) -> object:
    """The mount options that say how a mount works, without those that name the client."""
    if each.target is None:
        return None
    own = ("clientaddr=", "addr=")
    return ",".join(sorted(o for o in each.target.options if not o.startswith(own)))
