"""Where threads of control wait for one another in the middle of a phase."""

import mmap
import os
import time

from aibench.calls import Calls
from aibench.model import Operation, Phase

_LOOK_S = 0.0002
#: What one thread of control writes down: how often it arrived, whether it waits, and its clock
#: when it arrived the last times. Nobody is further ahead of one who waits for it.
_COUNT, _WAITS, _CLOCKS = range(3)
_KEPT = 4
_EACH = _CLOCKS + _KEPT
_MOST = 2**17


def meets(phase: Phase) -> bool:
    """Whether threads of control of ``phase`` wait for one another in its middle."""
    saves = phase.operation is Operation.SAVE_SHARDS and phase.marked
    return saves or bool(phase.resume and phase.resume.passes_on)


class Meeting:
    """Integers in shared memory, made before the workers are forked; pages unused cost nothing.

    Clocks may be virtual: who waited goes on at the time at which the last one arrived. Those of
    other ranks arrive where the parent writes it down (`workers.arrivals`), which has a ``bell``
    for that.
    """

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, 8 * _EACH * _MOST)
        self._cells = memoryview(self._map).cast("q")
        self.bell: int | None = None

    def arrive(self, calls: Calls, slot: int) -> None:
        """Tell the others that ``slot`` is there; it need not wait."""
        self.mark(slot, self.count(slot) + 1, calls.clock())
        self._ring()

    def mark(self, slot: int, times: int, now: int) -> None:
        """Write down that ``slot`` has arrived so many times, the last time at a time."""
        base = _EACH * slot
        self._cells[base + _CLOCKS + times % _KEPT] = now
        self._cells[base + _COUNT] = times

    def count(self, slot: int) -> int:
        """How often a slot has arrived."""
        found: int = self._cells[_EACH * slot + _COUNT]
        return found

    def waits(self, slot: int) -> bool:
        """Whether a slot waits for others."""
        return bool(self._cells[_EACH * slot + _WAITS])

    def clock(self, slot: int, times: int) -> int:
        """When a slot arrived for the so manyth time, one of the last few."""
        found: int = self._cells[_EACH * slot + _CLOCKS + times % _KEPT]
        return found

    def wait_for(self, calls: Calls, slots: range, times: int, by: int | None = None) -> None:
        """Wait until each of ``slots`` has arrived so many times; ``by`` is who waits."""
        self._tell(by, waits=True)
        for slot in slots:
            while self.count(slot) < times:
                time.sleep(_LOOK_S)
        self._tell(by, waits=False)
        calls.wait(max(self.clock(slot, times) for slot in slots))

    def _tell(self, slot: int | None, *, waits: bool) -> None:
        if slot is not None:
            self._cells[_EACH * slot + _WAITS] = waits

    def _ring(self) -> None:
        if self.bell is not None:
            os.eventfd_write(self.bell, 1)
