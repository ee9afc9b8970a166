"""Everything but the I/O: measures the harness itself, or obeys given latencies exactly.

With nothing given it runs as fast as the harness can: the ceiling of what any target could show.
With a latency for each call, or a bandwidth for each thread of control, time is virtual: each call
moves a clock of its own and nothing sleeps, so that every figure can be computed by hand.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from aibench import __version__
from aibench.calls import Calls, Function, burn, wait_until
from aibench.engine import Report, Site
from aibench.engines.pooled import measure
from aibench.formats.draws import size_salt
from aibench.formats.files import size_of, sizes_of_classes
from aibench.formats.mixing import mix_one
from aibench.model import Measurement, Operation, Phase, Population, Target
from aibench.reading import LIBRARY, Compiled, with_loops
from aibench.workers.loops import LOOPS

_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long calls take: ``latency_ns`` by the name of the call, in virtual nanoseconds.

    Bytes move at ``bandwidth`` bytes per second in each thread of control; 0 means in no time.
    """

    latency_ns: dict[str, int] = field(default_factory=dict)
    bandwidth: int = 0

    @property
    def virtual(self) -> bool:
        """Whether time is virtual."""
        return bool(self.latency_ns) or self.bandwidth > 0


class _Fake:
    """A file system that holds nothing and knows every size."""

    def __init__(
        self, population: Population, pace: Pace, beside: Population | None = None
    ) -> None:
        self._pace, self._beside = pace, beside
        self._now = 0
        self._left = self._size = 0
        self._sizes = [_size_lookup(each) for each in (population, beside) if each]

    def tick(self, call: str, moved: int = 0) -> None:
        self._now += self._pace.latency_ns.get(call, 0)
        if self._pace.bandwidth:
            self._now += moved * 10**9 // self._pace.bandwidth

    def clock(self) -> int:
        return self._now

    def wait(self, until: int) -> None:
        self._now = max(self._now, until)

    def burn(self, nanoseconds: int) -> None:
        self._now += nanoseconds

    def begin(self, start: int) -> None:
        self._now = start

    def open(self, path: bytes, *_args: Any, dir_fd: int = 0, **_kwargs: Any) -> int:
        self.tick("open")
        if path[-11:-10] == b"f" and path[:1] == b"d":
            self._left = self._size = self._sizes[dir_fd](int(path[-10:]))
            return 0
        return _directory_of(path, self._beside)

    def lseek(self, _fd: int, offset: int, whence: int) -> int:
        self.tick("lseek")
        if whence != os.SEEK_CUR:
            self._left = self._size - offset if whence == os.SEEK_SET else -offset
        return self._size - self._left

    def pread(self, _fd: int, buffers: list[memoryview], offset: int) -> int:
        count = max(min(self._size - offset, len(buffers[0])), 0)
        self.tick("read", count)
        return count

    def pread_each(self, _fd: int, _memory: memoryview, size: int, offsets: list[int]) -> int:
        """All at once: the latency of one."""
        self.tick("read", size * len(offsets))
        return size * len(offsets)

    def touch(self, _mapped: object, _offset: int, length: int) -> None:
        self.tick("touch", length)

    def readv(self, _fd: int, buffers: list[memoryview]) -> int:
        count = min(self._left, len(buffers[0]))
        self._left -= count
        self.tick("read", count)
        return count

    def write(self, _fd: int, data: memoryview) -> int:
        self.tick("write", len(data))
        return len(data)

    def writev(self, _fd: int, buffers: list[memoryview]) -> int:
        count = sum(map(len, buffers))
        self.tick("write", count)
        return count

    def call(self, name: str) -> Callable[..., Any]:
        def fake(*_args: Any, **_kwargs: Any) -> None:
            self.tick(name)

        return fake

    def calls(self) -> Calls:
        return Calls(
            clock=self.clock, wait=self.wait, burn=self.burn, begin=self.begin, open=self.open,
            readv=self.readv,
            pread=self.pread, pread_each=self.pread_each, lseek=self.lseek, touch=self.touch,
            map=self.call("map"),
            unmap=self.call("unmap"), isatty=self.call("isatty"), flock=self.call("flock"),
            lock=self.call("lock"),
            fadvise=self.call("fadvise"),
            write=self.write, listdir=self.call("listdir"), fstat=self.call("fstat"),
            fsync=self.call("fsync"), close=self.call("close"), stat=self.call("stat"),
            push=self.call("push"), ftruncate=self.call("ftruncate"), mkdir=self.call("mkdir"),
            rename=self.call("rename"), unlink=self.call("unlink"),
            writev=self.writev, rmdir=self.call("rmdir"), link=self.call("link"),
        )  # fmt: skip


def _size_lookup(population: Population) -> Callable[[int], int]:
    """Sizes as `formats.files` gives them, by plain integers: one call a file, no array."""
    if population.samples_per_file > 1:
        return lru_cache(maxsize=1024)(partial(size_of, population))
    if population.format == "files" and population.sizes.distribution == "fixed":
        size = population.sizes.mean
        return lambda _index: size
    table: list[int] = sizes_of_classes(population).tolist()
    if population.sizes.distribution == "listed":
        return table.__getitem__
    start = size_salt(population)
    return lambda index: table[mix_one((start + index) & _MASK) >> 52]


def _directory_of(path: bytes, beside: Population | None) -> int:
    """The descriptor of what was opened: 1 for the directory of the other data, else 0."""
    return int(beside is not None and path.endswith(beside.directory.encode()))


def _all_at_once(_fd: int, _memory: memoryview, size: int, offsets: list[int]) -> int:
    """Several reads, all of which come whole."""
    return size * len(offsets)


def _dry(clock: Function, open_: Function, *others: Function) -> Compiled | None:
    """The compiled loop that makes none of these calls, where there is one."""
    if (library := LIBRARY) is None:
        return None
    _fstat, readv, _close = others

    def dry_files(*arguments: Any) -> tuple[int, int, int]:
        place, fd, count = library.dry_files(*arguments)
        if fd >= 0:  # it is larger than the buffer, and read on by the calls
            root, _flags, _look, names, _sizes, into, *_rest = arguments
            readv(open_(names[place], dir_fd=root), into[:1])
        return place, fd, count

    return Compiled(dry_files, (clock, open_, *others))


def _instant_calls(population: Population, beside: Population | None = None) -> Calls:
    """Calls that take no time and do nothing, under the real clock; to wait and to burn is real."""
    lookups = [_size_lookup(each) for each in (population, beside) if each]
    left = size = 0

    def open_(path: bytes, *_args: Any, dir_fd: int = 0, **_kwargs: Any) -> int:
        nonlocal left, size
        if path[-11:-10] == b"f" and path[:1] == b"d":
            left = size = lookups[dir_fd](int(path[-10:]))
            return 0
        return _directory_of(path, beside)

    def lseek(_fd: int, offset: int, whence: int) -> int:
        nonlocal left
        if whence != os.SEEK_CUR:
            left = size - offset if whence == os.SEEK_SET else -offset
        return size - left

    def pread(_fd: int, buffers: list[memoryview], offset: int) -> int:
        return max(min(size - offset, len(buffers[0])), 0)

    def readv(_fd: int, buffers: list[memoryview]) -> int:
        nonlocal left
        count = min(left, len(buffers[0]))
        left -= count
        return count

    def write(_fd: int, data: memoryview) -> int:
        return len(data)

    def writev(_fd: int, buffers: list[memoryview]) -> int:
        return sum(map(len, buffers))

    def nothing(*_args: Any, **_kwargs: Any) -> None:
        return None

    return Calls(
        clock=time.perf_counter_ns, wait=wait_until, burn=burn, begin=nothing, open=open_,
        compiled=_dry(time.perf_counter_ns, open_, nothing, readv, nothing),
        readv=readv, write=write,
        pread=pread, pread_each=_all_at_once, lseek=lseek, touch=nothing,
        map=nothing, unmap=nothing, isatty=nothing,
        flock=nothing, fadvise=nothing, lock=nothing,
        listdir=nothing, fstat=nothing, fsync=nothing, close=nothing, stat=nothing,
        push=nothing, ftruncate=nothing, mkdir=nothing, rename=nothing, unlink=nothing,
        writev=writev, rmdir=nothing, link=nothing,
    )  # fmt: skip


class NullEngine:
    """Does everything but the I/O."""

    name = "null"

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()

    def version(self) -> str | None:
        """The version of aibench, whose harness this measures."""
        return with_loops(__version__)

    def refusal(self, phase: Phase, target: Target) -> str | None:
        """Why this engine can't do ``phase``: only what no loop of ours does."""
        del target
        if phase.operation is Operation.COMPARE:
            return "engine null keeps nothing to be compared; --set verify=false leaves that out"
        if phase.operation in LOOPS:
            return None
        return f"engine null can't do {phase.operation.value}; fio has a null engine of its own"

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Do ``phase`` with no I/O behind it."""
        population = phase.population
        dataset = phase.resume.dataset if phase.resume else None
        beside = dataset.population if dataset else None

        def calls() -> Calls:
            if self._pace.virtual:
                return _Fake(population, self._pace, beside).calls()
            return _instant_calls(population, beside)

        def calls_beside(other: Phase) -> Calls:
            if self._pace.virtual:
                return _Fake(other.population, self._pace).calls()
            return _instant_calls(other.population)

        return measure(phase, site, report, calls, directory=os.sep, calls_beside=calls_beside)
