"""What ranks share by files is gone with them, however they end."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.labs import memory
from tests.labs.mpi import Stack, each_mpi, families, requires_mpi
from tests.world.launched import Launched, launched

pytestmark = pytest.mark.slow
FOREVER = 10_000


def killed(run: Launched) -> set[Path]:
    """The files in memory that the ranks of a launch had mapped, which are all killed at once."""
    connecting = [run.pid("connection", rank) for rank in range(2)]
    made = {path for pid in connecting for path in memory.mapped(pid)}
    for pid in (run.process.pid, *run.processes()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.end()
    return {path for path in made if path.is_relative_to(memory.SHARED)}


@each_mpi
@pytest.mark.mounts
def test_a_launch_has_memory_of_its_own(tmp_path: Path, mpi: Stack) -> None:
    """Ranks that are killed with their launcher leave no file in memory, or where temporary are."""
    if why := memory.why_shared(tmp_path):
        pytest.skip(why)
    with launched(tmp_path / "run", mpi, 2, rounds=FOREVER) as run:
        pid = run.pid("connection", 1)
        told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        points = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        made = killed(run)
    assert f"TMPDIR={memory.SHARED}".encode() in told
    assert len(points) == len(Path("/proc/self/mountinfo").read_text().splitlines()) + 1
    assert made
    assert [path for path in made if path.exists()] == []


@requires_mpi
def test_shared_memory_is_removed_by_name(tmp_path: Path) -> None:
    """Without a mount of its own, what nobody has any more is removed, and nothing else."""
    since_s = time.time()
    inside = ("env", f"TMPDIR={tmp_path}")
    with launched(tmp_path / "run", families()[0], 2, inside=inside, rounds=FOREVER) as run:
        for rank in range(2):
            run.pid("connection", rank)
        memory.remove_left(since_s)
        connecting = run.pid("connection", 0)
        there = {path for path in memory.mapped(connecting) if path.is_relative_to(memory.SHARED)}
        assert there
        assert all(path.exists() for path in there)
        made = killed(run)
    assert made == there
    assert any(path.exists() for path in made)
    memory.remove_left(time.time() + 60)
    assert any(path.exists() for path in made)
    memory.remove_left(since_s)
    assert not any(path.exists() for path in made)
