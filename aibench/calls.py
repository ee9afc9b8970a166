"""The system calls of the hot loops, bound before the loop begins.

A backend is a bundle of functions. The loops bind them to local names once, so that a fake (the
null engine's) and the real ones cost the loop the same.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from aibench.aio import pread_each
from aibench.reading import Compiled, ReadFiles, compiled_reading, reading_by

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a loop may do to the world, with the signatures of `os`.

    ``clock`` tells nanoseconds, ``wait`` returns when the clock has come to a time; ``begin`` is
    called once with the common start. ``burn`` spends so many nanoseconds of one core, whatever
    else keeps it busy; called with 0 before, it is calibrated then. Paths are bytes relative to the
    directory descriptor given as ``dir_fd``. ``push`` (descriptor, offset, length) has written
    bytes sent to the storage from now on, and waits for none of them. ``pread`` (descriptor,
    buffers, offset) is preadv(2), ``pread_each`` several of
    them at once (`aio`). ``map`` (descriptor, length, shared) maps a file for reading,
    ``touch`` (mapping, offset, length) reads a byte of each of its pages there, as a program that
    uses them does, and ``unmap`` ends it. ``lock`` (descriptor, whether to hold it) waits for a
    lock on an open file, or lets go of it.

    ``read_files`` reads many files whole (`reading.ReadFiles`), by the calls that are here: as
    ``compiled``, where that stands for exactly these, else by calling them one by one. Who
    replaces one of them need not think of it.
    """

    clock: Callable[[], int]
    wait: Callable[[int], None]
    burn: Callable[[int], None]
    begin: Callable[[int], None]
    open: Function
    fstat: Function
    isatty: Function
    lseek: Function
    fadvise: Function
    flock: Function
    lock: Function
    readv: Function
    pread: Function
    pread_each: Function
    map: Function
    touch: Function
    unmap: Function
    write: Function
    writev: Function
    push: Function
    fsync: Function
    close: Function
    ftruncate: Function
    stat: Function
    listdir: Function
    mkdir: Function
    rename: Function
    link: Function
    unlink: Function
    rmdir: Function
    compiled: Compiled | None = None
    read_files: ReadFiles = field(init=False)

    def __post_init__(self) -> None:
        own = (self.clock, self.open, self.fstat, self.readv, self.close)
        compiled = self.compiled if self.compiled and self.compiled.calls == own else None
        found = compiled.read_files if compiled else reading_by(*own)
        object.__setattr__(self, "read_files", found)


_LIBC = ctypes.CDLL(None)
_LIBC.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_SYNC_FILE_RANGE_WRITE = 2
#: How late a sleep may end: timer slack (50 µs) and the way back onto a processor.
_SPUN_NS = 80_000
#: What is burned at once, small enough for any cache, and how often that is timed.
_BURNED, _TRIES = memoryview(bytes(2**16)), 20


def _push(fd: int, offset: int, length: int) -> None:
    """See sync_file_range(2). Where it is not to be had nothing is lost: a sync follows anyway."""
    _LIBC.sync_file_range(fd, offset, length, _SYNC_FILE_RANGE_WRITE)


def _map(fd: int, length: int, shared: bool) -> memoryview:
    """See mmap(2): the whole file, for reading."""
    flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
    try:
        return memoryview(mmap.mmap(fd, length, flags=flags, prot=mmap.PROT_READ))
    except ValueError as error:  # Python looks at the size first
        raise OSError(errno.EIO, "it is shorter than it was written") from error


def _touch(mapped: memoryview, offset: int, length: int) -> None:
    """Have the pages of a part of a mapping read, each by a fault where it is not there."""
    first = offset - offset % mmap.PAGESIZE
    sum(mapped[first : offset + length : mmap.PAGESIZE])


def _unmap(mapped: memoryview) -> None:
    """See munmap(2)."""
    whole = cast("mmap.mmap", mapped.obj)
    mapped.release()
    whole.close()


def _lock(fd: int, held: bool) -> None:
    """See fcntl(2): an exclusive lock of the open file description (OFD) on the whole file."""
    kind = fcntl.F_WRLCK if held else fcntl.F_UNLCK
    how = fcntl.F_OFD_SETLKW if held else fcntl.F_OFD_SETLK
    fcntl.fcntl(fd, how, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))


def wait_until(until: int) -> None:
    """Sleep up to the last stretch that a sleep may miss, then look at the clock."""
    while (left := until - time.perf_counter_ns()) > 0:
        if left > _SPUN_NS:
            time.sleep((left - _SPUN_NS) / 1e9)


@lru_cache(maxsize=1)
def _bytes_per_ns() -> float:
    """How fast one core makes a checksum when nobody disturbs it."""
    took = []
    for _ in range(_TRIES):
        before = time.perf_counter_ns()
        zlib.crc32(_BURNED)
        took.append(time.perf_counter_ns() - before)
    return len(_BURNED) / min(took)


def burn(nanoseconds: int) -> None:
    """Make checksums for so long as one core of its own takes; other threads go on meanwhile."""
    left = int(nanoseconds * _bytes_per_ns())
    while left > 0:
        zlib.crc32(_BURNED[:left])
        left -= len(_BURNED)


def _nothing(_start: int) -> None:
    """Real clocks need no beginning."""


def real_calls() -> Calls:
    """The kernel's system calls and its monotonic clock."""
    return Calls(
        clock=time.perf_counter_ns,
        wait=wait_until,
        burn=burn,
        begin=_nothing,
        open=os.open,
        fstat=os.fstat,
        isatty=os.isatty,
        lseek=os.lseek,
        fadvise=os.posix_fadvise,
        flock=fcntl.flock,
        lock=_lock,
        readv=os.readv,
        pread=os.preadv,
        pread_each=pread_each,
        map=_map,
        touch=_touch,
        unmap=_unmap,
        write=os.write,
        writev=os.writev,
        push=_push,
        fsync=os.fsync,
        close=os.close,
        ftruncate=os.ftruncate,
        stat=os.stat,
        listdir=os.listdir,
        mkdir=os.mkdir,
        rename=os.rename,
        link=os.link,
        unlink=os.unlink,
        rmdir=os.rmdir,
        compiled=compiled_reading(),
    )
