"""Runs of ranks on several hosts, each with a mount of its own of one filesystem."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import pytest

from aibench.model import RunRecord, Sample
from tests import lab
from tests.integration.command import SMALL, codes, finished
from tests.integration.mpi import Ranks
from tests.labs import distributed, faults, hosts, limits, truths
from tests.labs.hosts import Hosts
from tests.labs.mpi import Stack, families, missing
from tests.labs.tools import unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow, unless(missing() or hosts.missing())]
A, B = "lab-host-1", "lab-host-2"
#: Program that Python runs first: who makes a file and who reads it is noted, with its host.
NOTING = """
import os

_open, _readv = os.open, os.readv
_noted = os.environ["AIBENCH_NOTED"]


def note(what, path):
    with open(f"{_noted}/{os.uname().nodename} {os.getpid()}", "a") as file:
        file.write(f"{what} {path}\\n")


def noted_open(path, flags, *args, **named):
    fd = _open(path, flags, *args, **named)
    if flags & os.O_CREAT:
        note("made", os.readlink(f"/proc/self/fd/{fd}"))
    return fd


def noted_readv(fd, buffers):
    count = _readv(fd, buffers)
    if count:
        note("read", os.readlink(f"/proc/self/fd/{fd}"))
    return count


os.open, os.readv = noted_open, noted_readv
"""


@contextlib.contextmanager
def ranks_on(
    directory: Path, clients: Sequence[Path], mpi: Stack, each: int = 2, *, watchful: bool = False
) -> Iterator[tuple[Ranks, Hosts]]:
    """A stand on hosts that have each one of these mounts at the same path, with so many ranks.

    They are reached by an ssh that ends when a host is silent, where it is to be ``watchful``.
    """
    target = directory / "shared"
    target.mkdir()
    with hosts.hosts(len(clients)) as lab:
        for host, client in zip(lab.hosts, clients, strict=True):
            host.mount("--bind", client, target)
        where = {host.address: each for host in lab.hosts}
        ssh, inside = str(lab.watchful_ssh if watchful else lab.ssh), lab.hosts[0].enter
        count = each * len(clients)
        yield Ranks(directory, mpi, count, target, hosts=where, ssh=ssh, inside=inside), lab


def first(directory: Path, program: str) -> dict[str, str]:
    """The environment in which Python runs ``program`` first."""
    place = directory / "first"
    place.mkdir()
    (place / "sitecustomize.py").write_text(program)
    return {"PYTHONPATH": f"{place}:{Path(__file__).parents[2]}"}


def sample_of(record: RunRecord, phase: str) -> Sample:
    """The one sample of a phase."""
    (found,) = [sample for sample in record.samples if sample.phase == phase]
    return found


@unless(distributed.missing_juicefs())
def test_two_hosts_with_a_network_filesystem(tmp_path: Path) -> None:
    """Each host is named with its ranks and evidence, and loads what the other one saved."""
    noted = tmp_path / "noted"
    noted.mkdir()
    told = first(tmp_path, NOTING) | {"AIBENCH_NOTED": str(noted)}
    words = (
        *("-w", "load-4k", "-w", "checkpoint-save", "-w", "checkpoint-load", "-w", "metadata"),
        *("--repeats", "1", "--set", "load-4k.files=200", "--set", "workers=1", "--set", "ranks=4"),
        *("--set", "checkpoint-save.scale=1e-4", "--set", "checkpoint-load.scale=7e-4"),
        *("--set", "metadata.files=200", "--set", "directories=4"),
    )
    with (
        distributed.juicefs(clients=2) as lab,
        ranks_on(tmp_path, lab.clients, families()[0]) as (stand, _),
    ):
        done = stand.run(*words, environment=told)
        assert done.code == 0, done.err
        assert stand.left_running() == []
        record = stand.record()
        assert record.launch is not None
        assert [(host.name, host.ranks) for host in record.launch.hosts] == [(A, 2), (B, 2)]
        for sample in record.samples:
            assert sample.reasons == ()
            assert [host.host for host in sample.hosts] == [A, B]
            assert {worker.host for worker in sample.measurement.workers} == {A, B}
        epoch = sample_of(record, "epoch")
        assert all(host.evidence is not None for host in epoch.hosts)
        asked = [host.evidence.asked_bytes for host in epoch.hosts if host.evidence]
        assert sum(asked) == epoch.measurement.bytes
        made, read = by_host(noted)
        loaded = [path for path in read[A] | read[B] if "checkpoint-load" in path]
        assert loaded
        for path in loaded:
            assert (path in made[A]) != (path in made[B])
            assert (path in read[A]) != (path in made[A])
        assert stand.alone.do("verify", stand.target).code == 0


def by_host(noted: Path) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The names of the files that each host has made, and that it has read."""
    made, read = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for path in noted.iterdir():
        host = path.name.split()[0]
        for line in path.read_text().splitlines():
            what, _, name = line.partition(" ")
            (made if what == "made" else read)[host].add(name)
    return made, read


@unless(faults.missing())
def test_a_slow_host_is_named(tmp_path: Path) -> None:
    """Where one host's mount is slow, record and report name the host, and nothing is trimmed."""
    with (
        faults.two_clients(0.0) as clients,
        ranks_on(tmp_path, [each.path for each in clients], families()[-1]) as (stand, _),
    ):
        clients[1].ask(delay_ms={"open": 20})
        words = ("-w", "load-4k", "--repeats", "1", "--set", "files=120", "--set", "batch=5")
        done = stand.run(*words, "--set", "workers=2")
        assert done.code == 0, done.err
        sample = sample_of(stand.record(), "epoch")
        (finding,) = [each for each in sample.warnings if each.code == "straggler"]
        assert finding.message.startswith(f"host {B} was the straggler")
        assert finding.message in " ".join(done.out.split()).replace("- ", "-")
        measured = sample.measurement
        last = max(measured.workers, key=lambda worker: worker.end_ns)
        begin = min(worker.start_ns for worker in measured.workers)
        assert last.host == B
        assert measured.last_done_ns == last.end_ns - begin == measured.elapsed_ns
        assert measured.first_done_ns < measured.last_done_ns / 2


@unless(faults.missing())
def test_hosts_that_see_something_else(tmp_path: Path) -> None:
    """A host with another filesystem, version or set of tools is refused by name, before a byte.

    All that is wrong is said at once.
    """
    other = f"""
import os

if os.uname().nodename == "{B}" and os.environ.get("AIBENCH_OTHER") == "version":
    import aibench

    aibench.__version__ = "0.0.1"
elif os.uname().nodename == "{B}" and os.environ.get("AIBENCH_OTHER") == "fio":
    os.environ["PATH"] = "/nowhere"
"""
    told = first(tmp_path, other)
    block = ("-w", "block", "--repeats", "1", "--set", "file_size=4MiB", "--set", "jobs=1")
    with (
        faults.two_clients(0.0) as clients,
        ranks_on(tmp_path, [each.path for each in clients], families()[0], 1) as (stand, lab),
    ):
        done = stand.run(*block, environment=told | {"AIBENCH_OTHER": "fio"})
        assert done.code == 2
        assert f"{B} has fio (none)" in done.err
        assert stand.paths() == []
        lab.hosts[1].mount("-t", "tmpfs", "-o", "size=64m", "lab", stand.target)
        done = stand.run(*SMALL, environment=told | {"AIBENCH_OTHER": "version"})
        assert done.code == 2
        assert f"and tmpfs on {B}" in done.err
        assert f"and 0.0.1 on {B}" in done.err
        assert len(done.messages) == 2
        assert "Traceback" not in done.err
        assert stand.left_running() == []


@unless(faults.missing())
def test_levels_of_hosts(tmp_path: Path) -> None:
    """Each level is measured by the first so many hosts, and the report has the exponent."""
    words = ("-w", "load-4k", "--repeats", "2", "--set", "files=60", "--set", "batch=5")
    words = (*words, "--set", "workers=1", "--sweep", "hosts=1,2,3", "--json")
    with (
        faults.two_clients(0.0) as (one, other),
        ranks_on(tmp_path, [one.path, other.path, other.path], families()[0], 1) as (stand, _),
    ):
        done = stand.run(*words)
        assert done.code in (0, 3), done.err
        names = [A, B, "lab-host-3"]
        took_part = Counter(
            (sample.phase, *sorted({worker.host for worker in sample.measurement.workers}))
            for sample in stand.record().samples
        )
        levels = {(f"epoch@hosts={count}", *names[:count]): 2 for count in (1, 2, 3)}
        assert took_part == levels
        assert {sample.measurement.operations for sample in stand.record().samples} == {60}
        (workload,) = done.json["workloads"]
        lead = next(curve for curve in workload["sweep"]["curves"] if curve["leads"])
        assert [point["slots"] for point in lead["points"]] == [1, 2, 3]
        growth = lead["scaling"]
        assert growth["low"] <= growth["exponent"] <= growth["high"]
        assert len(growth["efficiency"]) == 3
        assert stand.left_running() == []


@pytest.mark.paced
@pytest.mark.slow(90)
@unless(lab.missing_throttle())
def test_workers_and_ranks_are_alike(tmp_path: Path) -> None:
    """Four workers of one process and four ranks of one ask for the same, and are as fast.

    An epoch takes 5 s, beside which `limits.BURST_S` is little: how much of it the device still has
    depends on what was done before the epoch.
    """
    words = ("-w", "load-imagenet", "--repeats", "1", "--set", "files=900", "--set", "batch=1")
    words = (*words, "--set", "size=112KiB", "--set", "sizes=fixed")
    with limits.throttled(read_bps=20_000_000) as mount:
        many = Ranks(tmp_path, families()[0], 4, mount.path)
        rates: dict[bool, list[float]] = {True: [], False: []}
        digests = set()
        for is_many in (False, True, True, False):
            stand = many if is_many else many.alone
            done = stand.run(*words, "--set", f"workers={1 if is_many else 4}")
            assert done.code == 0, done.err
            record = stand.record()
            digests.add(record.plan.digest)
            rates[is_many] += [truths.rate(sample) for sample in record.samples]
        assert len(digests) == 1
        assert median(rates[True]) == pytest.approx(median(rates[False]), rel=0.05), rates


@unless(faults.missing())
def test_one_host_without_space(tmp_path: Path) -> None:
    """A host that can't write ends the run for all, by name, and the next run is whole again."""
    with (
        faults.two_clients(0.0) as clients,
        ranks_on(tmp_path, [each.path for each in clients], families()[0], 1) as (stand, _),
    ):
        clients[1].ask(error={"write": {"errno": "ENOSPC", "after": 3}})
        words = ("-w", "checkpoint-save", "--repeats", "1", "--set", "ranks=2")
        done = stand.run(*words, "--set", "scale=1e-4", "--patience", "5s")
        assert done.code == 4, done.err
        record = stand.record()
        assert codes(record) == ["no_space"], record.reasons
        assert f"rank 1 on host {B}" in record.reasons[0].message
        assert stand.left_running() == []
        clients[1].ask()
        assert stand.run(*words, "--set", "scale=1e-4").code == 0
        assert not stand.scratch()


@unless(faults.missing())
def test_a_host_is_cut_off(tmp_path: Path) -> None:
    """Where the link to a host is cut in a phase, all end, on it too, and the record names it."""
    mpi = families()[0]
    with (
        faults.two_clients(0.0) as (one, other),
        ranks_on(tmp_path, [one.path, other.path], mpi, 1, watchful=True) as (stand, lab),
    ):
        other.ask(delay_ms={"open": 5})
        words = ("-w", "load-4k", "--repeats", "9", "--set", "files=600", "--set", "workers=1")
        process = stand.start("run", stand.target, *words, "--patience", "2s")
        assert process.stderr is not None
        assert any("epoch" in line for line in process.stderr)
        with lab.hosts[1].unplugged():
            assert finished(process).code != 0
            assert stand.left_running() == []
        record = stand.record()
        assert record.complete
        assert codes(record) == ["rank_lost"], record.reasons
        assert f"rank 1 on host {B}: nothing was heard of it" in record.reasons[0].message
        assert not stand.scratch()
        assert not (stand.workspace / "hosts").exists()
