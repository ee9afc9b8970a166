"""Workers whose parent is killed go with it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = r"""
import os, sys, time
from aibench.workers.job import Outcome
from aibench.workers.pool import run_pool
from tests.workers.test_pool import job

def prepare(job, slot, progress):
    def run(start):
        os.write(1, b"%d\n" % os.getpid())
        time.sleep(600)
    return run

run_pool(job(processes=2, threads=int(sys.argv[1])), prepare, lambda *_: None, 10**12)
"""


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie that waits for its reaper does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(how: signal.Signals, threads: int) -> None:
    """When aibench itself is killed, with -9 too, its workers are gone soon after."""
    command = [sys.executable, "-c", PROGRAM, str(threads)]
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        workers = {int(parent.stdout.readline()) for _ in range(2 * threads)}
        assert len(workers) == 2
        assert all(map(alive, workers))
        parent.send_signal(how)
        parent.wait(timeout=30)
        deadline = time.monotonic() + 30
        while any(map(alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(alive, workers))
    finally:
        parent.kill()
        parent.communicate()
