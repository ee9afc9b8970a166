"""Files read whole, one after the other: the innermost loop, compiled where it could be.

`reading_by` makes the loop in Python of any calls. `_reading.c` has the same of the kernel's calls,
and once more without any, which is to the first what fakes are to the loop in Python.
"""

import posix
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

#: The number of the promise that `ReadFiles` is; `_reading.c` has the one it was built with.
PROMISE = 1

_Function = Callable[..., Any]


class ReadFiles(Protocol):
    """Reads files whole and stores when; see `__call__`."""

    def __call__(
        self,
        root: int,
        flags: int,
        look: bool,
        names: list[bytes],
        sizes: list[int],
        into: tuple[Any, ...],
        first: int,
        alarm: int,
        /,
    ) -> tuple[int, int, int]:
        """Read the files from the ``first`` of ``names`` on: (place of the next one, -1, 0).

        Each is opened relative to the directory ``root``, looked at by fstat where ``look`` says
        so, read once into the buffer, which is the first of ``into``, and closed. The other four of
        ``into`` are arrays of int64, which get at its place the clock's readings in ns: before all
        that, when it was open, read, and closed. After the first file whose last reading is at
        ``alarm`` or past it nothing more is read.

        It also comes back at a file of which not as many bytes came as ``sizes`` says: (its place,
        its descriptor, which stays open, the bytes that came); the first two readings are stored.
        An OSError has the file as its ``filename``; that file is not left open.
        """


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled loop, and the calls that it stands for: clock, open, fstat, readv, close."""

    read_files: ReadFiles
    calls: tuple[_Function, ...]


def reading_by(
    clock: Callable[[], int], open_: _Function, fstat: _Function, readv: _Function, close: _Function
) -> ReadFiles:
    """The loop in Python, over any calls with the signatures of `os`."""

    def read_files(
        root: int, flags: int, look: bool, names: list[bytes], sizes: list[int],
        into: tuple[Any, ...], first: int, alarm: int, /,
    ) -> tuple[int, int, int]:  # fmt: skip
        buffer, opening, opened, got, closed = into
        buffers, see = [buffer], fstat if look else bool  # bool: next to no time
        for k in range(first, len(names)):
            name = names[k]
            try:
                t0 = clock()
                fd = open_(name, flags, dir_fd=root)
                try:
                    see(fd)
                    t1 = clock()
                    count = readv(fd, buffers)
                except BaseException:
                    close(fd)
                    raise
                if count != sizes[k]:
                    opening[k], opened[k] = t0, t1
                    return k, fd, count
                t2 = clock()
                close(fd)
            except OSError as error:
                error.filename = name
                raise
            t3 = clock()
            opening[k] = t0
            opened[k] = t1
            got[k] = t2
            closed[k] = t3
            if t3 >= alarm:
                return k + 1, -1, 0
        return len(names), -1, 0

    return read_files


def _library() -> tuple[ModuleType | None, str]:
    """What was compiled, or why it is not to be had."""
    try:
        found = import_module("aibench._reading")
    except ModuleNotFoundError:
        return None, "nothing was compiled when aibench was installed"
    except ImportError as error:
        return None, str(error)
    if getattr(found, "PROMISE", None) != PROMISE:
        return None, f"{found.__file__} was built from another source"
    return found, ""


#: What was compiled when aibench was installed, and why that is not there where it is None.
LIBRARY, MISSING = _library()
#: How files are read whole here, as records say it.
LOOPS = "compiled" if LIBRARY else "Python"
#: What the compiled loop does the same as: these themselves, whatever `os` may be made to call.
_KERNEL = (time.perf_counter_ns, posix.open, posix.fstat, posix.readv, posix.close)


def with_loops(version: str) -> str:
    """The version of an engine with what else decides how fast its loops are."""
    return f"{version}, compiled loops" if LIBRARY else version


def compiled_reading() -> Compiled | None:
    """The compiled loop over the kernel's calls, where there is one."""
    return Compiled(LIBRARY.read_files, _KERNEL) if LIBRARY else None
