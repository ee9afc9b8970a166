"""Ranks that are killed, stopped or asked to end: the others end too, and the record says why.

The moments are seeded. `AIBENCH_MOMENTS` asks for more of each kind than one.
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from aibench.store import read
from tests.integration.command import SMALL, Done, children, codes
from tests.integration.mpi import Ranks
from tests.labs.mpi import Stack, each_mpi, families, requires_mpi

pytestmark = pytest.mark.slow
MOMENTS = int(os.environ.get("AIBENCH_MOMENTS", "1"))
RANKS = 3
WORDS = (
    *("-w", "load-4k", "-w", "metadata", "-w", "checkpoint-save", "--repeats", "1"),
    *("--set", "load-4k.files=3000", "--set", "workers=1", "--set", "metadata.files=900"),
    *("--set", "directories=3", "--set", "ranks=3", "--set", "checkpoint-save.scale=1e-3"),
    *("--patience", "5s"),
)
LINES = 9
"""How many lines of progress such a run says: a layout, and measured phases."""
BOUND_S = 40
ENDS = {"worker_failed", "rank_died", "rank_lost", "killed"}
"""The reasons that a run may give where a process was killed."""


def begun(stand: Ranks, lines: int, delay_s: float) -> tuple["subprocess.Popen[str]", str]:
    """(process, what it has said) of a run, so many lines and seconds after its start."""
    process = stand.start("run", stand.target, *WORDS)
    assert process.stderr is not None
    said = ""
    for text in process.stderr:
        said += text
        lines -= "aibench: [" in text
        if lines <= 0:
            break
    time.sleep(delay_s)
    return process, said


def ended(process: "subprocess.Popen[str]", said: str) -> Done:
    """How a run ended, which has to be soon."""
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still there after {BOUND_S} s:\n{said}{err}") from None
    assert time.monotonic() - began < BOUND_S
    return Done(process.returncode, out, said + err)


def victims(first: int) -> dict[str, list[int]]:
    """The processes of a rank, by what they do."""
    below = children(first)
    measures, keeper = below[:1], below[1:2]
    return {
        "connects": [first],
        "measures": measures,
        "keeps": keeper,
        "works": children(measures[0]) if measures else [],
    }


def victim(stand: Ranks, rank: int, role: str, chance: random.Random) -> int | None:
    """A process that does this for a rank, waited for a moment; None where all have ended."""
    for _ in range(50):
        with contextlib.suppress(IndexError):  # there is none now
            return chance.choice(victims(stand.connecting()[rank])[role])
        time.sleep(0.01)
    return None


@each_mpi
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_rank_that_is_killed(tmp_path: Path, mpi: Stack, moment: int) -> None:
    """Whenever the process dies that a launcher started, all end, and the record names its rank."""
    kill(tmp_path, mpi, "connects", moment)


@requires_mpi
@pytest.mark.parametrize("role", ["measures", "works"])
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_process_of_a_rank_is_killed(tmp_path: Path, role: str, moment: int) -> None:
    """Whichever it is and whenever it dies, all end, and the record names the rank and its host."""
    kill(tmp_path, families()[moment % len(families())], role, moment)


def kill(tmp_path: Path, mpi: Stack, role: str, moment: int) -> None:
    """Kill a process that does this for some rank, and see what is left."""
    chance = random.Random(f"{mpi.name} {role} {moment}")
    stand = Ranks(tmp_path, mpi, RANKS)
    rank, line, delay_s = chance.randrange(RANKS), chance.randrange(1, LINES), chance.random() / 3
    process, said = begun(stand, line, delay_s)
    with contextlib.suppress(ProcessLookupError):
        if pid := victim(stand, rank, role, chance):
            os.kill(pid, signal.SIGKILL)
    done = ended(process, said)
    assert stand.left_running() == []
    (path,) = stand.paths()
    record = read(path)
    assert record.complete
    if not done.code:
        return  # it was over before
    host = os.uname().nodename
    assert set(codes(record)) <= ENDS, record.reasons
    assert re.match(f"rank {rank} on (host )?{host}\\b", record.reasons[0].message), record.reasons
    if role != "works":  # else nothing was killed that would have tidied up
        assert stand.alone.run(*SMALL).code == 0
    assert not stand.scratch()
    assert not (stand.workspace / "hosts").exists()


@requires_mpi
def test_a_rank_that_stands_still(tmp_path: Path) -> None:
    """A rank that is stopped is given up after the patience, named, and ended all the same."""
    stand = Ranks(tmp_path, families()[0], RANKS)
    process, said = begun(stand, 3, 0.1)
    first = stand.connecting()[1]
    found = victims(first)
    assert found["measures"]
    try:
        for pid in (*found["connects"], *found["measures"], *found["works"]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        done = ended(process, said)
        assert done.code != 0
        assert stand.left_running() == []
    finally:  # who stands still does not end by itself
        for line in stand.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)
    record = stand.record()
    assert codes(record) == ["rank_lost"]
    assert f"rank 1 on host {os.uname().nodename}" in record.reasons[0].message


@requires_mpi
def test_the_launcher_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends all ranks, and the record says that somebody asked for it."""
    stand = Ranks(tmp_path, families()[-1], RANKS)
    process, said = begun(stand, 2, 0.1)
    process.send_signal(signal.SIGINT)
    done = ended(process, said)
    assert done.code != 0
    assert stand.left_running() == []
    record = stand.record()
    assert record.complete
    assert codes(record) == ["interrupted"]
