"""Notices when nothing at all has happened for too long."""

import time

_LATEST = 3


class Patience:
    """Whether anything moved within the last ``limit_ns``.

    A long fsync ends no operation; where a phase ``writes``, pages that the kernel writes back
    are progress too. They are those of the whole machine, so that counts for three times the limit
    at most: a hang may be noticed that late.
    """

    def __init__(self, limit_ns: int, *, writes: bool) -> None:
        self.limit_s = limit_ns / 1e9
        self._limit_ns = limit_ns
        self._writes = writes
        self._seen: tuple[int, ...] = ()
        self._since = self._moved = time.monotonic_ns()
        self._written_back = _pages_written_back()

    def note(self, *counts: int) -> None:
        """What is done so far."""
        if counts != self._seen:
            self._seen, self._since = counts, time.monotonic_ns()
            self._moved = self._since

    def is_over(self) -> bool:
        """Whether nothing has moved for longer than the limit."""
        now = time.monotonic_ns()
        if now - self._since <= self._limit_ns:
            return False
        written = _pages_written_back()
        late = now - self._moved > _LATEST * self._limit_ns
        if self._writes and written > self._written_back and not late:
            self._written_back, self._since = written, now
            return False
        return True


def _pages_written_back() -> int:
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(n.split()[1]) for n in file if n.startswith("nr_written ")), 0)
    except OSError:
        return 0
