"""Ranks that an MPI launcher starts: they work together, and whatever dies, all end."""

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.world import lastwords
from tests.labs import memory
from tests.labs.mpi import Stack, each_mpi, each_stack, families, requires_mpi
from tests.world.launched import launched

pytestmark = pytest.mark.slow

HERE = os.uname().nodename
MOMENTS = int(os.environ.get("AIBENCH_MOMENTS", "1"))
"""How many times five moments there are at which a process is killed."""
#: A launch that goes on until something happens to it.
FOREVER = 10_000
#: The clock tick of this machine, of CPU time in ``/proc/PID/stat``.
_TICKS = os.sysconf("SC_CLK_TCK")


@each_stack
def test_ranks_work_together(tmp_path: Path, mpi: Stack) -> None:
    """Under each library all meet at common starts, rank 0 gathers, and nothing is left.

    What is larger than a message of MPI goes in parts, to all ranks and back, unchanged.
    """
    rounds, ranks, part = 10, 3, 1 << 20
    told = {"rounds": rounds, "part": part, "large": 9 * part + 12_345}
    with launched(tmp_path / "run", mpi, ranks, **told) as run:
        ended = run.end()
    assert (ended.code, ended.err) == (0, "")
    record = ended.record
    assert record["code"] == "done"
    assert record["hosts"] == [HERE] * ranks
    assert record["clocks"] == [[0, 0]] * ranks  # one machine has one clock
    assert record["library"].startswith("Open MPI" if mpi.is_open else "MPICH")
    *met, large = record["gathered"]
    assert large == {"whole": [True] * ranks}
    for number, given in enumerate(met):
        assert [each["rank"] for each in given["all"]] == list(range(ranks))
        assert {each["round"] for each in given["all"]} == {number}
        assert len({each["start"] for each in given["all"]}) == 1
    late = [each["late"] for given in met for each in given["all"]]
    assert sum(late) < len(late) / 2
    assert not (run.directory / lastwords.NAME).exists()


#: How a rank is lost whose launcher or library then ends the others, each in its own way.
BY_MPI = [
    ("connection", 1, signal.SIGKILL, 60, "rank_died: rank 1 on host {} lost its MPI process"),
    ("connection", 0, signal.SIGKILL, 60, "rank_died: rank 0 on host {} lost its MPI process"),
    ("connection", 0, signal.SIGSTOP, 2, "rank_lost: the MPI process of rank 0 on host {} has"),
]
#: And where that is up to us, whatever the library.
BY_US = [
    ("agent", 2, signal.SIGKILL, 60, "rank_died: rank 2 on host {}: was ended by SIGKILL"),
    ("connection", 2, signal.SIGSTOP, 2, "rank_lost: rank 2 on host {}: nothing was heard of it"),
]
Loss = tuple[str, int, signal.Signals, float, str]


def name_of(loss: Loss) -> str:
    """What a loss is called among the tests."""
    return f"{loss[2].name}-{loss[0]}-{loss[1]}"


@each_mpi
@pytest.mark.parametrize("loss", BY_MPI, ids=name_of)
def test_a_rank_is_lost(tmp_path: Path, mpi: Stack, loss: Loss) -> None:
    """Whichever process of a rank is killed or stands still, all end, and rank 0 names it."""
    lose(tmp_path, mpi, loss)


@requires_mpi
@pytest.mark.parametrize("loss", BY_US, ids=name_of)
def test_a_rank_that_others_outlive(tmp_path: Path, loss: Loss) -> None:
    """Where no launcher ends the others, they end by themselves, and rank 0 names who was lost."""
    lose(tmp_path, families()[-1], loss)


def lose(tmp_path: Path, mpi: Stack, loss: Loss) -> None:
    """Lose a process of a rank, and see how the others end."""
    name, rank, number, patience_s, message = loss
    with launched(tmp_path / "run", mpi, rounds=FOREVER, patience_s=patience_s) as run:
        run.pid("connection", 2)
        time.sleep(1 if number == signal.SIGSTOP else 0)  # all know the patience by then
        run.kill(name, rank, number)
        ended = run.end()
    assert ended.code != 0
    assert ended.words.startswith(message.format(HERE))


@requires_mpi
def test_rank_0_is_killed(tmp_path: Path) -> None:
    """Where the process that would write the record is killed, all end, and it is said."""
    with launched(tmp_path / "run", families()[0], rounds=FOREVER) as run:
        run.kill("agent", 0, signal.SIGKILL)
        ended = run.end()
    assert ended.code != 0
    assert ended.record is None
    assert "aibench: aibench was ended by SIGKILL" in ended.err


@each_mpi
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_launcher_is_asked_to_end(tmp_path: Path, mpi: Stack, number: signal.Signals) -> None:
    """A signal to the launcher ends all ranks, and rank 0 still writes how it ended."""
    with launched(tmp_path / "run", mpi, rounds=FOREVER) as run:
        for rank in range(3):
            run.pid("worker", rank)
        run.process.send_signal(number)
        ended = run.end()
    assert ended.code != 0
    asked = {"interrupted"} if number != signal.SIGKILL else {"interrupted", "rank_died"}
    assert ended.record["code"] in asked
    if number != signal.SIGKILL:  # else whose end comes first may be named
        assert "asked" in ended.words


@each_mpi
@pytest.mark.parametrize("seed", range(5 * MOMENTS))
def test_any_process_at_any_moment(tmp_path: Path, mpi: Stack, seed: int) -> None:
    """Whichever process of a launch is killed, at whatever moment, all of it ends.

    A record says that all was done only where it was: it may have been when the process was killed.
    """
    chance = random.Random(f"{seed} {mpi.name}")
    with launched(tmp_path / "run", mpi, rounds=15) as run:
        if seed % 2:
            run.pid("worker", chance.randrange(3))
        time.sleep(chance.random())
        there = run.processes()
        if there:
            os.kill(chance.choice(there), signal.SIGKILL)
        ended = run.end()
    if ended.record is not None and ended.record["code"] == "done":
        assert len(ended.record["gathered"]) == 15


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@each_mpi
def test_ranks_that_have_nothing_to_say(tmp_path: Path, mpi: Stack) -> None:
    """While ranks measure, what connects them takes little CPU time.

    They are killed with their launcher: not even then they leave a file in memory, or where
    temporary ones are.
    """
    with launched(tmp_path / "run", mpi, 2, idle_s=60) as run:
        pids = [run.pid("connection", rank) for rank in range(2)]
        time.sleep(0.5)
        before, began = [_cpu_s(pid) for pid in pids], time.monotonic()
        time.sleep(2)
        seconds = time.monotonic() - began
        shares = [(_cpu_s(pid) - cpu) / seconds for pid, cpu in zip(pids, before, strict=True)]
        shared = {path for pid in pids for path in memory.mapped(pid)}
        shared = {path for path in shared if path.is_relative_to(memory.SHARED)}
        for pid in (run.process.pid, *run.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.end()
    assert max(shares) < 0.05, shares
    assert shared
    if not memory.why_shared(tmp_path):
        assert [path for path in shared if path.exists()] == []


def test_another_librarys_launcher(tmp_path: Path) -> None:
    """A launcher whose ranks load another MPI library is refused, once for each host."""
    if len(families()) < 2:
        pytest.skip("This needs MPICH and Open MPI.")
    for launcher, other in (families(), families()[::-1]):
        mixed = replace(launcher, environment={**launcher.environment, **other.environment})
        with launched(tmp_path / launcher.name, mixed, 2) as run:
            ended = run.end()
        assert (ended.code, ended.record) == (2, None)
        said = [line for line in ended.err.splitlines() if line.startswith("aibench: ")]
        assert len(said) == 1
        assert "started 2 processes, but the MPI library that mpi4py loads" in said[0]
        assert "use the launcher of that library" in said[0]
        assert "Warning" not in ended.err
