"""How much a library moves, told by the kernel while the library tells nothing."""

import os
import threading
import time
from collections.abc import Callable
from typing import Self

from aibench.workers.job import Progress
from aibench.workers.log import Intervals

_EVERY_S = 0.05


class Calls:
    """The bytes that this process moved by calls, of files and of all else (proc_pid_io(5)).

    ``field`` is ``rchar`` for what was read, ``wchar`` for what was written; of the ``thread`` that
    asks alone, or of all.
    """

    def __init__(self, field: str, *, thread: bool = False) -> None:
        self._field = f"{field}:".encode()
        self._path = "/proc/thread-self/io" if thread else "/proc/self/io"
        self._own = 0

    def __enter__(self) -> Self:
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def bytes(self) -> int:
        """All so far, less what this counter itself read."""
        text = os.pread(self._fd, 512, 0)
        found = int(text[text.index(self._field) + len(self._field) :].split(None, 1)[0])
        if self._field == b"rchar:":
            found -= self._own
            self._own += len(text)
        return found


class Beat:
    """Tells the parent now and then how many bytes have ``moved``, and makes a series of it."""

    def __init__(
        self, moved: Callable[[], int], progress: Progress, intervals: Intervals, start_ns: int
    ) -> None:
        self._moved, self._progress, self._intervals = moved, progress, intervals
        self._start_ns, self._first, self._last = start_ns, 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._body, daemon=True)

    def __enter__(self) -> Self:
        self._first = self._last = self._moved()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._tell()

    def _body(self) -> None:
        while not self._over.wait(_EVERY_S):
            self._tell()

    def _tell(self) -> None:
        now, moved = time.perf_counter_ns(), self._moved()
        if moved > self._last:
            self._intervals.add_bytes(now - self._start_ns, moved - self._last)
            self._last = moved
            self._progress.cells[self._progress.base + 1] = moved - self._first
