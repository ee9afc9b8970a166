"""The small program under an MPI launcher, and what is left of it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.labs import memory
from tests.labs.mpi import Stack

#: Generous: what is bounded in time ends long before.
LIMIT_S = 60
_MARK = "AIBENCH_TEST_WORLD"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How the launcher ended, what ranks printed, and what rank 0 wrote."""

    code: int
    out: str
    err: str
    record: Any

    @property
    def words(self) -> str:
        """The code and the message of the record."""
        return f"{self.record['code']}: {self.record.get('message', '')}"


class Launched:
    """A launch that goes on, in a directory of its own."""

    def __init__(self, directory: Path, process: "subprocess.Popen[str]") -> None:
        self.directory, self.process = directory, process

    def pid(self, name: str, rank: int) -> int:
        """The number of the ``connection``, ``agent`` or ``worker`` of a rank, once it has one."""
        path = self.directory / f"{name}-{rank}"
        deadline = time.monotonic() + LIMIT_S
        while not path.exists():
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return int(path.read_text())

    def kill(self, name: str, rank: int, number: int) -> None:
        """Send a signal to one of its processes; all ranks are at work by then."""
        for each in range(rank + 1):
            self.pid(name, each)
        os.kill(self.pid(name, rank), number)

    def processes(self) -> list[int]:
        """All processes of the launch but the launcher itself."""
        mark = f"{_MARK}={self.directory}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                with suppress(OSError):
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    environment = (entry / "environ").read_bytes().split(b"\0")
                    if mark in environment and state not in "ZX":
                        found.append(int(entry.name))
        return sorted(found)

    def end(self) -> Ended:
        """How it ended; nothing of it is left, after a moment."""
        out, err = self.process.communicate(timeout=LIMIT_S)
        deadline = time.monotonic() + LIMIT_S / 4
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.processes() == []
        path = self.directory / "record"
        record = json.loads(path.read_text()) if path.exists() else None
        return Ended(self.process.returncode, out, err, record)


@contextmanager
def launched(
    directory: Path,
    mpi: Stack,
    ranks: int = 3,
    *,
    hosts: Mapping[str, int] | None = None,
    ssh: str = "",
    inside: tuple[str, ...] = (),
    **settings: float,
) -> Iterator[Launched]:
    """The program on so many ranks; ``inside`` stands before the launcher.

    Without that the launch has memory of its own.
    """
    directory.mkdir()
    inside = inside or memory.own(directory)
    environment = {**mpi.environment, _MARK: str(directory)}
    mpi = replace(mpi, environment=environment)
    words = [sys.executable, "-m", "tests.world.program", str(directory), json.dumps(settings)]
    process = subprocess.Popen(
        [*inside, *mpi.words(ranks, hosts, ssh), *words],
        env={**os.environ, **environment}, cwd=_ROOT, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    made = Launched(directory, process)
    try:
        yield made
    finally:
        process.kill()
        process.communicate()
        for pid in made.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
