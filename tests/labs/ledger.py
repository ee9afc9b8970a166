"""What a lab makes on this machine, written down before it is made, so that all of it can go.

The list stands in a file of the lab's own directory. The lab takes everything down itself; where it
is killed, a guard does so as soon as it is gone; where that is killed too, the next lab does.
"""

import contextlib
import itertools
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.labs import undoing
from tests.labs.undoing import (
    LEDGER,
    Thing,
    base,
    born,
    guard,
    mount_points,
    run,
    soon,
    sweep,
    undo,
)

LIFETIME_S = 600
"""No daemon of a lab lives longer, whatever happens to those who should end it."""
ADDRESS = "10.99.0.1"
"""Where servers of labs listen: some refuse to serve at 127.0.0.1."""
_NUMBERS = itertools.count(1)


@dataclass
class Ledger:
    """One lab's directory, and the list of what it made, kept in a file there."""

    directory: Path
    _daemons: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def name(self) -> str:
        """A name that no other lab has."""
        return f"aibench-lab-{self.directory.name}"

    def note(self, kind: str, name: str | Path) -> None:
        """Write down what is about to be made."""
        with (self.directory / LEDGER).open("a") as file:
            file.write(json.dumps([kind, str(name)]) + "\n")

    def things(self) -> list[Thing]:
        """All that was written down, the oldest first."""
        return undoing.things(self.directory)

    def _bury(self) -> None:
        for daemon in self._daemons:
            daemon.poll()

    def undo(self) -> None:
        """Takes all of it down, the newest first."""
        undo(self.directory, self._bury)

    def mount(self, *arguments: str | Path, name: str = "mount") -> Path:
        """A new directory with that mounted on it, by the program of the same name."""
        point = self.point(name)
        run("mount", *arguments, point)
        return point

    def point(self, name: str = "mount") -> Path:
        """A directory of the lab where something is about to be mounted."""
        point = self.directory / name
        point.mkdir()
        self.note("mount", point)
        return point

    def network(self, suffix: str = "") -> str:
        """A network namespace from which nothing gets out; its lo has `ADDRESS` too."""
        name = self.name + suffix
        self.note("network", name)
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "address", "add", f"{ADDRESS}/32", "dev", "lo")
        return name

    def daemon(
        self, *command: str | Path, network: str = "", prefix: tuple[str | Path, ...] = ()
    ) -> "subprocess.Popen[bytes]":
        """Starts a daemon in a session, in the control group and in a network of the lab.

        What it forks stays in the group, so it goes with the lab whatever it does.
        """
        words = [*prefix, "timeout", "--kill-after=5", str(LIFETIME_S), *command]
        if network:
            words = ["nsenter", f"--net=/run/netns/{network}", *words]
        with (self.directory / "log").open("ab") as log:
            daemon = subprocess.Popen(
                ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self._group(), *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._daemons.append(daemon)
        self.note("process", f"{daemon.pid} {born(daemon.pid)}")
        return daemon

    def _group(self) -> str:
        """The file that a process writes its number to, to be the lab's."""
        top = next((p for p in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if _is_v2(p)), None)
        if top is None:
            return "/dev/null"
        group = Path(top, self.name)
        if not group.is_dir():
            self.note("group", group)
            group.mkdir()
        return str(group / "cgroup.procs")

    def until(self, condition: Callable[[], object], what: str, limit_s: float = 30.0) -> None:
        """Waits for ``condition``; RuntimeError with the daemons' last words if it stays away."""

        def over() -> bool:
            return bool(condition()) or any(d.poll() not in (None, 0) for d in self._daemons)

        soon(over, limit_s)
        if not condition():
            log = self.directory / "log"
            said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"no {what}: {said}")

    def until_mounted(self, point: Path, limit_s: float = 30.0) -> None:
        """Waits until something is mounted at ``point``."""
        self.until(lambda: str(point) in mount_points(), f"mount at {point}", limit_s)


def _is_v2(top: str) -> bool:
    return os.access(f"{top}/cgroup.procs", os.W_OK) and os.path.exists(f"{top}/cgroup.controllers")


@contextlib.contextmanager
def laboratory() -> Iterator[Ledger]:
    """A ledger whose things are all gone afterwards, also when this process is killed."""
    sweep()
    me = f"{os.getpid()}-{born(os.getpid())}"
    guard(os.getpid())
    directory = base() / f"{me}-{next(_NUMBERS)}"
    directory.mkdir()
    (directory / LEDGER).touch()
    ledger = Ledger(directory)
    try:
        yield ledger
    finally:
        ledger.undo()
