"""Memory that ranks have shared is removed where a launch could not have its own."""

import mmap
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.labs import memory


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Path]:
    """A place in memory by the name of a segment of MPI."""
    path = memory.SHARED / f"sm_segment.{os.getpid()}.{tmp_path.name}"
    yield path
    path.unlink(missing_ok=True)


def test_segments_of_nobody_are_removed(segment: Path) -> None:
    """What no process has open or mapped any more goes by its name, and nothing else does."""
    since_s = time.time() - 1
    other = segment.with_name(f"aibench-{segment.name}")
    with ExitStack() as left:
        left.callback(other.unlink)
        other.touch()
        with segment.open("xb+") as file:
            file.truncate(mmap.PAGESIZE)
            memory.remove_left(since_s)
            assert segment.exists()
            mapped = mmap.mmap(file.fileno(), 0)
        memory.remove_left(since_s)
        assert segment in memory.mapped(os.getpid())
        assert segment.exists()
        mapped.close()
        memory.remove_left(time.time() + 60)
        assert segment.exists()
        memory.remove_left(since_s)
        assert not segment.exists()
        assert other.exists()


def test_what_lies_in_memory_is_seen() -> None:
    """A launch that works in memory itself keeps it, with a place for its temporary files."""
    place = memory.SHARED / "some" / "run"
    assert str(place) in memory.why_shared(place)
    assert memory.own(place) == ("env", f"TMPDIR={place}")
