"""What holds for all tests: their order, their memory and directories; hypothesis has no clock."""

import ctypes
import gc
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

#: Machines are noisy.
settings.register_profile("aibench", deadline=None)
settings.load_profile("aibench")

_FEW_SECONDS = 3
_MARKS = ("mounts", "browser", "slow", "alone", "paced", "machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of tests that take long come first, so that short ones fill the time until all end.

    UsageError where a file does not name the marks of its tests: `scripts/test` looks for them.
    """
    seconds: Counter[object] = Counter()
    marks = defaultdict[Path, set[str]](set)
    for item in items:
        marks[item.path].update(mark.name for mark in item.iter_markers())
        slow = item.get_closest_marker("slow") or item.get_closest_marker("browser")
        if slow is not None:
            seconds[item.path] += slow.args[0] if slow.args else _FEW_SECONDS
    for path, names in marks.items():
        text = path.read_text("utf-8") if names.intersection(_MARKS) else ""
        for name in names.intersection(_MARKS):
            if f"pytest.mark.{name}" not in text:
                raise pytest.UsageError(f"{path} has to name pytest.mark.{name} itself")
    items.sort(key=lambda item: -seconds[item.path])


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was read for the tests stays: no search for garbage looks at it again."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def unused_memory() -> Iterator[None]:
    """What is kept unused goes back to the kernel: a process is forked faster without 200 MB."""
    yield
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session", autouse=True)
def spread(tmp_path_factory: pytest.TempPathFactory) -> None:
    """ext4 puts what each test writes into a block group of its own, as far as there are some.

    Without a journal it does not use an inode again within minutes of its deletion, and looks at
    all those of a group for each file that is made: tests that had nothing to do with one another
    took a third more processor time together. Elsewhere the attribute is refused, or does nothing.
    """
    with suppress(FileNotFoundError):
        top = ["chattr", "+T", str(tmp_path_factory.getbasetemp())]
        subprocess.run(top, stderr=subprocess.DEVNULL, check=False)


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What aibench keeps for the next command is kept for these tests, and beside the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
