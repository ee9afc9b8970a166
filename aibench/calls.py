"""The system calls of the hot loops, bound before the loop begins.

A backend is a bundle of functions. The loops bind them to local names once, so that a fake (the
null engine's) and the real ones cost the loop the same.
"""

import ctypes
import fcntl
import mmap
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a loop may do to the world, with the signatures of `os`.

    ``clock`` tells nanoseconds; ``begin`` is called once with the common start. Paths are bytes
    relative to the directory descriptor given as ``dir_fd``. ``push`` (descriptor, offset, length)
    has written bytes sent to the storage from now on, and waits for none of them. ``pread``
    (descriptor, buffers, offset) is preadv(2). ``map`` (descriptor, length, shared) maps a file for
    reading, ``touch`` (mapping, offset, length) reads a byte of each of its pages there, as a
    program that uses them does, and ``unmap`` ends it.
    """

    clock: Callable[[], int]
    begin: Callable[[int], None]
    open: Function
    fstat: Function
    isatty: Function
    lseek: Function
    fadvise: Function
    flock: Function
    readv: Function
    pread: Function
    map: Function
    touch: Function
    unmap: Function
    write: Function
    push: Function
    fsync: Function
    close: Function
    ftruncate: Function
    stat: Function
    listdir: Function
    mkdir: Function
    rename: Function
    unlink: Function


_LIBC = ctypes.CDLL(None)
_LIBC.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_SYNC_FILE_RANGE_WRITE = 2


def _push(fd: int, offset: int, length: int) -> None:
    """See sync_file_range(2). Where it is not to be had nothing is lost: a sync follows anyway."""
    _LIBC.sync_file_range(fd, offset, length, _SYNC_FILE_RANGE_WRITE)


def _map(fd: int, length: int, shared: bool) -> memoryview:
    """See mmap(2): the whole file, for reading."""
    flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
    return memoryview(mmap.mmap(fd, length, flags=flags, prot=mmap.PROT_READ))


def _touch(mapped: memoryview, offset: int, length: int) -> None:
    """Have the pages of a part of a mapping read, each by a fault where it is not there."""
    first = offset - offset % mmap.PAGESIZE
    sum(mapped[first : offset + length : mmap.PAGESIZE])


def _unmap(mapped: memoryview) -> None:
    """See munmap(2)."""
    whole = cast("mmap.mmap", mapped.obj)
    mapped.release()
    whole.close()


def _nothing(_start: int) -> None:
    """Real clocks need no beginning."""


def real_calls() -> Calls:
    """The kernel's system calls and its monotonic clock."""
    return Calls(
        clock=time.perf_counter_ns,
        begin=_nothing,
        open=os.open,
        fstat=os.fstat,
        isatty=os.isatty,
        lseek=os.lseek,
        fadvise=os.posix_fadvise,
        flock=fcntl.flock,
        readv=os.readv,
        pread=os.preadv,
        map=_map,
        touch=_touch,
        unmap=_unmap,
        write=os.write,
        push=_push,
        fsync=os.fsync,
        close=os.close,
        ftruncate=os.ftruncate,
        stat=os.stat,
        listdir=os.listdir,
        mkdir=os.mkdir,
        rename=os.rename,
        unlink=os.unlink,
    )
