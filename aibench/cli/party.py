"""Who measures: this process alone, or all ranks that an MPI launcher has started."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aibench.cli.named import find_target
from aibench.crew import Member
from aibench.crew.joining import assembled
from aibench.crew.survey import Look, Survey, facts
from aibench.engine import Engine
from aibench.errors import Refused, RunFailed
from aibench.model import Finding, Launch, RunRecord, Target
from aibench.probes import resources
from aibench.workspace import Workspace
from aibench.workspace.clean import clean_hosts
from aibench.world import Alone, World, here, library, notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who measures, and what they are: ``fleet`` is how many ranks each host has.

    ``cpus`` are those of a rank, ``memory_bytes`` is what all may take together.
    """

    world: World
    cpus: int
    memory_bytes: int
    fleet: tuple[int, ...] = (1,)
    boots: str = ""
    launch: Launch | None = None
    remarks: tuple[Finding, ...] = ()

    def member(
        self,
        workspace: Workspace,
        target: Target,
        engines: Mapping[str, Engine],
        used: Sequence[str],
        patience_ns: int,
    ) -> Member:
        """Rank 0, with all others at its side. `Refused` where they don't see the workspace.

        What hosts left for each other in a run that was killed goes first.
        """
        with suppress(OSError):
            clean_hosts(workspace)
        return assembled(self.world, workspace, target, engines, used, patience_ns, self.boots)

    def leave(self, workspace: Workspace) -> None:
        """Let go of the others, and remove what the hosts left for each other."""
        if self.world.place.size > 1:
            with suppress(RunFailed):  # who can't be reached has let go
                self.world.share(None)
            notes(None)
            with suppress(OSError):  # a target that went away keeps it
                clean_hosts(workspace)

    def refuse_other(self, record: RunRecord) -> None:
        """`Refused` where ``record`` was measured by other numbers of ranks."""
        hosts = record.launch.hosts if record.launch else ()
        fleet = tuple(host.ranks for host in hosts) or (1,)
        if fleet != self.fleet:
            raise Refused(
                f"{record.run_id} was measured by {in_words(fleet)}, not by "
                f"{in_words(self.fleet)}: start as many with mpirun or srun"
            )


def alone() -> Party:
    """This process measures alone."""
    return Party(
        world=Alone(os.uname().nodename),
        cpus=resources.usable_cpus(),
        memory_bytes=resources.available_memory(),
    )


def in_words(fleet: Sequence[int]) -> str:
    """How many ranks there are on how many hosts, in words."""
    ranks, hosts = sum(fleet), len(fleet)
    each = "each" if len(set(fleet)) == 1 else "/".join(map(str, fleet))
    if hosts == 1:
        return "one process" if ranks == 1 else f"{ranks} ranks on one host"
    return f"{ranks} ranks on {hosts} hosts" + ("" if each == "each" else f" ({each})")


def gathered(path: str, label: str | None, fstype: str | None) -> Party:
    """All ranks, on rank 0. `Refused` names the hosts that can't measure ``path`` together."""
    world = here()
    if world.place.size == 1:
        return alone()
    look = world.share(Look(path=path, label=label, fstype=fstype))
    told = world.gather(facts(look, world, target_of))
    survey = Survey(place=world.place, facts=tuple(told), clocks=world.clocks)
    if problems := survey.refusals():
        raise Refused("\n".join(problems))
    return Party(
        world=world,
        cpus=survey.cpus,
        memory_bytes=survey.memory_bytes,
        fleet=survey.fleet,
        boots=survey.boots,
        launch=survey.launch(library()),
        remarks=survey.remarks(),
    )


def target_of(look: Look) -> Target:
    """The directory that a rank is to look for."""
    return find_target(look.path, look.label, look.fstype)
