"""Real NFS for tests: commands inside the machines of ``scripts/labs/nfs``, which does the work."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration import command

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/labs/nfs"
PROBE = Path(__file__).with_name("nfs_probe.py")
MOUNT = Path("/mnt/nfs")
EXPORT = Path("/mnt/export")


@functools.cache
def missing(server: str = "knfsd") -> str:
    """What this machine lacks for the lab, in a sentence; empty where it lacks nothing."""
    words = [str(SCRIPT), "--server", server, "--missing"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def requires_nfs(server: str = "knfsd") -> pytest.MarkDecorator:
    """Skips a test, with the sentence that says what is missing, where the lab can't come up."""
    lacking = missing(server)
    return pytest.mark.skipif(bool(lacking), reason=lacking or "nothing is missing")


@dataclass(frozen=True)
class Done(command.Done):
    """How a command in the lab ended, and what it printed."""

    @property
    def promise(self) -> str:
        """The line with which the lab says what it promises."""
        lines = [line for line in self.err.splitlines() if line.startswith("nfs: NFS v")]
        return lines[0] if lines else ""


def arguments(*command: str | Path, **options: str | float) -> list[str]:
    """The command line for ``command`` in the lab; options are those of the script, as names."""
    words = [str(SCRIPT)]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return [*words, "--", *map(str, command)]


@contextlib.contextmanager
def running(*command: str | Path, **options: str | float) -> Iterator["subprocess.Popen[str]"]:
    """A lab in which ``command`` runs; killed at the end, which takes everything down."""
    process = subprocess.Popen(
        arguments(*command, **options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def inside(*command: str | Path, **options: str | float) -> Done:
    """Runs ``command`` in a lab of its own to its end."""
    options = {"timeout": 120, **options}
    with running(*command, **options) as process:
        out, err = process.communicate(timeout=float(options["timeout"]) + 30)
        return Done(process.returncode, out, err)


def probed(*checks: str, **options: str | float) -> Done:
    """What the named checks of ``nfs_probe.py`` found in one lab; its ``json`` has one key each.

    AssertionError with what the lab printed where it failed.
    """
    done = inside(sys.executable, PROBE, *checks, **options)
    assert done.code == 0, done.err
    return done


def tree(pid: int) -> dict[int, str]:
    """The processes below ``pid``, itself included, and the command line of each."""
    found, queue = {}, [pid]
    while queue:
        one = queue.pop()
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found[one] = command.strip()
            for task in Path(f"/proc/{one}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
    return found


def namespaces(*processes: int) -> set[str]:
    """The network, process and mount namespaces in which processes (all, if none is named) are."""
    places = processes or [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    found = set()
    for process in places:
        for kind in ("net", "pid", "mnt"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"/proc/{process}/ns/{kind}"))
    return found
