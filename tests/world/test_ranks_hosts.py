"""Ranks on two hosts, reached by ssh: they work together, and what is lost is named by its host."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.labs import hosts
from tests.labs.hosts import Host, Hosts
from tests.labs.mpi import Stack, each_mpi, each_stack
from tests.labs.tools import tool, unless
from tests.world.launched import LIMIT_S, Launched, launched

pytestmark = [pytest.mark.mounts, pytest.mark.slow, unless(hosts.missing())]


@pytest.fixture(scope="module")
def lab() -> Iterator[Hosts]:
    """Two hosts."""
    with hosts.hosts(2) as made:
        yield made


def options(lab: Hosts) -> dict[str, object]:
    """What puts two ranks on each host, from the first one."""
    where = {host.address: 2 for host in lab.hosts}
    return {"hosts": where, "ssh": str(lab.ssh), "inside": lab.hosts[0].enter}


def on(host: Host, run: Launched) -> list[int]:
    """The processes of a launch that run on a host."""
    names = tool(*host.enter, "readlink", "/proc/self/ns/uts").stdout.strip()
    found = []
    for pid in run.processes():
        with suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/uts") == names:
                found.append(pid)
    return found


@each_stack
def test_two_hosts(tmp_path: Path, mpi: Stack, lab: Hosts) -> None:
    """Ranks of two hosts meet, and rank 0 knows which host each is on, and its clock."""
    if not mpi.is_sound_between_hosts:
        pytest.skip("MPICH 4.0.2 of Debian 12 hangs in MPI_Finalize over TCP at times.")
    with launched(tmp_path / "run", mpi, 4, rounds=5, **options(lab)) as run:
        ended = run.end()
    assert ended.code == 0, ended
    assert ended.record["hosts"] == ["lab-host-1"] * 2 + ["lab-host-2"] * 2
    assert ended.record["clocks"] == [[0, 0]] * 4  # the two have one kernel
    assert [len(given["all"]) for given in ended.record["gathered"]] == [4] * 5


@each_mpi
def test_a_rank_of_the_other_host_is_killed(tmp_path: Path, mpi: Stack, lab: Hosts) -> None:
    """What dies on another host is named, also where its launcher or its library ends the rest."""
    with launched(tmp_path / "run", mpi, 4, rounds=10_000, **options(lab)) as run:
        run.kill("connection", 3, signal.SIGKILL)
        ended = run.end()
    assert ended.code != 0
    assert ended.record["code"] == "rank_died"
    assert "rank 3 on host lab-host-2" in ended.record["message"]


@each_mpi
def test_a_host_hangs(tmp_path: Path, mpi: Stack, lab: Hosts) -> None:
    """A host that stands still is named in bounded time; when it goes on, nothing is left on it."""
    with launched(tmp_path / "run", mpi, 4, rounds=10_000, patience_s=2, **options(lab)) as run:
        run.pid("connection", 3)
        time.sleep(1)  # all know the patience by then
        still = on(lab.hosts[1], run)
        for pid in still:
            os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + LIMIT_S
        while not (run.directory / "record").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for pid in still:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        ended = run.end()
    assert ended.code != 0
    assert ended.record["code"] == "rank_lost"
    assert "on host lab-host-2: nothing was heard of it for" in ended.record["message"]


@each_mpi
def test_a_link_is_cut(tmp_path: Path, mpi: Stack, lab: Hosts) -> None:
    """Where a link is cut silently, both sides end by themselves, and who was cut off is named."""
    told = options(lab) | {"ssh": str(lab.watchful_ssh), "rounds": 10_000, "patience_s": 2}
    with launched(tmp_path / "run", mpi, 4, **told) as run:
        run.pid("connection", 3)
        time.sleep(1)  # all know the patience by then
        with lab.hosts[1].unplugged():
            deadline = time.monotonic() + LIMIT_S
            while run.processes() or run.process.poll() is None:
                assert time.monotonic() < deadline, run.processes()
                time.sleep(0.05)
        ended = run.end()
    assert ended.code != 0
    assert ended.record["code"] == "rank_lost"
    assert "on host lab-host-2: nothing was heard of it for" in ended.record["message"]
