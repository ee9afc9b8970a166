"""A session with aibench inside the NFS lab, with the mount's own counters beside it; prints JSON.

``nfs_session.py RESULTS NAME``: the session NAME, with records in the directory RESULTS.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.labs.nfs_probe import CLIENT, MOUNT, control, meet, server_bytes

DATA = MOUNT / "aibench-data"
SMALL = ("-w", "load-4k", "--set", "files=500", "--set", "workers=2")
#: A little of each kind of workload; processes are dear in User-Mode Linux.
ALL_KINDS = (
    *("-w", "load-imagenet", "-w", "checkpoint-save", "-w", "checkpoint-load"),
    *("-w", "block", "-w", "metadata", "--repeats", "1", "--set", "workers=2"),
    *("--set", "load-imagenet.files=64", "--set", "batch=8", "--set", "ranks=2"),
    *("--set", "checkpoint-save.scale=1e-4", "--set", "checkpoint-load.scale=1e-4"),
    *("--set", "file_size=8MiB", "--set", "runtime=500ms", "--set", "jobs=1"),
    *("--set", "metadata.files=200", "--set", "directories=4"),
)
LOAD = ("-w", "load-imagenet", "--set", "files=60", "--set", "workers=2", "--set", "batch=8")
_COMMAND = (sys.executable, "-m", "aibench")


def aibench(*words: str, **options: Any) -> dict[str, Any]:
    """How aibench ended, and what it printed."""
    done = subprocess.run([*_COMMAND, *words], capture_output=True, text=True, **options)  # noqa: PLW1510
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def run(name: str, *words: str) -> dict[str, Any]:
    """``aibench run`` on the mount, its record in the directory ``name`` of the results."""
    return aibench("run", str(MOUNT), *words, "--results", f"{sys.argv[1]}/{name}")


def whole() -> dict[str, Any]:
    """Every command in turn on one mount."""
    found = {"doctor": aibench("doctor", str(MOUNT))}
    found["first"] = run("first", *LOAD, "--repeats", "1", "--cache", "cold")
    sizes = [path.stat().st_size for path in DATA.glob("data/*/d*/f*")]
    found["data"] = {"files": len(sizes), "bytes": sum(sizes)}
    read, written = server_bytes()
    found["again"] = run("again", *LOAD, "--repeats", "2", "--cache", "cold")
    after = server_bytes()
    found["counted"] = {"read": after[0] - read, "written": after[1] - written}
    found["warm"] = run("warm", *LOAD, "--repeats", "1", "--cache", "warm")
    found["all"] = run("all", *ALL_KINDS)
    found["verify"] = aibench("verify", str(MOUNT))
    found["clean"] = aibench("clean", str(MOUNT))
    found["left"] = [name for name in os.listdir(MOUNT) if name.startswith("aibench")]
    return found


def begun(*words: str) -> "subprocess.Popen[str]":
    """A run that has come to its first measured epoch."""
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*_COMMAND, *words], text=True, **pipes)
    assert process.stderr is not None
    while (line := process.stderr.readline()) and "epoch 1/" not in line:
        pass
    return process


def hang() -> dict[str, Any]:
    """A run that is in the middle when the server stops answering for good."""
    words = ("run", str(MOUNT), *LOAD, "--repeats", "1000", "--cache", "as-found")
    more = ("--patience", "3s", "--results", f"{sys.argv[1]}/hang")
    with begun(*words, *more) as process:
        time.sleep(2)
        control("hang")
        try:
            _, err = process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            err = "never ended"
    return {"code": process.returncode, "err": err}


def both() -> dict[str, Any]:
    """Two clients that run on the same directory, the second when the first is in the middle."""
    if CLIENT == 1:
        meet("begun")
        found = run("second", *SMALL, "--repeats", "1")
        meet("ended")
        return found
    words = ("run", str(MOUNT), *SMALL, "--repeats", "1000", "--results", f"{sys.argv[1]}/first")
    with begun(*words) as process:
        meet("begun")
        meet("ended")
        process.terminate()
        process.communicate()
    return {}


if __name__ == "__main__":
    session = {each.__name__: each for each in (whole, hang, both)}[sys.argv[2]]
    sys.stdout.write(json.dumps(session()) + "\n")
