"""Who measured together: the hosts that MPI started ranks on, and what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOf:
    """One host of a run under MPI; the first one is that of rank 0.

    Its monotonic clock was ``clock_offset_ns`` ahead of that of rank 0's host when the run began,
    give or take ``clock_error_ns``. ``differs`` holds what in the key of its environment is not as
    on rank 0's host.
    """

    name: str
    ranks: int
    cpus: int | None = None
    memory_bytes: int | None = None
    clock_offset_ns: int = 0
    clock_error_ns: int = 0
    differs: Mapping[str, str | int | float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ranks < 1:
            raise ValueError("a host of a run has at least one rank")
        if self.clock_error_ns < 0:
            raise ValueError("the error of a clock is never negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the ranks of a run were started: the MPI ``library`` with its version, on which hosts."""

    library: str
    hosts: tuple[HostOf, ...]

    def __post_init__(self) -> None:
        names = {host.name for host in self.hosts}
        if not names or len(names) < len(self.hosts):
            raise ValueError("a run has at least one host, and each host once")

    @property
    def ranks(self) -> int:
        """How many ranks there were, on all hosts together."""
        return sum(host.ranks for host in self.hosts)
