"""Runs the real command line with little memory, as on a machine that has no more."""

import resource
import subprocess
import sys
import time
from pathlib import Path

#: Enough for all libraries and an honest record, and far less than a hostile one would take.
ADDRESS_SPACE = 3 * 2**30
LIMIT_S = 60


def _less_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def aibench(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own; the test fails where it does not end."""
    return subprocess.run(
        [sys.executable, "-m", "aibench", *map(str, arguments)],
        capture_output=True, text=True, timeout=LIMIT_S, check=False, preexec_fn=_less_memory,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def refused(*arguments: str | Path, lines: int = 1) -> str:
    """What a command says that has to be refused in ``lines`` printable lines: exit code 2."""
    begun = time.monotonic()
    done = aibench(*arguments)
    said = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-2000:]
    assert len(said) <= lines
    assert all(line.isprintable() and line.startswith("aibench: ") for line in said)
    assert len(done.stderr) < 2000 * lines, f"{time.monotonic() - begun:.0f} s"
    return done.stderr
