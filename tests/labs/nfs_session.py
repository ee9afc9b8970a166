"""A session with aibench inside the NFS lab, with the mount's own counters beside it; prints JSON.

``nfs_session.py RESULTS NAME``: the session NAME, with records in the directory RESULTS.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.integration.forked import forked, started
from tests.labs import nfs_truth
from tests.labs.nfs_probe import CLIENT, EXPORT, MOUNT, control, meet, server_bytes

DATA = MOUNT / "aibench-data"
SMALL = ("-w", "load-4k", "--set", "files=150", "--set", "workers=2")
#: A little of each kind of workload that `traced` has not.
OTHER_KINDS = (
    *("-w", "checkpoint-load", "-w", "block", "-w", "metadata", "--repeats", "1"),
    *("--set", "checkpoint-load.scale=1e-4", "--set", "ranks=2", "--set", "file_size=8MiB"),
    *("--set", "runtime=200ms", "--set", "jobs=1", "--set", "metadata.files=100"),
    *("--set", "directories=2", "--set", "metadata.workers=1"),
)
LOAD = ("-w", "load-imagenet", "--set", "files=60", "--set", "workers=2", "--set", "batch=8")
SAVE = ("-w", "checkpoint-save", "--set", "ranks=2", "--set", "scale=1e-4")
TRACED = (*LOAD, *SAVE, "--repeats", "1")
READ = ("-w", "checkpoint-load", "--set", "ranks=2", "--set", "scale=3e-4", "--cache", "cold")
#: What the session `limited` has to be given as ``--bandwidth``, in Mbit/s.
WIRE_MBIT = 40
#: Where the second disk of the machine is mounted, and what reads it for more than a minute.
SLOW = Path("/run/slow")
LONG = (*("-w", "load-imagenet", "--set", "files=560", "--set", "workers=6", "--set", "batch=8"),
        *("--repeats", "3", "--cache", "cold", "--json"))  # fmt: skip
_COMMAND = (sys.executable, "-m", "aibench")
_LIMIT_S = 240
_LONG_LIMIT_S = 450
"""For a run of `LONG`, which reads for more than three minutes and has to write before."""


def aibench(*words: str, limit_s: float = _LIMIT_S) -> dict[str, Any]:
    """How aibench ended, and what it printed."""
    code, out, err = forked(words, os.environ, limit_s)
    return {"code": code, "out": out, "err": err}


def run(name: str, *words: str) -> dict[str, Any]:
    """``aibench run`` on the mount, its record in the directory ``name`` of the results."""
    return aibench("run", str(MOUNT), *words, "--results", f"{sys.argv[1]}/{name}")


def traced() -> dict[str, Any]:
    """A run of loading and saving, with what the server and strace counted of it meanwhile."""
    trace = nfs_truth.Trace()
    before = nfs_truth.server()
    command = (*trace.command, *_COMMAND, "run", str(MOUNT), *TRACED)
    results = ("--results", f"{sys.argv[1]}/traced")
    done = subprocess.run([*command, *results], capture_output=True, text=True)  # noqa: PLW1510
    after = nfs_truth.server()
    found: dict[str, Any] = {"code": done.returncode, "err": done.stderr}
    found["server"] = {kind: after[kind] - before[kind] for kind in after}
    return found | {"readers": trace.counted("readv"), "writers": trace.counted("write")}


def whole() -> dict[str, Any]:
    """Every command in turn on one mount; the data set is made before anything is counted."""
    found: dict[str, Any] = {"doctor": aibench("doctor", str(MOUNT))}
    found["warm"] = run("warm", *LOAD, "--repeats", "1", "--cache", "warm")
    if shutil.which("strace"):
        found["traced"] = traced()
    sizes = [path.stat().st_size for path in DATA.glob("data/*/d*/f*")]
    found["data"] = {"files": len(sizes), "bytes": sum(sizes)}
    read, written = server_bytes()
    found["again"] = run("again", *LOAD, "--repeats", "2", "--cache", "cold")
    after = server_bytes()
    found["counted"] = {"read": after[0] - read, "written": after[1] - written}
    found["others"] = run("others", *OTHER_KINDS)
    found["direct"] = run("direct", *LOAD, "--repeats", "1", "--cache", "direct")
    found["verify"] = aibench("verify", str(MOUNT))
    with next(DATA.glob("data/*/d*/f*")).open("rb"):
        found["busy"] = aibench("clean", str(MOUNT))
    found["clean"] = aibench("clean", str(MOUNT))
    found["left"] = [name for name in os.listdir(MOUNT) if name.startswith("aibench")]
    return found


class Begun:
    """A run in the background that has come to its first measured epoch."""

    def __init__(self, *words: str) -> None:
        self.log = Path("/run/log")
        command = ("run", str(MOUNT), *words)
        with self.log.open("w") as log:
            self.process = started(command, os.environ, out=subprocess.DEVNULL, err=log)
        if not self.says("epoch 1/", 60):
            self.process.kill()
            raise AssertionError(self.log.read_text())

    def wait(self) -> int:
        """How it ended; killed after a minute."""
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def says(self, text: str, limit_s: float) -> bool:
        """Whether it says ``text`` within the time."""
        deadline = time.monotonic() + limit_s
        while text not in self.log.read_text():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def hang() -> dict[str, Any]:
    """A run that is in the middle when the server stops answering, for 30 s at most.

    Whether it has said meanwhile why it failed, and its exit code. With NFS v4 it could not end
    before the server answers again: the kernel waits to give the lock back.
    """
    more = ("--repeats", "1000", "--cache", "as-found", "--patience", "3s")
    run = Begun(*LOAD, *more, "--results", f"{sys.argv[1]}/hang")
    time.sleep(2)
    control("hang")
    said = run.says("the target hangs", 30)
    control("start")
    return {"said": said, "code": run.wait(), "err": run.log.read_text()}


def removed() -> dict[str, Any]:
    """A run whose data set is removed on the server in the middle, and one a little later.

    Its machine believes its cache for three seconds (``actimeo=3``).
    """
    first = Begun(*LOAD, "--repeats", "1000", "--results", f"{sys.argv[1]}/removed")
    time.sleep(1)
    shutil.rmtree(EXPORT / "aibench-data/data", ignore_errors=True)
    found: dict[str, Any] = {"code": first.wait(), "err": first.log.read_text()}
    time.sleep(4)
    return found | {"again": run("again", *LOAD, "--repeats", "1")}


def both() -> dict[str, Any]:
    """Two clients that run on the same directory, the second when the first is in the middle."""
    if CLIENT == 1:
        meet("begun")
        found = {"refused": run("refused", *SMALL, "--repeats", "1")}
        meet("ended")
        return found
    first = Begun(*SMALL, "--repeats", "1000", "--results", f"{sys.argv[1]}/stopped")
    meet("begun")
    meet("ended")
    first.process.terminate()
    return {"stopped": first.wait()}


def clients() -> dict[str, Any]:
    """Two clients that take turns, and then both at once."""
    return late() | both()


def late() -> dict[str, Any]:
    """Two clients that take turns; what one has looked up, the other one changes meanwhile.

    The second looks for a workspace in vain before the first makes one (its kernel goes on without
    the name), runs on it, cleans it away, and the first, which knows the names, runs again.
    """
    if CLIENT == 1:
        found = {"absent": aibench("verify", str(MOUNT))}
        meet("looked")
        meet("made")
        found["second"] = run("late-second", *SMALL, "--repeats", "1")
        found["clean"] = aibench("clean", str(MOUNT))
        meet("cleaned")
        return found
    meet("looked")
    found = {"first": run("late-first", *SMALL, "--repeats", "1")}
    meet("made")
    meet("cleaned")
    found["again"] = run("late-again", *SMALL, "--repeats", "1")
    return found


def limited() -> dict[str, Any]:
    """A checkpoint read over a slow wire, and again with the rate of the wire told."""
    found = {"read": run("read", *READ, "--repeats", "1")}
    speed = Path("/run/speed")
    speed.write_text(f"{WIRE_MBIT}\n")
    for name in os.listdir("/sys/class/net"):
        if name != "lo":
            place = f"/sys/class/net/{name}/speed"
            subprocess.run(["mount", "--bind", str(speed), place], check=True)
            found["told"] = run("told", *READ, "--repeats", "1")
            subprocess.run(["umount", place], check=True)
    return found


def slots() -> dict[str, Any]:
    """Six workers on a mount that has two slots for requests."""
    (source,) = (
        line.split()[0]
        for line in Path("/proc/mounts").read_text().splitlines()
        if f" {MOUNT} " in line
    )
    subprocess.run(["umount", MOUNT], check=True)
    Path("/sys/module/nfs/parameters/max_session_slots").write_text("2\n")
    subprocess.run(["mount", "-t", "nfs", "-o", "vers=4.2", source, MOUNT], check=True)
    many = ("-w", "load-4k", "--set", "files=120", "--set", "workers=6", "--set", "batch=8")
    return {"waiting": run("waiting", *many, "--repeats", "1")}


def refuted() -> dict[str, Any]:
    """A run on the machine's second disk, judged by the claim that the results' directory has."""
    SLOW.mkdir()
    subprocess.run(["mount", "-t", "ext4", "/dev/ubdb", SLOW], check=True)
    files = (f"--claims={sys.argv[1]}/claim.toml", f"--system={sys.argv[1]}/system.toml")
    words = ("run", str(SLOW), *LONG, *files, "--results", f"{sys.argv[1]}/slow")
    found = {"run": aibench(*words, limit_s=_LONG_LIMIT_S)}
    subprocess.run(["umount", SLOW], check=True)
    return found


if __name__ == "__main__":
    sessions = (whole, hang, removed, late, clients, limited, slots, refuted)
    session = {each.__name__: each for each in sessions}[sys.argv[2]]
    sys.stdout.write(json.dumps(session()) + "\n")
