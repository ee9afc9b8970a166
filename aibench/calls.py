"""The system calls of the hot loops, bound before the loop begins.

A backend is a bundle of functions. The loops bind them to local names once, so that a fake (the
null engine's) and the real ones cost the loop the same.
"""

import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a loop may do to the world, with the signatures of `os`.

    ``clock`` tells nanoseconds; ``begin`` is called once with the common start. Paths are bytes
    relative to the directory descriptor given as ``dir_fd``. ``push`` (descriptor, offset, length)
    has written bytes sent to the storage from now on, and waits for none of them.
    """

    clock: Callable[[], int]
    begin: Callable[[int], None]
    open: Function
    fstat: Function
    readv: Function
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


def _nothing(_start: int) -> None:
    """Real clocks need no beginning."""


def real_calls() -> Calls:
    """The kernel's system calls and its monotonic clock."""
    return Calls(
        clock=time.perf_counter_ns,
        begin=_nothing,
        open=os.open,
        fstat=os.fstat,
        readv=os.readv,
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
