"""Several reads at once from one thread, by the kernel's asynchronous I/O (io_submit(2)).

What DiskANN uses. It is asynchronous for direct I/O; through the page cache the kernel does one
read after the other. Called without libaio, which need not be installed.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Sequence
from functools import lru_cache

#: io_setup, io_submit, io_getevents: those of 64-bit x86, and those that all newer machines share.
_X86, _OTHERS = (206, 209, 208), (0, 2, 4)
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
_READ = 0


class _Request(ctypes.Structure):
    """``struct iocb`` of linux/aio_abi.h, on machines with little-endian numbers."""

    _fields_ = (
        ("data", ctypes.c_uint64), ("key", ctypes.c_uint32), ("rw_flags", ctypes.c_uint32),
        ("opcode", ctypes.c_uint16), ("priority", ctypes.c_int16), ("fd", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64), ("count", ctypes.c_uint64), ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("event_fd", ctypes.c_uint32),
    )  # fmt: skip


class _Event(ctypes.Structure):
    """``struct io_event``."""

    _fields_ = (
        ("data", ctypes.c_uint64), ("request", ctypes.c_uint64),
        ("result", ctypes.c_int64), ("result2", ctypes.c_int64),
    )  # fmt: skip


def _call(number: int, *arguments: object) -> int:
    while (result := int(_LIBC.syscall(ctypes.c_long(number), *arguments))) < 0:
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
    return result


class _Queue:
    """A context for up to ``depth`` reads at once, of one process and thread."""

    def __init__(self, depth: int) -> None:
        setup, self._submit, self._events = _X86 if platform.machine() == "x86_64" else _OTHERS
        context = ctypes.c_ulong(0)
        _call(setup, ctypes.c_uint(depth), ctypes.byref(context))
        self._context = context
        self._requests = (_Request * depth)()
        self._pointers = (ctypes.POINTER(_Request) * depth)(
            *(ctypes.pointer(each) for each in self._requests)
        )
        self._done = (_Event * depth)()

    def read(self, fd: int, address: int, size: int, offsets: Sequence[int]) -> int:
        count = len(offsets)
        for number, offset in enumerate(offsets):
            request = self._requests[number]
            request.opcode, request.fd, request.count = _READ, fd, size
            request.buffer, request.offset = address + number * size, offset
        sent = 0
        while sent < count:
            there = ctypes.byref(self._pointers, sent * ctypes.sizeof(ctypes.c_void_p))
            sent += _call(self._submit, self._context, ctypes.c_long(count - sent), there)
        ended = total = failed = 0
        while ended < count:
            left = ctypes.c_long(count - ended)
            came = _call(self._events, self._context, left, left, self._done, None)
            for event in self._done[:came]:
                total += max(event.result, 0)
                failed = failed or min(event.result, 0)
            ended += came
        if failed:
            raise OSError(-failed, os.strerror(-failed))
        return total


@lru_cache(maxsize=8)
def _queue(_process: int, depth: int) -> _Queue:
    return _Queue(depth)


def pread_each(fd: int, memory: memoryview, size: int, offsets: Sequence[int]) -> int:
    """Read ``size`` bytes at each of ``offsets``, all at once, into ``memory``; how many came.

    The first error of any of them, when all have ended.
    """
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return _queue(os.getpid(), len(offsets)).read(fd, address, size, offsets)
