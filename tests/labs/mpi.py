"""MPI: the launchers that are here, and what their ranks need to load the library they are of.

``scripts/test`` installs two libraries from the package index, each into a place of its own: their
files have the same names. That of the distribution is used where there is one.
"""

import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

#: Where ``scripts/test`` puts libraries, each in a directory with ``bin`` and ``lib``.
INSTALLED = Path(sys.prefix) / "mpi"
#: Where Debian's MPICH is by the name that everybody else has for it.
_RENAMED = INSTALLED / "system"
_SYSTEM = ("/usr", "/usr/local", "/usr/lib64/openmpi", "/usr/lib64/mpich")
_PROGRAMS = ("mpiexec.openmpi", "mpiexec.mpich", "mpiexec")
#: What a launcher is called that ``mpiexec`` is another name of, or the library beside it.
_MARKS = {
    "Open MPI": ("openmpi", "orterun", "prterun", "libmpi.so.40"),
    "MPICH": ("mpich", "hydra", "libmpi.so.12"),
}
#: Open MPI starts nothing as root, or more ranks than cores, unless it is told so.
_OPEN = ("--oversubscribe", "--bind-to", "none")
#: Hosts of a lab have one kernel, and UCX takes that for one machine, whose memory is shared.
_WIRE = (("UCX_TLS", "tcp,self"), ("UCX_NET_DEVICES", "eth0"))
_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


@dataclass(frozen=True)
class Stack:
    """A launcher, and the environment in which its ranks load the library that it is of."""

    name: str
    program: str
    environment: Mapping[str, str]

    @property
    def is_open(self) -> bool:
        """Whether it is Open MPI, and not MPICH."""
        return self.name.startswith("Open MPI")

    @property
    def is_prrte(self) -> bool:
        """Whether it is Open MPI 5 or later, whose launcher is PRRTE."""
        return (Path(self.program).resolve().parent / "prterun").exists()

    @property
    def is_sound_between_hosts(self) -> bool:
        """Whether ranks on several hosts can leave each other.

        MPICH 4.0.2 over UCX 1.13, that of Debian 12, hangs in ``MPI_Finalize`` over TCP at times:
        so does a program that calls nothing but ``MPI_Init``, ``MPI_Barrier`` and that.
        """
        return self.environment.get("LD_LIBRARY_PATH") != str(_RENAMED)

    def words(self, ranks: int, hosts: Mapping[str, int] | None = None, ssh: str = "") -> list[str]:
        """What stands before a command that so many ranks are to run.

        ``hosts`` has how many of them each host takes, by address; ``ssh`` is the program that
        goes there.
        """
        words = [self.program, *(_OPEN if self.is_open else ()), "-n", str(ranks)]
        if hosts:
            names = ",".join(f"{address}:{count}" for address, count in hosts.items())
            if self.is_open:
                words += ["--prefix", str(self._plain(Path(ssh).parent)), "--host", names]
                words += ["--mca", "plm_ssh_agent" if self.is_prrte else "plm_rsh_agent", ssh]
                words += [word for name in self.environment for word in ("-x", name)]
            else:
                words += ["-launcher", "ssh", "-launcher-exec", ssh, "-hosts", names]
                words += [*(w for pair in _WIRE for w in ("-genv", *pair))]
        return words

    def _plain(self, directory: Path) -> Path:
        """Where it is installed, by a path that shells on other hosts take for one word.

        Open MPI puts it there as it stands. ``directory`` is a lab's own, and goes with it.
        """
        prefix = Path(self.program).parents[1]
        if not any(sign.isspace() for sign in str(prefix)):
            return prefix
        link = directory / "mpi"
        if not link.is_symlink():
            link.symlink_to(prefix)
        return link


@cache
def stacks() -> tuple[Stack, ...]:
    """All that are here: MPICH and Open MPI, and that of the distribution."""
    if find_spec("mpi4py") is None:
        return ()
    found: dict[str, Stack] = {}
    own = sorted(INSTALLED.iterdir()) if INSTALLED.is_dir() else []
    for prefix in (*own, Path(sys.prefix), *map(Path, _SYSTEM)):
        for program in _PROGRAMS:
            path = shutil.which(program, path=str(prefix / "bin"))
            family = path and _family(Path(path), prefix / "lib")
            environment = family and _environment(family, prefix)
            if path and family and environment:
                name = f"{family} of the system" if str(prefix) in _SYSTEM else family
                found.setdefault(name, Stack(name, path, environment))
    return tuple(found[name] for name in sorted(found))


@cache
def families() -> tuple[Stack, ...]:
    """One of each kind: MPICH and Open MPI."""
    first: dict[bool, Stack] = {}
    for stack in stacks():
        first.setdefault(stack.is_open, stack)
    return tuple(first.values())


def _family(program: Path, libraries: Path) -> str:
    signs = [program.name, program.resolve().name, *(p.name for p in libraries.glob("libmpi.so*"))]
    for family, marks in _MARKS.items():
        if any(mark in sign for mark in marks for sign in signs):
            return family
    return ""


def _environment(family: str, prefix: Path) -> dict[str, str]:
    """What ranks need to load a library; nothing where it is not there."""
    environment = {"MPI4PY_MPIABI": "openmpi" if family == "Open MPI" else "mpich"}
    if family == "Open MPI":
        environment |= _AS_ROOT
    if str(prefix) not in _SYSTEM:
        environment["LD_LIBRARY_PATH"] = str(prefix / "lib")
    elif family == "MPICH":
        libraries = [*prefix.glob("lib*/libmpi.so.12"), *map(_by_its_name, _debians(prefix))]
        if not libraries:
            return {}
        environment["LD_LIBRARY_PATH"] = str(libraries[0].parent)
    return environment


def _debians(prefix: Path) -> list[Path]:
    """MPICH as Debian calls it."""
    return sorted(prefix.glob("lib/*/libmpich.so.12"))


def _by_its_name(library: Path) -> Path:
    """The same library by the name that mpi4py looks for."""
    name = _RENAMED / "libmpi.so.12"
    name.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        name.symlink_to(library)
    return name


def missing() -> str:
    """What this machine lacks to start ranks, in a sentence; empty where it lacks nothing."""
    if find_spec("mpi4py") is None:
        return "Ranks need mpi4py (pip install 'aibench[mpi]')."
    if not stacks():
        return "Ranks need MPI (scripts/test installs it, or pip install mpich)."
    return ""


requires_mpi = pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")
"""Skips a test, with the sentence that says what is missing, where no ranks can be started."""


def _each(found: tuple[Stack, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def marked(test: Callable[..., Any]) -> Callable[..., Any]:
        names = [stack.name for stack in found] or ["none"]
        return requires_mpi(pytest.mark.parametrize("mpi", found or (None,), ids=names)(test))

    return marked


each_stack = _each(stacks())
"""Runs a test with each library that is here, as its argument ``mpi``; it skips where none is."""
each_mpi = _each(families())
"""As `each_stack`, with one of MPICH and one of Open MPI."""
