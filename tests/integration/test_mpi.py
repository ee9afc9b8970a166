"""Runs that an MPI launcher starts as several ranks on this machine."""

import hashlib
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from aibench.model import CacheState, RunRecord, Sample, Training
from tests import lab
from tests.integration.command import Stand, codes, eventually
from tests.integration.mpi import Ranks
from tests.labs.mpi import families, requires_mpi

pytestmark = pytest.mark.slow

#: A little of each kind of workload, to be divided by three ranks.
KINDS = (
    *("-w", "load-imagenet", "--set", "load-imagenet.files=60", "--set", "load-imagenet.batch=4"),
    *("--set", "load-imagenet.workers=2", "--set", "load-imagenet.size=112KiB"),
    *("-w", "checkpoint-save", "-w", "checkpoint-load", "--set", "ranks=6"),
    *("--set", "checkpoint-save.scale=1e-4", "--set", "checkpoint-load.scale=1e-4"),
    *("-w", "metadata", "--set", "metadata.files=240", "--set", "directories=6"),
    *("--set", "metadata.workers=2", "-w", "ingest", "--set", "ingest.files=90"),
    *("--set", "ingest.workers=2", "-w", "block", "--set", "file_size=4MiB"),
    *("--set", "block.runtime=300ms", "--set", "jobs=1"),
    *("-w", "train-object-detection", "--set", "train-object-detection.files=96"),
    *("--set", "train-object-detection.batch=4", "--set", "train-object-detection.size=20kB"),
    *("--set", "accelerators=[4]", "--set", "train-object-detection.loaders=1"),
    *("--set", "compute=5ms", "--set", "compute_sigma=0.5", "--set"),
    "checkpoint={every=2, mode='durable', parameters=50000, ranks=5, shards=1}",
    *("-w", "serve-cache", "--set", "blocks=12", "--set", "serve-cache.tokens=16"),
    *("--set", "serve-cache.workers=1", "--set", "serve-cache.runtime=300ms", "--repeats", "1"),
)
#: Program that Python runs first: each file that is read is noted, one line for each read.
READER = """
import os

_readv = os.readv


def noted(fd, buffers):
    count = _readv(fd, buffers)
    if count:
        with open(f"{os.environ['AIBENCH_READ']}/{os.getpid()}", "a") as file:
            file.write(os.readlink(f"/proc/self/fd/{fd}") + "\\n")
    return count


os.readv = noted
"""


def one(stand: Ranks, phase: str) -> Sample:
    """The one sample of a phase in the last record."""
    (found,) = [sample for sample in stand.record().samples if sample.phase == phase]
    return found


def ranks_of(sample: Sample) -> Counter[int]:
    """How many workers of a sample each rank had."""
    return Counter(worker.rank for worker in sample.measurement.workers)


def host_of(record: RunRecord) -> str:
    """The one host that a run had."""
    assert record.launch is not None
    (host,) = record.launch.hosts
    return host.name


def keep_step(training: Training) -> None:
    """All accelerators free each other at one time, and stop together, whoever saves."""
    assert [each.steps for each in training.accelerators] == [6] * 4
    for same in ("first_step_ns", "end_ns", "stall_ns", "checkpoint_ns"):
        assert len({getattr(each, same) for each in training.accelerators}) == 1
    assert len({each.compute_ns for each in training.accelerators}) == 4
    assert len(training.checkpoints) == 2
    stopped = sum((each.released_ns or 0) - each.asked_ns for each in training.checkpoints)
    assert stopped == training.accelerators[0].checkpoint_ns > 0


@requires_mpi
@pytest.mark.mounts
@lab.requires_mounts
def test_each_kind_is_divided_by_all_ranks(tmp_path: Path) -> None:
    """One record and one report tell of all; each phase has workers on each rank, nothing stays.

    Accelerators of all ranks end their steps together, and stop together for a checkpoint.
    """
    with lab.loop_mount(tmp_path, size=400 * lab.MIB) as mount:
        stand = Ranks(tmp_path, families()[0], 3, mount.path)
        done = stand.run(*KINDS)
        assert done.code == 0, done.err
        assert stand.left_running() == []
        (path,) = stand.paths()
        record = stand.record()
        assert record.complete
        assert codes(record) == []
        assert record.launch is not None
        assert record.launch.ranks == 3
        assert host_of(record) == os.uname().nodename
        assert {stage.workload for stage in record.plan.stages} == {
            sample.workload for sample in record.samples
        }
        for sample in record.samples:
            assert sample.reasons == ()
            assert set(ranks_of(sample)) == {0, 1, 2}, sample.phase
            assert [host.ranks for host in sample.hosts] == [3]
        assert one(stand, "epoch").evidence.state is CacheState.COLD  # type: ignore[union-attr]
        assert one(stand, "epoch").measurement.operations == 60
        assert one(stand, "save").measurement.operations == 12
        assert one(stand, "create").measurement.operations == 240
        assert one(stand, "verify").measurement.wrong_bytes == 0
        assert "committed" in one(stand, "checkpoint-alone").measurement.timers
        training = one(stand, "accelerators-4").measurement.training
        assert training is not None
        keep_step(training)
        assert list((stand.workspace / "hosts").glob("*")) == []
        assert not stand.scratch()
        assert stand.alone.do("verify", mount.path).code == 0
        assert done.out.count("load-imagenet: Load a data set") == 1
        assert str(path) in done.err


@requires_mpi
def test_the_work_is_divided_exactly(tmp_path: Path) -> None:
    """Each file of an epoch is read once by one of the ranks, whoever made the files."""
    place, noted = tmp_path / "reader", tmp_path / "noted"
    place.mkdir()
    noted.mkdir()
    (place / "sitecustomize.py").write_text(READER)
    stand = Ranks(tmp_path, families()[-1], 3)
    told = {"PYTHONPATH": f"{place}:{Path(__file__).parents[2]}", "AIBENCH_READ": str(noted)}
    words = ("-w", "load-4k", "--set", "files=301", "--set", "batch=7", "--set", "workers=1")
    done = stand.run(*words, "--repeats", "2", "--no-keep", environment=told)
    assert done.code == 0, done.err
    each = [Counter(path.read_text().split("\n")[:-1]) for path in noted.iterdir()]
    assert len(each) == 2 * 3
    whole = sum(each, Counter[str]())
    assert len(whole) == 301
    assert set(whole.values()) == {2}
    sizes = Counter(sum(one.values()) for one in each)
    assert sizes == {105: 2, 98: 4}
    assert not (stand.workspace / "data").exists() or not list((stand.workspace / "data").iterdir())


def contents(place: Path) -> dict[str, str]:
    """What is in the files of data sets below a workspace, as hashes by path."""
    data = place / "data"
    files = (path for path in data.rglob("*") if path.is_file() and path.stat().st_size)
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith(".") and path.suffix != ".json"
    }


@requires_mpi
def test_data_made_by_ranks(tmp_path: Path) -> None:
    """Ranks make the same bytes as one process, also where they were all killed before the end."""
    stand = Ranks(tmp_path, families()[0], 3)
    words = ("-w", "load-4k", "--repeats", "1", "--set", "files=4000", "--set", "workers=1")
    process = stand.start("run", stand.target, *words)
    assert process.stderr is not None
    assert "load-4k: layout" in process.stderr.readline()
    data = stand.workspace / "data"
    assert eventually(lambda: sum(1 for _ in data.rglob("f*")) > 100)
    for pid in stand.connecting():
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert stand.left_running() == []
    made = len(contents(stand.workspace))
    assert 100 < made < 4000
    done = stand.run(*words)
    assert done.code == 0, done.err
    other = Stand(tmp_path / "other", None) if (tmp_path / "other").mkdir() is None else stand
    assert other.run(*words, "--engine", "posix").code == 0
    assert contents(stand.workspace) == contents(other.workspace)


@requires_mpi
def test_a_run_of_ranks_goes_on(tmp_path: Path) -> None:
    """What ranks have not come to is measured by as many, and by nobody else; levels are swept."""
    stand = Ranks(tmp_path, families()[0], 2)
    words = ("-w", "load-4k", "--repeats", "1", "--set", "files=300", "--set", "batch=5")
    process = stand.start("run", stand.target, *words, "--sweep", "workers=1,2")
    assert process.stderr is not None
    said = [process.stderr.readline() for _ in range(3)]
    assert "epoch@workers=" in said[-1]
    for pid in stand.connecting():
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert stand.left_running() == []
    (path,) = stand.paths()
    refused = stand.alone.run("--resume", path)
    assert refused.code == 2
    assert "was measured by 2 ranks on one host, not by one process" in refused.err
    done = stand.run("--resume", path, "--json")
    assert done.code == 0, done.err
    record = stand.record()
    found = {sample.phase: len(sample.measurement.workers) for sample in record.samples}
    assert found == {"epoch@workers=1": 2, "epoch@workers=2": 4}
    assert done.json["run"]["id"] == record.run_id
