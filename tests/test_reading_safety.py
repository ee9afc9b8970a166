"""The loop over plain files, disturbed: wrong arguments, signals, threads, memory."""

import gc
import os
import signal
import sys
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aibench.reading import LIBRARY, ReadFiles
from aibench.workers.loops.common import FOREVER
from tests.files_read import (
    COMPILED,
    FLAGS,
    ROOM,
    both,
    opened,
    read,
    requires_library,
    stamps,
    written,
)


def valid(root: int) -> dict[str, Any]:
    """Arguments that are right, in their order."""
    return {
        "root": root, "flags": FLAGS, "look": True, "names": [b"f0000000000"] * 3,
        "sizes": [5, 5, 5], "into": (memoryview(bytearray(ROOM)), *stamps(3)), "first": 0,
        "alarm": FOREVER,
    }  # fmt: skip


def among(number: int, other: object) -> Callable[[], Any]:
    """What is filled, with ``other`` in the place of one part."""

    def into() -> tuple[Any, ...]:
        right = (memoryview(bytearray(ROOM)), *stamps(3))
        return (*right[:number], other, *right[number + 1 :])

    return into


WRONG: list[tuple[str, Any]] = [
    ("root", "0"), ("root", 2**31), ("root", None), ("flags", 1.5), ("flags", 2**40),
    ("names", (b"a",) * 3), ("names", ["a"] * 3), ("names", [b"f0000000000", b"a\0b", b"c"]),
    ("names", [b"f0000000000"] * 2), ("names", [b"f0000000000"] * 4), ("names", None),
    ("sizes", array("q", [5, 5, 5])), ("sizes", [5, 5.0, 5]), ("sizes", [5, None, 5]),
    ("sizes", [5, 2**63, 5]), ("sizes", [5, 5]), ("first", -1), ("first", 4), ("first", 2**70),
    ("first", None), ("alarm", 2**63), ("alarm", "x"), ("into", []), ("into", ()),
    ("into", among(0, bytes(ROOM))), ("into", among(0, None)),
    ("into", among(0, memoryview(bytearray(2 * ROOM))[::2])),
    ("into", among(1, bytes(24))), ("into", among(1, bytearray(24))),
    ("into", among(2, array("d", [0.0] * 3))), ("into", among(2, array("i", [0] * 6))),
    ("into", among(3, array("q", [0] * 2))), ("into", among(4, array("Q", [0] * 3))),
    ("into", among(4, memoryview(array("q", [0] * 6))[::2])),
    ("into", among(4, memoryview(bytearray(32))[1:25].cast("q"))),
    ("into", among(4, memoryview(array("q", [0] * 3)).toreadonly())), ("into", among(5, None)),
]  # fmt: skip


@requires_library
@pytest.mark.parametrize("name", ["read_files", "dry_files"])
@pytest.mark.parametrize(("which", "wrong"), WRONG)
def test_wrong_arguments_are_errors(tmp_path: Path, name: str, which: str, wrong: Any) -> None:
    """The compiled loop refuses what it can't work with and leaves no file open."""
    written(tmp_path, [5])
    wrong = wrong() if callable(wrong) else wrong
    with opened(tmp_path) as root:
        arguments = valid(root) | {which: wrong}
        with pytest.raises((TypeError, ValueError, OverflowError, BufferError)):
            getattr(LIBRARY, name)(*arguments.values())
    with pytest.raises(TypeError):
        getattr(LIBRARY, name)(*list(arguments.values())[:-1])


@requires_library
def test_nothing_is_held_afterwards(tmp_path: Path) -> None:
    """Names have as many references after a call as before, and buffers can be resized again."""
    names = written(tmp_path, [5] * 200)
    names[150] = b"missing"
    into = (bytearray(ROOM), *stamps(200))
    counts = [sys.getrefcount(name) for name in names]
    with opened(tmp_path) as root:
        assert COMPILED(root, FLAGS, False, names[:100], [5] * 100, into, 0, FOREVER)[0] == 100
        with pytest.raises(FileNotFoundError):
            COMPILED(root, FLAGS, False, names, [5] * 200, into, 0, FOREVER)
        with pytest.raises(TypeError):
            COMPILED(root, FLAGS, False, [*names[:70], None], [5] * 71, into, 0, FOREVER)
    assert [sys.getrefcount(name) for name in names] == counts
    for each in into:
        each.extend(each)


@requires_library
def test_no_memory_is_lost(tmp_path: Path) -> None:
    """After thousands of calls that end in each of the ways no more objects are alive."""
    names = [*written(tmp_path, [5] * 70), b"missing"]
    into = (memoryview(bytearray(ROOM)), *stamps(71))

    def often(times: int) -> int:
        for _ in range(times):
            COMPILED(root, FLAGS, False, names, [5] * 71, into, 68, 0)
            with pytest.raises(FileNotFoundError):
                COMPILED(root, FLAGS, False, names, [5] * 71, into, 68, FOREVER)
            with pytest.raises(ValueError, match="int64"):
                COMPILED(root, FLAGS, False, names, [5] * 71, (*into[:4], array("q")), 0, 0)
        gc.collect()
        return sys.getallocatedblocks()

    with opened(tmp_path) as root:
        few = often(100)
        assert often(5000) < few + 1000


class Pipe:
    """A pipe with a name at whose end a thread does something; signals come until it was heard."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "pipe"
        os.mkfifo(self.path)
        self.heard: list[str] = []
        self.stage = "open"

    def handler(self, *_: object) -> None:
        """What runs in Python for each signal."""
        self.heard.append(self.stage)

    def disturb(self, stage: str) -> None:
        """Send signals until three handlers have run while the loop is in ``stage``."""
        self.stage = stage
        until = time.monotonic() + 20
        while self.heard.count(stage) < 3 and time.monotonic() < until:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            time.sleep(0.01)

    def feed(self) -> None:
        """Disturb the loop while it opens and while it reads; then let it go on."""
        self.disturb("open")
        with self.path.open("wb", buffering=0) as end:
            self.disturb("read")
            end.write(b"12345")


@both
def test_signals_are_heard_while_it_waits(read_files: ReadFiles, tmp_path: Path) -> None:
    """Handlers run while a file is opened and read, which then goes on (PEP 475)."""
    names = written(tmp_path, [5])
    pipe = Pipe(tmp_path)
    before = signal.signal(signal.SIGUSR1, pipe.handler)
    other = threading.Thread(target=pipe.feed, daemon=True)
    try:
        with opened(tmp_path) as root:
            other.start()
            said, *_ = read(read_files, root, [*names, b"pipe", *names], [5, 5, 5])
            other.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert said == (3, -1, 0)
    assert pipe.heard.count("open") >= 3
    assert pipe.heard.count("read") >= 3


class Enough(Exception):
    """What a handler raises."""


@both
@pytest.mark.parametrize("writers", [0, 1])
def test_a_handler_may_end_it(read_files: ReadFiles, tmp_path: Path, writers: int) -> None:
    """What a handler raises ends the loop, in opening and in reading, and leaves nothing open."""
    os.mkfifo(tmp_path / "pipe")
    over = threading.Event()

    def handler(*_: object) -> None:
        over.set()
        raise Enough

    def end_it() -> None:
        until = time.monotonic() + 20
        while not over.wait(0.05) and time.monotonic() < until:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    other = threading.Thread(target=end_it, daemon=True)
    held = [os.open(tmp_path / "pipe", os.O_RDWR) for _ in range(writers)]
    other.start()
    try:
        with opened(tmp_path) as root, pytest.raises(Enough):
            read(read_files, root, [b"pipe"], [5])
        other.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
        for fd in held:
            os.close(fd)


@both
def test_other_threads_go_on(read_files: ReadFiles, tmp_path: Path) -> None:
    """While a file keeps the loop waiting, other threads run: here the one that writes it."""
    os.mkfifo(tmp_path / "pipe")
    said: list[Any] = []
    with opened(tmp_path) as root:
        reader = threading.Thread(
            target=lambda: said.append(read(read_files, root, [b"pipe"], [5])[0]),
            daemon=True,
        )
        reader.start()
        end = os.open(tmp_path / "pipe", os.O_WRONLY)
        os.write(end, b"12345")
        os.close(end)
        reader.join()
    assert said == [(1, -1, 0)]


@requires_library
def test_lists_may_shrink_meanwhile(tmp_path: Path) -> None:
    """A thread that empties the lists while files are read brings an IndexError, no crash."""
    names, sizes = written(tmp_path, [5] * 200), [5] * 200
    (tmp_path / names[10].decode()).unlink()
    os.mkfifo(tmp_path / names[10].decode())
    found: list[BaseException] = []

    def reads() -> None:
        try:
            read(COMPILED, root, names, sizes)
        except IndexError as error:
            found.append(error)

    with opened(tmp_path) as root:
        reader = threading.Thread(target=reads, daemon=True)
        reader.start()
        end = os.open(tmp_path / names[10].decode(), os.O_WRONLY)
        names.clear()
        sizes.clear()
        os.write(end, b"12345")
        os.close(end)
        reader.join()
    assert len(found) == 1
