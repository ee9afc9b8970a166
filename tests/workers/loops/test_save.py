"""Checkpoints on real files: complete, under their own names, over nobody else's."""

import os
import resource
from pathlib import Path

import pytest

from aibench.errors import TargetFailed
from aibench.formats.files import total_bytes
from aibench.model import Operation, Sizes, SyncPolicy
from tests import build
from tests.engines.files import assert_written, population, run


@pytest.mark.parametrize("sync", list(SyncPolicy))
@pytest.mark.parametrize("threads", [1, 2])
def test_a_checkpoint_holds_what_it_should(tmp_path: Path, sync: SyncPolicy, threads: int) -> None:
    """Saved shards have their names, their sizes and their bytes; nothing temporary is left."""
    files = population(30)
    phase = build.phase(
        operation=Operation.SAVE_SHARDS, population=files, sync=sync, threads=threads, io_size=8192
    )
    measured = run(phase, tmp_path)
    assert_written(tmp_path / files.directory, files)
    assert (measured.operations, measured.bytes) == (30, total_bytes(files))
    assert ("durable" in measured.timers) == (sync is not SyncPolicy.NONE)
    assert 0 < measured.timers["blocked"] <= measured.elapsed_ns


def test_a_rank_may_have_more_shards_than_open_files(tmp_path: Path) -> None:
    """Thousands of shards a rank, all open until they are synced, don't run out of descriptors."""
    files = population(400, sizes=Sizes(distribution="fixed", mean=10))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.dup(0) for _ in range(100)]  # the process has others open already
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 150, hard))
    try:
        measured = run(
            build.phase(operation=Operation.SAVE_SHARDS, population=files, processes=1), tmp_path
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)
    assert measured.operations == 400


def test_a_foreign_file_is_never_overwritten(tmp_path: Path) -> None:
    """A checkpoint is not written over what is in its place already."""
    files = population(2)
    directory = tmp_path / files.directory / "d000000"
    directory.mkdir(parents=True)
    (directory / "f0000000001.tmp").write_text("mine")
    with pytest.raises(TargetFailed, match=r"EEXIST.* at .*f0000000001"):
        run(build.phase(operation=Operation.SAVE_SHARDS, population=files), tmp_path)
    assert (directory / "f0000000001.tmp").read_text() == "mine"
