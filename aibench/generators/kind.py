"""What every kind of workload is: a schema for its settings and a function to phases."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from aibench.model import CachePolicy, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line adds to a workload's own settings.

    ``cache`` overrides the workload's policy where set. ``cpus`` is the number of usable cores of a
    rank, for settings that say 0 (automatic). ``fleet`` is how many ranks each host has.
    """

    workload: str
    seed: int
    cpus: int
    cache: CachePolicy | None = None
    fleet: tuple[int, ...] = (1,)

    @property
    def ranks(self) -> int:
        """How many ranks there are on all hosts."""
        return sum(self.fleet)

    def workers(self, given: int) -> int:
        """The workers of all ranks, where each has ``given``; 0 is two for each core, or four."""
        return (given or max(4, 2 * self.cpus)) * self.ranks

    def shift(self, processes: int, given: int = 1) -> int:
        """By how many of ``processes`` readers are moved so that no host reads what it wrote.

        As ``given`` where there is one host only, which reads what it wrote whatever is done.
        """
        if len(self.fleet) == 1 or given == 0:
            return given
        ends = [processes * sum(self.fleet[:n]) // self.ranks for n in range(len(self.fleet) + 1)]
        return max(after - before for before, after in pairwise(ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of workload: what it does, its settings, its default engine, its phases.

    ``phases`` is pure: equal settings and requests give equal phases, preparing ones first.
    ``scaled`` names the settings that ``--scale`` multiplies. ``repeats`` tells how often settings
    ask for their phases, where they do.
    """

    name: str
    summary: str
    engine: str
    settings: type[BaseModel]
    phases: Callable[[Any, Request], tuple[Phase, ...]]
    scaled: tuple[str, ...] = ()
    repeats: Callable[[Any], int] | None = None
