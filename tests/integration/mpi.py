"""aibench under MPI: a stand whose commands are started by a launcher."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.command import Stand
from tests.labs import memory
from tests.labs.mpi import Stack

if TYPE_CHECKING:
    import subprocess


class Ranks(Stand):
    """A stand whose commands are started by a launcher, as so many ranks.

    ``inside`` are words before the launcher, such as those that enter a host; without them each
    launch has memory of its own.
    """

    is_forked = False

    def __init__(
        self,
        directory: Path,
        mpi: Stack,
        ranks: int = 3,
        target: Path | None = None,
        *,
        hosts: Mapping[str, int] | None = None,
        ssh: str = "",
        inside: tuple[str, ...] = (),
    ) -> None:
        super().__init__(directory, target)
        self.mpi, self.ranks, self.inside = mpi, ranks, inside
        self._hosts, self._ssh = hosts, ssh

    def start(self, *arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start a command on all ranks; it is for the caller to end it."""
        environment = {**self.mpi.environment, **options.pop("environment", {})}
        ranks = options.pop("ranks", self.ranks)
        words = self.mpi.words(ranks, self._hosts, self._ssh)
        if self._hosts and self.mpi.is_open:
            own = environment.keys() - self.mpi.environment.keys() | {"AIBENCH_RESULTS"}
            words += [word for name in sorted(own) for word in ("-x", name)]
        prefix = [*(self.inside or memory.own(self.directory)), *words]
        return super().start(*arguments, environment=environment, prefix=prefix, **options)

    @property
    def alone(self) -> Stand:
        """The same stand for commands without a launcher."""
        stand = Inside(self.directory, self.target)
        stand.results, stand.inside = self.results, self.inside
        return stand

    def processes(self) -> list[str]:
        """The command lines of all processes that this stand has started and that still run."""
        return [f"{each.pid} {each.command}" for each in self._running()]

    def connecting(self) -> list[int]:
        """The processes that a launcher started, by rank: those that connect the ranks."""
        running = {each.pid: each for each in self._running()}
        launchers = {pid for pid, each in running.items() if each.rank is None}
        started = {e.rank: pid for pid, e in running.items() if e.parent in launchers}
        return [started[rank] for rank in sorted(rank for rank in started if rank is not None)]

    def _running(self) -> list["Running"]:
        """All processes that this stand has started."""
        found = (running(int(e.name)) for e in Path("/proc").iterdir() if e.name.isdigit())
        return [each for each in found if each and each.results == str(self.results)]


class Inside(Stand):
    """A stand whose commands run after some words that take them to where they belong."""

    is_forked = False
    inside: tuple[str, ...] = ()

    def start(self, *arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start a command there; it is for the caller to end it."""
        return super().start(*arguments, prefix=self.inside, **options)


@dataclass(frozen=True)
class Running:
    """A process that runs: what it is a child of, whose stand it is of, and as which rank."""

    pid: int
    parent: int
    command: str
    results: str
    rank: int | None


def running(pid: int) -> Running | None:
    """What a process is; None where it has ended, or is this one."""
    place = Path(f"/proc/{pid}")
    try:
        environ = (place / "environ").read_bytes().decode(errors="replace").split("\0")
        command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    if pid == os.getpid() or state in "ZX":
        return None
    told = dict(pair.split("=", 1) for pair in environ if "=" in pair)
    rank = told.get("OMPI_COMM_WORLD_RANK", told.get("PMI_RANK"))
    results = told.get("AIBENCH_RESULTS", "")
    return Running(pid, int(parent), command, results, None if rank is None else int(rank))
