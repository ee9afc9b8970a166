"""O_DIRECT on real file systems: past the page cache, exact to the byte."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.formats.files import path_of, size_of, total_bytes
from aibench.model import CachePolicy, Operation, Population, SyncPolicy
from aibench.probes import cache
from tests import build, lab
from tests.engines.files import assert_written, population, run, write

MIB = 2**20


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def mounted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A filesystem with O_DIRECT."""
    with lab.loop_mount(tmp_path_factory.mktemp("mount"), request.param) as made:
        yield made.path


def resident(directory: Path, files: Population) -> float | None:
    """The share of the data that the page cache holds."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        return cache.residency(fd, [path_of(files, index) for index in range(files.files)]).share
    finally:
        os.close(fd)


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
@pytest.mark.parametrize("io_size", [4096, 65_536, MIB])
def test_direct_reads_pass_the_page_cache_by(mounted: Path, io_size: int) -> None:
    """With O_DIRECT, files of odd sizes are read to the byte, and nothing of them is cached."""
    files = population(40, directory=f"data/read-{io_size}")
    directory = write(mounted, files)
    fd = os.open(directory, os.O_RDONLY)
    cache.evict(fd, [path_of(files, index) for index in range(40)], allow_drop=False)
    os.close(fd)
    phase = build.phase(population=files, cache=CachePolicy.DIRECT, io_size=io_size, threads=2)
    assert run(phase, mounted).bytes == total_bytes(files)
    assert resident(directory, files) == 0
    assert run(replace(phase, cache=CachePolicy.AS_FOUND), mounted).bytes == total_bytes(files)
    assert resident(directory, files) == 1


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
@pytest.mark.parametrize("io_size", [4096, 5000, 65_536])
def test_direct_saves_pass_the_page_cache_by(mounted: Path, io_size: int) -> None:
    """With O_DIRECT, shards of odd sizes have their exact size and bytes, and are not cached."""
    files = population(20, directory=f"scratch/save-{io_size}")
    phase = build.phase(
        operation=Operation.SAVE_SHARDS, population=files, cache=CachePolicy.DIRECT,
        sync=SyncPolicy.COMMIT, io_size=io_size,
    )  # fmt: skip
    measured = run(phase, mounted)
    assert measured.bytes == total_bytes(files)
    assert any(size_of(files, index) % 4096 for index in range(files.files))
    share = resident(mounted / files.directory, files)
    assert share is not None
    assert share < 0.2  # the last block, cut to its size, may go through memory
    assert_written(mounted / files.directory, files)
