"""Verification names the first wrong byte of a data set."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aibench.calls import real_calls
from aibench.formats.files import path_of, size_of, total_bytes
from aibench.workers.job import Job
from aibench.workers.loops.verify import prepare_verify
from aibench.workers.pool import run_pool
from tests import build
from tests.engines.files import population, write

FILES = population(60)


def first_wrong(directory: Path, processes: int = 3) -> tuple[int, int] | None:
    """(file index, offset) of the first wrong byte in a data set."""
    phase = build.phase(population=FILES, processes=processes)
    job = Job(phase=phase, directory=str(directory), seed=0, calls=real_calls)
    _, outcomes = run_pool(job, prepare_verify, lambda *_: None, 60 * 10**9)
    if all(outcome.wrong is None for outcome in outcomes):
        assert sum(outcome.operations for outcome in outcomes) == FILES.files
        assert sum(outcome.bytes for outcome in outcomes) == total_bytes(FILES)
    return min((outcome.wrong for outcome in outcomes if outcome.wrong), default=None)


def flip(path: Path, offset: int) -> None:
    """Turn one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 16
    path.write_bytes(data)


@pytest.mark.parametrize("processes", [1, 4])
def test_a_whole_data_set_is_right(tmp_path: Path, processes: int) -> None:
    """What was written is right to the last byte, and all of it was compared."""
    assert first_wrong(write(tmp_path, FILES), processes) is None


@pytest.mark.parametrize("processes", [1, 4])
def test_the_first_of_several_is_named(tmp_path: Path, processes: int) -> None:
    """Of several wrong bytes, the first by file and offset is named."""
    directory = write(tmp_path, FILES)
    for index in (55, 20, 41):
        flip(directory / path_of(FILES, index), size_of(FILES, index) - 1)
    assert first_wrong(directory, processes) == (20, size_of(FILES, 20) - 1)


def remove(path: Path, _size: int) -> None:
    """Take a file away."""
    path.unlink()


def shorten(path: Path, size: int) -> None:
    """Take the last byte of a file away."""
    os.truncate(path, size - 1)


def lengthen(path: Path, _size: int) -> None:
    """Add a byte to a file."""
    with path.open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    ("damage", "offset"),
    [(remove, None), (shorten, -1), (lengthen, 0)],
    ids=["gone", "shorter", "longer"],
)
def test_missing_and_surplus_bytes_are_wrong(
    tmp_path: Path, damage: Callable[[Path, int], None], offset: int | None
) -> None:
    """A file that is gone is wrong from its first byte, others where they end or should."""
    directory = write(tmp_path, FILES)
    size = size_of(FILES, 33)
    damage(directory / path_of(FILES, 33), size)
    assert first_wrong(directory) == (33, 0 if offset is None else size + offset)
