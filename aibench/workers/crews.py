"""Who does the jobs of a phase on this rank, and what they have in common with other ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

from aibench.workers.arrivals import Arrivals
from aibench.workers.barrier import Barrier
from aibench.workers.coupling import Common
from aibench.workers.job import Job, Prepare
from aibench.workers.meeting import meets
from aibench.workers.part import Processes, processes_of, slots_of
from aibench.world import World


@dataclass(frozen=True, slots=True)
class Crew:
    """Those who do one job here: each process has the slots that ``processes`` lists.

    Their numbers in the outcomes count from ``first`` on, in shared memory from ``base`` on.
    """

    job: Job
    prepare: Prepare
    processes: Processes
    first: int = 0
    base: int = 0

    @property
    def size(self) -> int:
        """How many threads of control there are here."""
        return sum(len(slots) for slots in self.processes)

    def cell(self, number: int, thread: int) -> int:
        """Where a thread of process ``number`` has its integers."""
        return self.base + sum(len(slots) for slots in self.processes[:number]) + thread


def crews_of(jobs: Sequence[tuple[Job, Prepare]], world: World) -> list[Crew]:
    """Who of those that do ``jobs`` is here."""
    crews: list[Crew] = []
    for job, prepare in jobs:
        first = base = 0
        if crews:
            first = crews[-1].first + crews[-1].job.phase.slots
            base = crews[-1].base + crews[-1].size
        crews.append(Crew(job, prepare, processes_of(job.phase, world.place), first, base))
    return crews


def commons_of(crews: Sequence[Crew], world: World) -> list[Common]:
    """What all ranks have in common of what they do; the same ones on each rank."""
    if world.place.size == 1:
        return []
    found: list[Common] = [
        Arrivals(crew.job.meeting, slots_of(crew.job.phase, world.place), crew.job.phase.slots)
        for crew in crews
        if meets(crew.job.phase)
    ]
    conductor = crews[0].job.conductor
    return [*found, Barrier(conductor)] if conductor and conductor.others else found
