"""Integers that the two processes of a rank share: the one that measures and the one with MPI."""

import mmap
import time

_COUNT = 8
_OPERATIONS, _MOVED, _ALL_OPERATIONS, _ALL_MOVED = range(4)
_BEAT, _PATIENCE, _SIGNAL, _SIGNAL_NS = range(4, _COUNT)
_DEFAULT_PATIENCE_NS = 120 * 10**9


class Cells:
    """Written by one side and read by the other, without waiting. Made before they fork."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, 8 * _COUNT)
        self._cells = memoryview(self._map).cast("q")
        self.patience_ns = _DEFAULT_PATIENCE_NS
        self.beat()

    @property
    def mine(self) -> tuple[int, int]:
        """Operations and bytes that this rank has come to."""
        return self._cells[_OPERATIONS], self._cells[_MOVED]

    @mine.setter
    def mine(self, counts: tuple[int, int]) -> None:
        self._cells[_OPERATIONS], self._cells[_MOVED] = counts

    @property
    def others(self) -> tuple[int, int]:
        """Operations and bytes that the other ranks have come to, as far as is known."""
        return self._cells[_ALL_OPERATIONS], self._cells[_ALL_MOVED]

    @others.setter
    def others(self, counts: tuple[int, int]) -> None:
        self._cells[_ALL_OPERATIONS], self._cells[_ALL_MOVED] = counts

    def beat(self) -> None:
        """Show that the process with MPI is well."""
        self._cells[_BEAT] = time.monotonic_ns()

    @property
    def silence_ns(self) -> int:
        """How long ago that was."""
        return time.monotonic_ns() - self._cells[_BEAT]

    @property
    def patience_ns(self) -> int:
        """How long nothing may happen."""
        return self._cells[_PATIENCE]

    @patience_ns.setter
    def patience_ns(self, patience_ns: int) -> None:
        self._cells[_PATIENCE] = patience_ns

    @property
    def signal(self) -> int:
        """The number of the signal that asked the process with MPI to end; 0 where none did."""
        return self._cells[_SIGNAL]

    @signal.setter
    def signal(self, number: int) -> None:
        self._cells[_SIGNAL_NS] = time.perf_counter_ns()
        self._cells[_SIGNAL] = number

    @property
    def signal_ns(self) -> int:
        """When that was; 0 where none did."""
        return self._cells[_SIGNAL_NS]
