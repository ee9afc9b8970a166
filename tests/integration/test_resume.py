"""A run that was stopped goes on where it stopped, in a record of its own."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from aibench.model import RunRecord
from aibench.store import read
from tests import lab
from tests.integration.command import Done, Stand, codes, finished
from tests.integration.test_failures import listing

pytestmark = pytest.mark.slow
#: Data that stays, scratch files that phases pass on to each other, and a checkpoint.
PHASES = (
    *("-w", "load-4k", "-w", "metadata", "-w", "checkpoint-save", "--repeats", "2"),
    *("--set", "load-4k.files=500", "--set", "workers=2", "--set", "metadata.files=300"),
    *("--set", "directories=4", "--set", "ranks=2", "--set", "checkpoint-save.scale=1e-4"),
    *("--seed", "7", "--label", "the mount"),
)
PLACES = 2 * (1 + 6 + 1)


def stopped_at(stand: Stand, sign: str, *arguments: str | Path) -> Done:
    """A run that is interrupted when it says ``sign``."""
    process = stand.start("run", stand.target, *arguments)
    assert process.stderr is not None
    for line in process.stderr:
        if sign in line:
            process.send_signal(signal.SIGINT)
            break
    done = finished(process)
    assert done.code == 4
    return done


def places(record: RunRecord) -> list[tuple[str, str, int]]:
    """Workload, phase and repeat of each sample."""
    return [(sample.workload, sample.phase, sample.repeat) for sample in record.samples]


def test_interrupted_twice(tmp_path: Path) -> None:
    """After two interruptions all is there once, and each record stands as it was written."""
    stand = Stand(tmp_path)
    done = stopped_at(stand, "metadata: stat 2/2", *PHASES)
    (first,) = stand.paths()
    assert f"to measure what is missing: aibench run {stand.target} --resume " in done.err
    assert len(read(first).samples) in (9, 10)  # the signal comes while or before stat is done
    stopped_at(stand, "checkpoint-save: save 2/2", "--resume", first)
    second = next(path for path in stand.paths() if path != first)
    before = [path.read_bytes() for path in (first, second)]
    done = stand.run("--resume", read(second).run_id)
    assert done.code == 0, done.err
    last = next(read(path) for path in stand.paths() if path not in (first, second))
    assert [path.read_bytes() for path in (first, second)] == before
    assert last.complete
    assert last.reasons == ()
    assert len(places(last)) == len(set(places(last))) == PLACES
    assert (last.plan, last.target.label) == (read(first).plan, "the mount")
    assert (last.resumes, read(second).resumes) == (read(second).run_id, read(first).run_id)
    # the first repeat of all, and of metadata's second what was interrupted again
    assert set(places(last)[:2]) == {("load-4k", "epoch", 0), ("load-4k", "epoch", 1)}
    assert last.samples[:8] == read(first).samples[:8]
    assert {sample.repeat for sample in last.samples if sample in read(first).samples} == {0, 1}
    said = [warning.message for warning in last.warnings if warning.code == "resumed"]
    assert [message.split()[3].rstrip(":") for message in said] == [
        read(first).run_id,
        read(second).run_id,
    ]
    assert f"goes on from {read(first).run_id}" in " ".join(done.out.split())
    assert "load-4k" not in done.err
    assert stand.scratch() == []
    assert stand.ask("verify", stand.target).code == 0


def test_nothing_is_left(tmp_path: Path) -> None:
    """A record that is whole is reported again, with its exit code; nothing is run or written."""
    stand = Stand(tmp_path)
    small = ("-w", "load-4k", "--repeats", "1", "--set", "files=100", "--set", "workers=1")
    assert stand.run(*small).code == 0
    (path,) = stand.paths()
    before, record = listing(stand.target), path.read_bytes()
    done = stand.run("--resume", "last", "--json")
    assert done.code == 0, done.err
    assert f"nothing is left to measure of {path.stem}" in done.messages
    assert done.json["run"]["id"] == path.stem
    assert (stand.paths(), path.read_bytes()) == ([path], record)
    assert listing(stand.target) == before


def test_data_is_gone(tmp_path: Path) -> None:
    """Data that was removed meanwhile is written again, where a missing sample needs it."""
    stand = Stand(tmp_path)
    stopped_at(stand, "load-4k: epoch 2/2", *PHASES)
    assert stand.ask("clean", stand.target).code == 0
    done = stand.run("--resume", "last")
    assert done.code == 0, done.err
    assert "load-4k: layout" in done.err
    assert len(set(places(stand.record()))) == PLACES


def test_failed_samples_are_measured_again(tmp_path: Path) -> None:
    """A sample with a reason why it does not count is the only one that is measured again."""
    stand = Stand(tmp_path)
    small = ("-w", "load-4k", "--repeats", "3", "--set", "files=100", "--set", "workers=1")
    assert stand.run(*small).code == 0
    (path,) = stand.paths()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[2]["reasons"] = [{"code": "errors", "message": "1 operations failed"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = read(path)
    done = stand.run("--resume", path)
    assert done.code == 0, done.err
    after = read(next(other for other in stand.paths() if other != path))
    assert after.samples[:2] == (before.samples[0], before.samples[2])
    assert places(after)[2] == ("load-4k", "epoch", 1)
    assert after.samples[2].reasons == ()


def test_another_directory(tmp_path: Path) -> None:
    """Elsewhere than where it began a run does not go on, and nothing is written there."""
    stand, other = Stand(tmp_path), tmp_path / "other"
    stopped_at(stand, "load-4k: epoch 1/2", *PHASES)
    other.mkdir()
    done = stand.do("run", other, "--resume", "last")
    assert done.code == 2
    assert f"path was {stand.target} and is {other}" in done.err
    assert list(other.iterdir()) == []
    assert len(stand.paths()) == 1


@pytest.mark.mounts
@lab.requires_mounts
def test_not_mounted(tmp_path: Path) -> None:
    """Where the mount is missing, the directory below it is not taken for it."""
    with lab.tmpfs_mount(tmp_path, size=256 * lab.MIB) as mount:
        stand = Stand(tmp_path, mount.path)
        stopped_at(stand, "load-4k: epoch 1/2", *PHASES)
    os.makedirs(stand.target, exist_ok=True)
    done = stand.run("--resume", "last")
    assert done.code == 2
    assert "fstype was tmpfs and is " in done.err
    assert list(stand.target.iterdir()) == []


def test_cut_off_record(tmp_path: Path) -> None:
    """A record that was cut off in the middle of a line goes on from its last whole sample."""
    stand = Stand(tmp_path)
    stopped_at(stand, "metadata: create 2/2", *PHASES)
    (path,) = stand.paths()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:50])
    assert codes(read(path)) == ["unfinished"]
    shutil.rmtree(stand.target / "aibench-data")
    done = stand.run("--resume", path)
    assert done.code == 0, done.err
    after = read(next(other for other in stand.paths() if other != path))
    assert len(set(places(after))) == PLACES
    assert after.samples[:2] == read(path).samples[:2]
