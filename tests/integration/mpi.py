"""aibench under MPI: the launchers of this machine, and a stand whose commands they start."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Stand

#: Where else MPI libraries are installed, each with ``bin`` and ``lib``, separated by colons.
ELSEWHERE = "AIBENCH_TEST_MPI"
_SYSTEM = "/usr/bin:/usr/local/bin:/usr/lib64/openmpi/bin:/usr/lib64/mpich/bin"
#: Open MPI starts nothing as root, or more ranks than cores, unless it is told so.
_OPEN = ("--oversubscribe", "--bind-to", "none")
#: What starts a command on another host, as Open MPI 4 calls it, and 5.
_AGENTS = ("plm_rsh_agent", "plm_ssh_agent")
_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


@dataclass(frozen=True)
class Mpi:
    """A launcher, and what its ranks need in their environment to load the library it is of."""

    name: str
    program: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether it is Open MPI, and not MPICH."""
        return self.name == "Open MPI"

    def words(self, ranks: int, hosts: Mapping[str, int] | None = None, ssh: str = "") -> list[str]:
        """What stands before a command that so many ranks are to run, on these hosts by address."""
        if self.is_open:
            words = [self.program, *_OPEN, "-n", str(ranks)]
            if hosts:
                prefix = str(Path(self.program).parents[1])
                agents = [w for name in _AGENTS for w in ("--mca", name, ssh)]
                words += ["--prefix", prefix, *agents, "--host"]
        else:
            words = [self.program, "-n", str(ranks)]
            if hosts:
                words += ["-launcher", "ssh", "-launcher-exec", ssh, "-hosts"]
        if hosts:
            words.append(",".join(f"{address}:{count}" for address, count in hosts.items()))
        return words


@cache
def installed() -> tuple[Mpi, ...]:
    """The launchers that are here: MPICH and Open MPI, the first of each that is found."""
    if find_spec("mpi4py") is None:
        return ()
    elsewhere = [place for place in os.environ.get(ELSEWHERE, "").split(os.pathsep) if place]
    prefixes = [str(Path(sys.executable).parent.parent), *elsewhere]
    places = [os.path.join(prefix, "bin") for prefix in prefixes] + _SYSTEM.split(os.pathsep)
    found: dict[str, Mpi] = {}
    for place in places:
        for program in ("mpiexec", "mpiexec.openmpi", "mpiexec.mpich"):
            path = shutil.which(program, path=place)
            if path is None:
                continue
            name = _name(path)
            found.setdefault(name, Mpi(name, path, _needed(name, place)))
    return tuple(found[name] for name in sorted(found) if name)


def _name(path: str) -> str:
    done = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    told = {"Open MPI": ("Open MPI", "OpenRTE", "PRRTE"), "MPICH": ("HYDRA",)}
    return next((n for n, marks in told.items() if any(m in done.stdout for m in marks)), "")


def _needed(name: str, place: str) -> dict[str, str]:
    """What makes the ranks of a launcher in ``place`` load its library."""
    environment = dict(_AS_ROOT) if name == "Open MPI" else {}
    if Path(place) == Path(sys.executable).parent:
        return environment  # mpi4py finds it
    environment["MPI4PY_MPIABI"] = "openmpi" if name == "Open MPI" else "mpich"
    library = Path(place).parent / "lib"
    if any(library.glob("libmpi.so*")):
        environment["LD_LIBRARY_PATH"] = str(library)
    return environment


def missing() -> str:
    """What this machine lacks to start ranks, in a sentence; empty where it lacks nothing."""
    if find_spec("mpi4py") is None:
        return "Ranks need mpi4py (pip install 'aibench[mpi]')."
    if not installed():
        return "Ranks need MPI (pip install mpich, or the package openmpi-bin)."
    return ""


requires_mpi = pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")


class Ranks(Stand):
    """A stand whose commands are started by a launcher, as so many ranks.

    ``inside`` are words before the launcher, such as those that enter a host.
    """

    def __init__(
        self,
        directory: Path,
        mpi: Mpi,
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
            for name in (*environment, "AIBENCH_RESULTS"):
                words += ["-x", name]
        prefix = [*self.inside, *words]
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
        started: dict[int, int] = {}
        for each in self._running():
            if each.rank is not None:
                started[each.rank] = min(started.get(each.rank, each.pid), each.pid)
        return [started[rank] for rank in sorted(started)]

    def _running(self) -> list["Running"]:
        """All processes that this stand has started."""
        found = (running(int(e.name)) for e in Path("/proc").iterdir() if e.name.isdigit())
        return [each for each in found if each and each.results == str(self.results)]


class Inside(Stand):
    """A stand whose commands run after some words that take them to where they belong."""

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


def each_mpi(test: Callable[..., None]) -> Callable[..., None]:
    """Runs a test with each launcher that is here; it skips where none is."""
    found = installed() or (None,)
    names = [mpi.name if mpi else "none" for mpi in found]
    return requires_mpi(pytest.mark.parametrize("mpi", found, ids=names)(test))
