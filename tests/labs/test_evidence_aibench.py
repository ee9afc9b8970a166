"""A cache that is presented as storage is seen, and meets no claim, whoever filled it and how."""

import contextlib
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.definition.claims import load_claims
from aibench.definition.system import load_system
from aibench.judge import judge
from aibench.model import CacheState, RunRecord, Status, Verdict
from aibench.probes import cache, sysfs
from tests import lab
from tests.integration.command import Done, Stand
from tests.labs import limits, stacked
from tests.labs.tools import unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow, pytest.mark.alone]
COLD, MIXED, WARM, UNKNOWN = CacheState.COLD, CacheState.MIXED, CacheState.WARM, CacheState.UNKNOWN
REPEATS = 3
#: Photographs of 11 MB together, read by two workers.
LOAD = ("-w", "load-imagenet", "--set", "files=100", "--set", "workers=2", "--set", "batch=8")
#: Less than anything that is measured at all.
LITTLE = """[[claims]]
id = "LITTLE"
title = "Next to nothing"
vendor = "Lab"
product = "Loop"
quote = "at least 1 kB/s"
source = "none"
date = "2026"
metric = "read_bandwidth"
direction = ">="
unit_as_printed = "kB/s"
unit = "B/s"
scope = "drive"
unit_definition = "one drive"
phases = ["load/epoch"]
interpretations = [{ id = "read", value = "1kB/s" }]
"""
SYSTEM = """vendor = "Lab"
product = "Loop"
unit = "drive"
units = 1
unit_definition = "one drive"
"""


class Rig(Stand):
    """A stand with a claim that any storage meets, and the system that it is about."""

    def __init__(self, directory: Path, target: Path) -> None:
        super().__init__(directory, target)
        self.claims, self.system = directory / "claims.toml", directory / "system.toml"
        self.claims.write_text(LITTLE)
        self.system.write_text(SYSTEM)

    def measured(self, *words: str, repeats: int = REPEATS, prefix: tuple[str, ...] = ()) -> Done:
        """``aibench run`` with the claim and the system; ``prefix`` starts it, as setpriv does."""
        command = ["run", self.target, *LOAD, "--repeats", repeats, "--claims", self.claims]
        options = {"prefix": prefix} if prefix else {}
        told = {"HOME": str(self.directory)}
        words = (*command, "--system", self.system, "--json", *words)
        done = self.do(*map(str, words), environment=told, **options)
        assert done.code in (0, 3), done.err
        return done

    def files(self) -> list[Path]:
        """The files of the data set."""
        return sorted(self.workspace.glob("data/*/d*/f*"))

    def verdicts(self) -> tuple[Verdict, ...]:
        """What is said of the claim, were the runs long enough and nothing else to be said."""
        return judge(
            told_nothing(self.record()), load_claims(self.claims), load_system(self.system)
        )


def told_nothing(record: RunRecord) -> RunRecord:
    """The record without its warnings, so that only what the evidence forbids is forbidden."""
    samples = tuple(
        replace(each, warnings=(), measurement=replace(each.measurement, warnings=()))
        for each in record.samples
    )
    return replace(record, warnings=(), samples=samples)


def states(stand: Stand) -> list[CacheState]:
    """Where the bytes of each repeat of the last run came from."""
    return [each.evidence.state for each in stand.record().samples if each.evidence is not None]


def told(stand: Stand) -> str:
    """The reasons of the evidence of the last run."""
    return " | ".join(e.evidence.reason for e in stand.record().samples if e.evidence is not None)


def never_met(rig: Rig, done: Done) -> bool:
    """Whether the claim is not met for the cache's sake, in the run's own verdict and without it.

    The control is `test_storage_meets_it`: the same claim is met by what was read from storage.
    """
    (printed,) = done.json["verdicts"]
    (verdict,) = rig.verdicts()
    assert printed["status"] != Status.MET.value
    assert verdict.status is Status.INCONCLUSIVE, verdict
    return "cache_suspect" in [finding.code for finding in verdict.reasons]


def undisturbed(act: Callable[[], Done]) -> Done:
    """What ``act`` gives while nobody on this machine drops the caches, as it does not itself."""
    for _ in range(5):
        before = sysfs.fields("/proc/vmstat")["drop_pagecache"]
        done = act()
        if sysfs.fields("/proc/vmstat")["drop_pagecache"] == before:
            return done
    pytest.skip("Others on this machine drop the caches all the time.")


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig on a loop device past the page cache, whose data set is there and was read cold."""
    if lacking := lab.missing():
        pytest.skip(lacking)
    with limits.throttled(request.param) as mounted:
        rig = Rig(tmp_path_factory.mktemp("rig"), mounted.path)
        rig.measured(repeats=1)
        yield rig


def test_storage_meets_it(rig: Rig) -> None:
    """What is read cold meets the claim, were the runs long enough: nothing else forbids it."""
    rig.measured()
    assert states(rig) == [COLD] * REPEATS, told(rig)
    (verdict,) = rig.verdicts()
    assert verdict.status is Status.MET, verdict


def test_data_just_read(rig: Rig) -> None:
    """Data that was just read is warm where the caches are left as found."""

    def read_and_measure() -> Done:
        for file in rig.files():
            file.read_bytes()
        return rig.measured("--cache", "as-found")

    done = undisturbed(read_and_measure)
    assert states(rig) == [WARM] * REPEATS, told(rig)
    assert never_met(rig, done)


def test_wanted_warm(rig: Rig) -> None:
    """A cache that was warmed on purpose is warm as asked, and meets no claim about storage."""
    done = undisturbed(lambda: rig.measured("--cache", "warm"))
    assert states(rig) == [WARM] * REPEATS, told(rig)
    assert never_met(rig, done)


def test_second_reading(rig: Rig) -> None:
    """Of a data set smaller than memory the first reading is cold and the second one warm."""

    def measure() -> Done:
        evict(rig)
        return rig.measured("--cache", "as-found")

    done = undisturbed(measure)
    assert states(rig) == [COLD] + [WARM] * (REPEATS - 1), told(rig)
    assert never_met(rig, done)
    (phase,) = (p for w in done.json["workloads"] for p in w["phases"])
    assert phase["cache_state"] == "varies"


def evict(rig: Rig) -> None:
    """The files of the data set leave the page cache."""
    root = os.open(rig.workspace, os.O_RDONLY)
    names = [str(path.relative_to(rig.workspace)) for path in rig.files()]
    assert cache.evict(root, names, allow_drop=False).missed == 0
    os.close(root)


@contextlib.contextmanager
def kept_in_memory(files: list[Path]) -> Iterator[None]:
    """Files that this process maps: no page of them leaves the page cache, whoever drops it."""
    with contextlib.ExitStack() as stack:
        for path in files:
            file = stack.enter_context(path.open("rb"))
            mapped = stack.enter_context(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
            assert sum(mapped[:: mmap.PAGESIZE]) > 0
        yield


def test_data_that_cannot_be_evicted(rig: Rig) -> None:
    """Data that another process keeps in memory is warm, though its eviction was asked for."""
    with kept_in_memory(rig.files()):
        done = rig.measured("--cache", "cold")
    assert states(rig) == [WARM] * REPEATS, told(rig)
    assert "100.0 % resident before" in told(rig) or "100 % resident before" in told(rig)
    assert never_met(rig, done)


READER = """
import sys, time
from pathlib import Path
files = sorted(Path(sys.argv[1]).glob("data/*/d*/f*"))
half = len(files) // 2 if sys.argv[2] == "1" else 0
while True:
    for path in files[half:] + files[:half]:
        path.read_bytes()
    time.sleep(0.005)
"""


@contextlib.contextmanager
def read_all_the_time(workspace: Path) -> Iterator[None]:
    """Two processes that read the data set again and again, from its begin and its middle."""
    words = [sys.executable, "-c", READER, str(workspace)]
    readers = [subprocess.Popen([*words, str(number)]) for number in range(2)]
    try:
        yield
        assert [reader.poll() for reader in readers] == [None, None]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


@pytest.mark.paced
@unless(lab.missing_throttle())
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_read_behind_its_back(tmp_path: Path, fstype: str) -> None:
    """What others brought into the cache after the eviction is not taken for aibench's reading.

    aibench is held to a rate at which the others have read all long before it has. The device
    delivers every byte, and nothing was resident before or hardly anything.
    """
    with limits.throttled(fstype) as mounted:
        rig = Rig(tmp_path, mounted.path)
        rig.measured(repeats=1)
        with read_all_the_time(rig.workspace), lab.throttle(mounted, read_bps=4_000_000):
            done = rig.measured("--cache", "cold")
        assert set(states(rig)) <= {WARM, MIXED}, told(rig)
        assert "own processes caused" in told(rig)
        assert never_met(rig, done)


NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory of nobody, in a place that they can reach."""
    with tempfile.TemporaryDirectory(prefix="aibench-nobody-") as name:
        os.chown(name, NOBODY, NOBODY)
        Path(name).chmod(0o755)
        yield Path(name)


def their_rig(directory: Path, mount: Path) -> Rig:
    """A rig of nobody on ``mount``, whose data set is there."""
    home = mount / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    rig = Rig(directory, home)
    rig.measured(repeats=1, prefix=AS_NOBODY)
    return rig


@lab.requires_mounts
def test_image_in_the_page_cache(theirs: Path) -> None:
    """A device that reads its image from memory delivers all, and yet it is not called cold.

    Without the right to drop caches the image stays in memory, whatever is done to the files.
    """
    with stacked.cached_image(theirs, 160 * lab.MIB) as (_, above):
        rig = their_rig(theirs, above.path)

        def measure() -> Done:
            for image in above.path.parent.glob("*.image"):
                image.read_bytes()
            return rig.measured("--cache", "cold", prefix=AS_NOBODY)

        done = undisturbed(measure)
        assert states(rig) == [WARM] * REPEATS, told(rig)
        assert f"{above.device} reads its image through this host's page cache" in told(rig)
        assert never_met(rig, done)


@lab.requires_mounts
def test_without_the_right_to_drop_caches(theirs: Path) -> None:
    """Files are evicted one by one and checked; what was not reached is told; warm stays warm."""
    with lab.loop_mount(theirs) as mounted:
        rig = their_rig(theirs, mounted.path)
        rig.measured("--cache", "cold", prefix=AS_NOBODY)
        assert states(rig) == [COLD] * REPEATS, told(rig)
        assert "directory entries and attributes were not evicted" in told(rig)
        (evidence,) = {e.evidence.eviction for e in rig.record().samples if e.evidence is not None}
        assert evidence.startswith("synced, then advised 100 files away (POSIX_FADV_DONTNEED)")
        assert "can't reach directory entries and attributes" in evidence
        (verdict,) = rig.verdicts()
        assert verdict.status is Status.MET, verdict
        done = undisturbed(lambda: rig.measured("--cache", "as-found", prefix=AS_NOBODY))
        assert states(rig)[1:] == [WARM] * (REPEATS - 1), told(rig)
        assert never_met(rig, done)
        with kept_in_memory(rig.files()):
            done = rig.measured("--cache", "cold", prefix=AS_NOBODY)
        assert states(rig) == [WARM] * REPEATS, told(rig)
        assert never_met(rig, done)
