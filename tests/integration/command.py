"""Runs the real command line in a process of its own, and looks at what it leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from aibench import cli
from aibench.model import RunRecord
from aibench.store import read
from tests.integration.forked import exit_status, started

#: Generous: what is bounded in time ends long before.
LIMIT_S = 60
#: One small workload, one repeat: the shortest run there is.
SMALL = ("-w", "load-4k", "--repeats", "1", "--set", "files=500", "--set", "workers=2")
#: Keeps generating for a good while: to be stopped in the middle.
LARGE = ("-w", "load-4k", "--repeats", "1", "--set", "files=20000", "--set", "workers=2")
#: As little of each kind of workload as can still be told apart from noise.
FILES = (
    *("-w", "load-imagenet", "-w", "checkpoint-save", "-w", "checkpoint-load", "--repeats", "1"),
    *("--set", "load-imagenet.files=64", "--set", "batch=8", "--set", "ranks=2"),
    *("--set", "scale=1e-4"),
)
BLOCK = ("-w", "block", "--set", "file_size=8MiB", "--set", "runtime=300ms", "--set", "jobs=1")
NAMES = (
    *("-w", "metadata", "--set", "metadata.files=200", "--set", "directories=4"),
    *("--set", "metadata.workers=2"),
)


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)

    @property
    def messages(self) -> list[str]:
        """The lines on standard error, without the name in front."""
        return [line.removeprefix("aibench: ") for line in self.err.splitlines()]


class Stand:
    """A target, a directory for results, and aibench.

    ``is_forked`` says whether a command with streams and environment of the usual kind begins as
    a fork of this process, which saves the better part of a second.
    """

    is_forked = True

    def __init__(self, directory: Path, target: Path | None = None) -> None:
        self.directory = directory
        self._sessions: set[int] = set()
        self.target = target or directory / "target"
        self.results = directory / "results"
        if target is None:
            self.target.mkdir()

    @property
    def workspace(self) -> Path:
        """The directory that aibench writes in."""
        return self.target / "aibench-data"

    def start(self, *arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start a command, after the words of a ``prefix``; it is for the caller to end it."""
        can_fork = self._can_fork(options)
        prefix = options.pop("prefix", ())
        environment = self._environment(options.pop("environment", {}))
        if can_fork:
            process = started([str(word) for word in arguments], environment, options.get("cwd"))
            self._sessions.add(process.pid)
            return process
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "aibench", *map(str, arguments)],
            env=environment,
            stdin=subprocess.DEVNULL,
            **(pipes | options),
        )

    def _environment(self, told: Mapping[str, str]) -> dict[str, str]:
        """The environment of a command, with what a test tells it.

        What it is killed beside, such as a plan for its ranks, stays where tests keep their files.
        """
        here = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
        own = {"AIBENCH_RESULTS": str(self.results), "TMPDIR": str(self.directory)}
        return {**here, **own, **told}

    def _can_fork(self, options: Mapping[str, Any]) -> bool:
        """Whether a command with these options can begin as a fork of this process."""
        told = options.get("environment", {})
        python = any(name.startswith("PYTHON") for name in told)  # only a new interpreter looks
        return self.is_forked and not python and not options.keys() - {"environment", "cwd"}

    def do(self, *arguments: str | Path, **options: Any) -> Done:
        """Run a command to its end."""
        with self.start(*arguments, **options) as process:
            return finished(process)

    def ask(self, *arguments: str | Path) -> Done:
        """As `do`, but within this process, where a process is not the point: it starts sooner."""
        out, err = (TextIOWrapper(BytesIO(), "utf-8", write_through=True) for _ in range(2))
        code = 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["aibench", *map(str, arguments)])
            patch.setenv("AIBENCH_RESULTS", str(self.results))
            patch.setenv("COLUMNS", "80")
            patch.delenv("NO_COLOR", raising=False)
            try:
                cli._main()
            except SystemExit as left:
                code = exit_status(left)
        said = [stream.buffer.getvalue().decode() for stream in (out, err)]
        return Done(code, *said)

    def run(self, *arguments: str | Path, **options: Any) -> Done:
        """``aibench run`` on the target."""
        return self.do("run", self.target, *arguments, **options)

    def paths(self) -> list[Path]:
        """The records that are there, oldest first."""
        return sorted(self.results.glob("*.jsonl"))

    def record(self) -> RunRecord:
        """The last record."""
        return read(self.paths()[-1])

    def processes(self) -> list[str]:
        """The command lines of processes that have to do with the target."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                command = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                place = os.readlink(entry / "cwd")
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
                if command and (
                    session in self._sessions
                    or str(self.target) in command
                    or place.startswith(str(self.target))
                ):
                    found.append(f"{entry.name} {command}")
        return found

    def left_running(self) -> list[str]:
        """As `processes`, but those that are about to end get a moment to do so."""
        eventually(lambda: not self.processes())
        return self.processes()

    def scratch(self) -> list[Path]:
        """The scratch files that are there."""
        return list((self.workspace / "scratch").rglob("*"))


def finished(process: "subprocess.Popen[str]") -> Done:
    """Wait for a command; it is killed, and the test fails, when it takes far too long."""
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"did not end in {LIMIT_S} s:\n{out}\n{err}") from None
    return Done(process.returncode, out or "", err or "")


def eventually(condition: Callable[[], object], limit_s: float = 20) -> bool:
    """Whether ``condition`` becomes true within the time."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def children(pid: int) -> list[int]:
    """The ids of the processes that a process has started."""
    with suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def workers(pid: int) -> list[int]:
    """The ids of the workers of a command: it watches the process that starts them."""
    return [worker for child in children(pid) for worker in children(child)]


def codes(record: RunRecord) -> list[str]:
    """The codes of the reasons why a run does not count."""
    return [reason.code for reason in record.reasons]
