"""Whatever happens to a lab, nothing of it stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import lab
from tests.labs import faults, hosts, undoing
from tests.labs.ledger import laboratory
from tests.labs.mount import KINDS
from tests.labs.tools import tool, unless

pytestmark = [pytest.mark.mounts, pytest.mark.alone, lab.requires_mounts]
ROOT = Path(__file__).parents[2]

UP = """
import sys, time
from tests.labs.mount import KINDS
with KINDS[sys.argv[1]].up() as up:
    print("up", flush=True)
    time.sleep(60)
"""


def brought_up(kind: str) -> "subprocess.Popen[str]":
    """A process that holds a lab."""
    process = subprocess.Popen(
        [sys.executable, "-c", UP, kind], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def killed(process: "subprocess.Popen[str]") -> None:
    """End a process as nothing can notice."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=unless(KINDS[kind].missing()))
        for kind in ("lost-writes", "faultfs", "hosts")
    ],
)
def test_a_killed_lab_goes(kind: str) -> None:
    """A lab whose process was killed with -9 is gone some seconds later, by itself."""
    process = brought_up(kind)
    name = f"{process.pid}-{undoing.born(process.pid)}"
    assert undoing.traces(name)
    killed(process)
    assert undoing.soon(lambda: not undoing.traces(name), 30), undoing.traces(name)


@unless(faults.missing())
def test_sweep() -> None:
    """Where the guard was killed too, the next lab takes down what is left."""
    process = brought_up("faultfs")
    birth = undoing.born(process.pid)
    name = f"{process.pid}-{birth}"
    (guard,) = [s.split()[0] for s in undoing.traces(f"undoing.py\0{process.pid}\0{birth}")]
    os.kill(int(guard), signal.SIGKILL)
    killed(process)
    time.sleep(0.2)
    assert undoing.traces(name)
    with laboratory():
        assert undoing.traces(name) == []


@unless(faults.missing())
def test_another_one_is_left_alone() -> None:
    """A sweep takes nothing down whose maker lives."""
    with faults.faultfs() as faulty:
        undoing.sweep()
        (faulty.path / "file").touch()


@unless(hosts.missing())
def test_what_gets_away_goes() -> None:
    """A process that makes itself a daemon goes with its lab."""
    with laboratory() as ledger:
        mark = f"7{os.getpid()}"
        ledger.daemon("setsid", "--fork", "sleep", mark)
        assert undoing.soon(lambda: undoing.traces(f"sleep\0{mark}"))
    assert undoing.traces(f"sleep\0{mark}") == []


def test_mount_script() -> None:
    """``scripts/labs/mount`` runs a command on a mount, and returns its exit code."""
    words = 'cd "$AIBENCH_LAB_MOUNT" && stat -f -c %T . && exit 3'
    done = tool(ROOT / "scripts/labs/mount", "tmpfs", "size=1048576", "--", "sh", "-c", words)
    assert (done.stdout, done.returncode) == ("tmpfs\n", 3)


def test_mount_script_lists() -> None:
    """Without arguments ``scripts/labs/mount`` lists each kind with its promise."""
    done = tool(ROOT / "scripts/labs/mount")
    assert done.returncode == 2
    for name, kind in KINDS.items():
        assert f"{name:12} {kind.promise}\n" in done.stderr


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a program is missing the lab says which, and which package has it."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    for kind in KINDS.values():
        assert "needs" in kind.missing() or "need" in kind.missing()
        assert "package" in kind.missing()
