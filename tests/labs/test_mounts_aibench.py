"""aibench does its main job on real mounts of many kinds, and says of each what is true."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from aibench.model import READS, CachePolicy, CacheState, RunRecord
from aibench.probes import mounts
from tests import lab
from tests.integration.command import BLOCK, FILES, NAMES, SMALL, Stand, children, eventually
from tests.lab import MIB
from tests.labs import distributed, faults, limits, undoing
from tests.labs.mount import KINDS
from tests.labs.tools import requires_fio, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow]
SOME_KINDS = (*FILES, *NAMES)
ALL_KINDS = (*SOME_KINDS, *BLOCK)
LABS = {"juicefs": ALL_KINDS, "sshfs": SOME_KINDS, "glusterfs": SOME_KINDS}
EXPECTED = {
    "juicefs": ("fuse.juicefs", "JuiceFS:lab", None),
    "sshfs": ("fuse.sshfs", "root@10.99.0.1:{directory}/served files", "10.99.0.1"),
    "glusterfs": ("fuse.glusterfs", "10.99.0.1:/lab", "10.99.0.1"),
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=unless(KINDS[name].missing())) for name in LABS],
)
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Stand]]:
    """A lab on which all kinds of workload were run once, and its name."""
    with KINDS[request.param].up() as up:
        stand = Stand(tmp_path_factory.mktemp(request.param), up.path)
        done = stand.run(*LABS[request.param])
        assert done.code == 0, done.err
        yield request.param, stand


@requires_fio
def test_main_job(measured: tuple[str, Stand]) -> None:
    """On each of them every phase of every kind is measured, and none is called cold or fails."""
    _, stand = measured
    record = stand.record()
    assert record.complete
    assert record.reasons == ()
    for stage in record.plan.stages:
        assert stage.refusal is None
        for phase in stage.measured:
            (sample,) = (
                s for s in record.samples if (s.workload, s.phase) == (stage.workload, phase.name)
            )
            assert sample.measurement.operations
            assert sample.reasons == ()
            if phase.operation in READS:
                assert sample.evidence is not None
                assert sample.evidence.state is CacheState.UNKNOWN, sample.evidence.reason
    assert stand.scratch() == []
    assert left_running(stand) == []


def test_target(measured: tuple[str, Stand]) -> None:
    """The record names type, source and server of each, without escapes."""
    name, stand = measured
    target = stand.record().target
    fstype, source, server = EXPECTED[name]
    source = source.format(directory=stand.target.parent)
    assert (target.fstype, target.source, target.server) == (fstype, source, server)
    assert target.mount_point == str(stand.target)
    assert target.total_bytes
    assert target.free_bytes


def test_doctor(measured: tuple[str, Stand]) -> None:
    """The doctor fails none of them, and says that nothing can be shown to be cold."""
    _, stand = measured
    done = stand.do("doctor", stand.target, "--json")
    assert done.code == 0, done.out
    evidence = next(check for check in done.json["checks"] if check["name"] == "cache evidence")
    assert evidence["status"] == "warning"


def test_direct(measured: tuple[str, Stand]) -> None:
    """Files of odd sizes are read whole with O_DIRECT, whatever alignment is asked for there."""
    _, stand = measured
    words = ("-w", "load-imagenet", "--repeats", "1", "--set", "files=64", "--set", "batch=8")
    done = stand.run(*words, "--cache", "direct")
    assert done.code == 0, done.err
    (sample,) = stand.record().samples
    assert sample.evidence is not None
    assert sample.evidence.state is CacheState.UNKNOWN, sample.evidence.reason


def test_verify_and_clean(measured: tuple[str, Stand]) -> None:
    """What was written verifies, and clean leaves nothing, whatever an open file means there."""
    _, stand = measured
    verified = stand.do("verify", stand.target)
    assert verified.code == 0, verified.out + verified.err
    cleaned = stand.do("clean", stand.target)
    assert cleaned.code == 0, cleaned.err
    assert [entry.name for entry in stand.target.iterdir() if entry.name[0] != "."] == []


def left_running(stand: Stand) -> list[str]:
    """Processes of aibench that still have to do with the target."""

    def found() -> list[str]:
        names = (entry for entry in undoing.traces(str(stand.target)) if entry[0].isdigit())
        return [name for name in names if "aibench\0" in name or "fio\0" in name]

    eventually(lambda: not found())
    return found()


def evidence_states(record: RunRecord) -> set[CacheState]:
    """Where the reads of a run came from."""
    return {sample.evidence.state for sample in record.samples if sample.evidence is not None}


@unless(distributed.missing_juicefs())
def test_warm_cache_of_a_client_is_never_cold(tmp_path: Path) -> None:
    """With all bytes in the cache of JuiceFS, and none in the kernel's, no read is called cold."""
    with distributed.juicefs() as mounted:
        stand = Stand(tmp_path, mounted.path)
        for _ in range(2):
            done = stand.run(*SMALL, "--cache", "cold")
            assert done.code == 0, done.err
            assert evidence_states(stand.record()) == {CacheState.UNKNOWN}


@unless(distributed.missing_juicefs())
def test_lock_reaches_other_clients(tmp_path: Path) -> None:
    """While one client of JuiceFS measures, another one is refused, and told who does."""
    with distributed.juicefs(clients=2) as mounted:
        first, second = (Stand(tmp_path, client) for client in mounted.clients)
        many = ("-w", "load-4k", "--repeats", "200", "--set", "files=200", "--set", "workers=1")
        process = first.start("run", first.target, *many)
        try:
            assert eventually((second.workspace / "data").is_dir)
            (holder,) = children(process.pid)  # what is started watches what runs
            done = second.run(*SMALL)
        finally:
            process.terminate()
            process.communicate(timeout=30)
        assert done.code == 2
        assert f"in use by another run (pid {holder} on " in done.err


LOAD = ("-w", "checkpoint-load", "--repeats", "1", "--set", "ranks=2", "--set", "scale=4e-4")
RATE = 30_000_000


@pytest.mark.paced
@unless(faults.missing())
def test_known_bandwidth(tmp_path: Path) -> None:
    """The bandwidth that a filesystem is limited to is what is reported, within 3 %."""
    with faults.faultfs(direct_io=True, read_bps=RATE) as faulty:
        stand = Stand(tmp_path, faulty.path)
        done = stand.run(*LOAD)
        assert done.code == 0, done.err
        (sample,) = stand.record().samples
    assert sample.measurement.bytes / sample.measurement.elapsed_ns * 1e9 == pytest.approx(
        RATE, rel=0.03
    )


@pytest.mark.paced
@unless(lab.missing_throttle())
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_known_device(tmp_path: Path, fstype: str) -> None:
    """What a limited device delivers is called cold, and takes the time that the limit makes it."""
    with limits.throttled(fstype, read_bps=RATE) as mounted:
        stand = Stand(tmp_path, mounted.path)
        done = stand.run(*LOAD, "--cache", "direct")
        assert done.code == 0, done.err
        (sample,) = stand.record().samples
        wanted_s = sample.measurement.bytes / RATE
        took_s = sample.measurement.elapsed_ns / 1e9
        assert wanted_s - limits.BURST_S <= took_s <= 1.03 * wanted_s + 0.1
        assert evidence_states(stand.record()) == {CacheState.COLD}


@unless(limits.missing_memory())
def test_small_page_cache(tmp_path: Path) -> None:
    """Of a data set larger than the page cache may be, a read is never called warm.

    What is there before the read makes room for what is read, and storage delivers it again.
    """
    with limits.throttled(size=600 * MIB) as mounted:
        stand = Stand(tmp_path, mounted.path)
        words = ("-w", "checkpoint-load", "--repeats", "1", "--set", "ranks=2")
        with limits.page_cache(200 * MIB):
            done = stand.run(*words, "--set", "scale=0.0026", "--cache", CachePolicy.WARM.value)
        assert done.code == 0, done.err
        assert evidence_states(stand.record()) <= {CacheState.MIXED, CacheState.COLD}


@unless(lab.missing())
def test_too_few_inodes(tmp_path: Path) -> None:
    """A run that needs more inodes than there are is refused before anything is written."""
    with limits.tmpfs(size=256 * MIB, inodes=100) as mounted:
        done = Stand(tmp_path, mounted.path).run(*SMALL)
        assert done.code == 2
        assert "inodes" in done.err
        assert list(mounted.path.iterdir()) == []


@unless(distributed.missing_moosefs())
def test_plain_fuse() -> None:
    """MooseFS says only ``fuse``, and yet its server is known by its source."""
    with distributed.moosefs() as mounted:
        target = mounts.describe(str(mounted.path))
    found = (target.fstype, target.source, target.server)
    assert found == ("fuse", "mfs#10.99.0.1:9421", "10.99.0.1")


@unless(faults.missing())
def test_any_source() -> None:
    """Whatever a filesystem calls its source is read from mountinfo as it is."""
    signs = random.Random(3).sample(" #\\,:;=@/-%ä\"'", 12)
    name = "a" + "b".join(signs) + "c"
    with faults.faultfs(name=name) as faulty:
        assert mounts.describe(str(faulty.path)).source == name


@pytest.mark.parametrize("size", [0, 2**64 - 1])
@unless(faults.missing())
def test_statfs_that_lies(tmp_path: Path, size: int) -> None:
    """Where statfs says 0 or 16 EiB the space is not known, and nothing is refused for it."""
    unit, blocks = 2**24, size // 2**24
    fields = {"f_bsize": unit, "f_frsize": unit, "f_files": 0, "f_ffree": 0, "f_favail": 0}
    fields |= {"f_blocks": blocks, "f_bfree": blocks, "f_bavail": blocks}
    with faults.faultfs(statfs=fields) as faulty:
        target = mounts.describe(str(faulty.path))
        assert (target.total_bytes, target.free_bytes, target.free_inodes) == (None, None, None)
        stand = Stand(tmp_path, faulty.path)
        assert stand.do("doctor", stand.target).code == 0
        assert stand.do("plan", stand.target).code == 0
